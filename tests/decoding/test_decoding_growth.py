"""Tries that grow, shrink and are opened from files; histories that grow."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_worlds import (
    FAMILIES,
    catalogues,
    grocery_world,
    histories_of,
    semantic_ids,
    tiny_scorer,
)

from p5rec.decoding.beam import beam_search
from p5rec.decoding.following import Following
from p5rec.decoding.trie import Trie
from p5rec.decoding.trie_files import open_trie, save_trie
from p5rec.errors import BundleError, SemanticIDError
from p5rec.model.prompt_batch import PromptBatch


def same(one, other):
    for name in ("child_start", "leaf_start", "code"):
        for left, right in zip(getattr(one, name), getattr(other, name), strict=True):
            assert left.tolist() == right.tolist()
    assert one.item_of_leaf.tolist() == other.item_of_leaf.tolist()
    assert one.leaf_of_item.tolist() == other.leaf_of_item.tolist()
    assert (one.live is None) == (other.live is None)
    if one.live is not None:
        assert one.live.tolist() == other.live.tolist()


@given(catalogues(max_items=80), st.integers(0, 2**32 - 1))
def test_items_that_are_added_get_the_next_rows_and_nobody_else_another(ids, seed):
    rng = np.random.default_rng(seed)
    first = int(rng.integers(1, len(ids) + 1))
    small = Trie.from_codes(ids.codes[:first])
    assert small.codes_of_items().tolist() == ids.codes[:first].tolist()
    same(small.with_items(ids.codes[first:]), Trie.from_codes(ids.codes))
    gone = np.flatnonzero(rng.random(first) < 0.5)
    grown = small.without_items(gone).with_items(ids.codes[first:])
    assert sorted(grown.item_of_leaf[~grown.live].tolist()) == gone.tolist()


def test_a_path_that_is_taken_is_refused():
    trie = Trie.from_codes(np.array([[0, 0], [0, 1]]))
    with pytest.raises(SemanticIDError, match=r"\[0, 1\].*another item"):
        trie.with_items(np.array([[0, 1]]))


def test_codes_too_large_for_one_key_are_sorted_all_the_same():
    codes = np.random.default_rng(0).integers(0, 2**31 - 1, size=(50, 3))
    trie = Trie.from_codes(codes)
    assert trie.codes_of_items().tolist() == codes.tolist()
    assert trie.item_of_leaf.tolist() == np.lexsort(codes.T[::-1]).tolist()


def test_a_retired_item_is_never_returned_and_the_others_keep_their_scores():
    rng = np.random.default_rng(0)
    ids = semantic_ids([[0, 0], [0, 1], [1, 0], [2, 0]])
    scorer = tiny_scorer("gpt2", ids, rng)
    prompts = PromptBatch.from_prompts([np.array([[3], [4]])])
    before = beam_search(scorer, prompts, k=4, beams=4)
    scorer.trie = scorer.trie.without_items(np.array([2]))
    after = beam_search(scorer, prompts, k=4, beams=4)
    kept = before.items[0] != 2
    assert after.items[0].tolist() == [*before.items[0][kept].tolist(), -1]
    assert after.scores[0, :3].tolist() == before.scores[0][kept].tolist()


@given(catalogues(max_items=30))
def test_a_trie_is_what_it_was_after_saving(tmp_path_factory, ids):
    folder = tmp_path_factory.mktemp("trie")
    for trie in (Trie.from_semantic_ids(ids), Trie.from_codes(ids.codes).without_items([0])):
        save_trie(trie, folder)
        opened = open_trie(folder)
        same(opened, trie)
        assert opened.leaf_of_item.dtype == np.int32


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "contents", "remove contents"])
def test_a_trie_file_that_was_changed_is_refused(tmp_path, damage):
    save_trie(Trie.from_codes(np.array([[0, 0], [0, 1], [1, 0]])), tmp_path)
    file = tmp_path / "code_1.npy"
    content = bytearray(file.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
        file.write_bytes(content)
    elif damage == "cut":
        file.write_bytes(content[:-2])
    elif damage == "remove":
        file.unlink()
    elif damage == "contents":
        file = tmp_path / "trie.json"
        file.write_text(file.read_text().replace("code_1", "code_9"))
        file = tmp_path / "code_9.npy"
    else:
        file = tmp_path / "trie.json"
        file.unlink()
    with pytest.raises(BundleError) as error:
        open_trie(tmp_path)
    assert str(file) in str(error.value)


@pytest.mark.slow
def test_a_million_items_change_within_a_second():
    number = np.random.default_rng(0).permutation(1_000_000)
    codes = np.stack([number // 64**level % 64 for level in (3, 2, 1, 0)], axis=1)
    trie = Trie.from_codes(codes)
    new = np.stack([np.full(64, 63)] * 3 + [np.arange(64)], axis=1)
    started = time.perf_counter()
    changed = trie.without_items(np.arange(100)).with_items(new)
    assert time.perf_counter() - started < 1
    assert changed.n_items == 1_000_064


@pytest.mark.parametrize("family", FAMILIES)
def test_following_a_history_gives_what_asking_anew_gives(family):
    model = grocery_world(family).model
    model.scorer.eval()
    ranker = model.ranker()
    following = Following(ranker)
    items = np.random.default_rng(0).integers(12, size=20).tolist()
    for length in [1, 2, 2, 5, 6, 7, 8, 4, 9, 10, 13, 20]:
        histories = histories_of([items[:length]], [list(range(length))])
        found = following.search(histories, k=5)
        anew = Following(ranker).search(histories, k=5)
        assert found.items.tolist() == anew.items.tolist()
        assert found.scores == pytest.approx(anew.scores, abs=1e-5)
        if length <= ranker.history:
            assert found.items.tolist() == ranker.search(histories, k=5).items.tolist()


def test_only_new_events_are_encoded(monkeypatch):
    model = grocery_world("gpt2").model
    model.scorer.eval()
    following = Following(model.ranker())
    following.search(histories_of([[0, 1, 2]], [[0, 1, 2]]), k=3)
    backbone, encoded = model.scorer.backbone, []
    run = backbone._run

    def spy(embedded, *rest):
        encoded.append(embedded.shape[1])
        return run(embedded, *rest)

    monkeypatch.setattr(backbone, "_run", spy)
    following.search(histories_of([[0, 1, 2, 3]], [[0, 1, 2, 3]]), k=3)
    # Beside the new event, the first steps of all walks that there can be.
    assert encoded[0] == 1 + model.scorer.trie.n_nodes(1)
    assert len(encoded) < model.scorer.depth


def test_changed_weights_are_noticed():
    model = grocery_world("gpt2").model
    model.scorer.eval()
    ranker = model.ranker()
    following = Following(ranker)
    histories = histories_of([[0, 1, 2]], [[0, 1, 2]])
    before = [following.search(histories, k=3), ranker.search(histories, k=3)]
    with torch.no_grad():
        for weight in model.scorer.backbone.parameters():
            weight.mul_(1.5)
    after = [following.search(histories, k=3), ranker.search(histories, k=3)]
    anew = model.ranker().search(histories, k=3)
    for old, new in zip(before, after, strict=True):
        assert new.scores == pytest.approx(anew.scores, abs=1e-5)
        assert new.scores != pytest.approx(old.scores, abs=1e-4)
