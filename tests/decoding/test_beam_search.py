"""Beam search against scoring every item, on random catalogues, weights and histories."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import (
    BASE_SIZE,
    FAMILIES,
    catalogues,
    random_histories,
    semantic_ids,
    tiny_scorer,
)

from p5rec.decoding.beam import beam_search
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.history_index import HistoryIndex
from p5rec.errors import DecodingError
from p5rec.model.prompt_batch import PromptBatch

CHUNK = 64


def random_prompts(rng, n_prompts):
    return PromptBatch.from_prompts(
        [rng.integers(1, BASE_SIZE, size=(rng.integers(1, 7), 1)) for _ in range(n_prompts)]
    )


def random_contexts(rng, scorer, n_prompts):
    if scorer.prior is None:
        return None
    histories = random_histories(rng, users=n_prompts, n_items=scorer.trie.n_items)
    index = HistoryIndex(histories, scorer.trie, scorer.prior.forgetting)
    return scorer.prior.contexts(index.features(np.arange(n_prompts), histories.lengths))


@torch.inference_mode()
def brute_force(scorer, prompts, contexts):
    """The score of every item after every prompt, ``float64[B, N]``."""
    n_items = scorer.trie.n_items
    scores = np.empty((len(prompts.lengths), n_items))
    for prompt in range(len(scores)):
        for items in torch.arange(n_items).split(CHUNK):
            rows = torch.full_like(items, prompt)
            found = scorer.score(prompts, rows, items, context=rows, contexts=contexts)
            scores[prompt, items.numpy()] = found.numpy()
    return scores


def check(found, scores, eligible, trie, *, k, tolerance, exact):
    """The laws of what was found for one prompt."""
    items, values = found
    count = min(k, int(eligible.sum()))
    assert items.shape == values.shape == (k,)
    assert (items[count:] == -1).all()
    assert np.isneginf(values[count:]).all()
    items, values = items[:count], values[:count]
    assert (items >= 0).all()
    assert eligible[items].all()
    assert len(set(items.tolist())) == count
    assert (np.diff(values) <= 1e-9 * np.abs(values[:-1])).all()
    assert np.abs(values - scores[items]).max(initial=0) <= tolerance
    if exact:
        best = np.sort(scores[eligible])[::-1][:count]
        assert np.abs(values - best).max(initial=0) <= tolerance
    leaves = trie.leaf_of_item[items]
    tied = np.diff(values) == 0
    assert (np.diff(leaves)[tied] > 0).all(), "ties are in the order of the leaves"


@st.composite
def searches(draw):
    return {
        "ids": draw(catalogues(max_items=500)),
        "family": draw(st.sampled_from(FAMILIES)),
        "scale": draw(st.sampled_from([0.0, 0.3, 1.0, 30.0])),
        "duplicates": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "prior": draw(st.booleans()),
        "excluding": draw(st.sampled_from([None, 0.0, 0.3, 0.95, 1.0])),
        "k": draw(st.sampled_from([1, 3, 10, 40, 600])),
        "n_prompts": draw(st.integers(1, 3)),
        "narrow": draw(st.booleans()),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def check_search(case):
    rng = np.random.default_rng(case["seed"])
    scale, ids, n_prompts = case["scale"], case["ids"], case["n_prompts"]
    scorer = tiny_scorer(
        case["family"],
        ids,
        rng,
        scale=scale,
        duplicates=case["duplicates"],
        prior=case["prior"],
    )
    trie = scorer.trie
    prompts = random_prompts(rng, n_prompts)
    contexts = random_contexts(rng, scorer, n_prompts)
    eligible = np.ones((n_prompts, len(ids)), dtype=bool)
    excluded = None
    if case["excluding"] is not None:
        eligible = rng.random(eligible.shape) >= case["excluding"]
        denied = [np.flatnonzero(~row) for row in eligible]
        excluded = Excluded(trie, [np.concatenate([rows, rows[:2]]) for rows in denied])
    scores = brute_force(scorer, prompts, contexts)
    # In 32 bits; larger logits carry larger rounding.
    tolerance = 1e-5 * max(1.0, scale, float(trie.depth))
    assert np.exp(scores).sum(1) == pytest.approx(1, abs=10 * tolerance)
    narrow = case["narrow"]
    found = beam_search(
        scorer,
        prompts,
        k=case["k"],
        beams=1 if narrow else max(trie.n_nodes(depth) for depth in range(trie.depth + 1)),
        contexts=contexts,
        excluded=excluded,
    )
    for prompt in range(n_prompts):
        check(
            (found.items[prompt], found.scores[prompt]),
            scores[prompt],
            eligible[prompt],
            trie,
            k=case["k"],
            tolerance=tolerance,
            exact=not narrow,
        )


@settings(max_examples=200)
@given(searches())
def test_the_search_finds_what_scoring_everything_finds(case):
    check_search(case)


@pytest.mark.slow
@settings(max_examples=2000)
@given(searches())
def test_the_search_finds_what_scoring_everything_finds_in_many_worlds(case):
    check_search(case)


@pytest.mark.parametrize("family", FAMILIES)
def test_where_all_items_are_alike_they_come_in_the_order_of_the_leaves(family):
    rng = np.random.default_rng(0)
    grid = np.stack([array.ravel() for array in np.meshgrid(range(4), range(5), range(3))], 1)
    ids = semantic_ids(grid[rng.permutation(len(grid))])
    scorer = tiny_scorer(family, ids, rng, scale=0.0)

    found = beam_search(scorer, random_prompts(rng, 2), k=60, beams=20)

    assert found.items.tolist() == [scorer.trie.item_of_leaf.tolist()] * 2
    assert found.scores == pytest.approx(-np.log(60))


def test_the_prior_is_left_out_without_contexts():
    rng = np.random.default_rng(1)
    ids = semantic_ids([[0, 0], [0, 1], [1, 0]])
    scorer = tiny_scorer("gpt2", ids, rng, prior=True)
    prompts = random_prompts(rng, 2)
    without = beam_search(scorer, prompts, k=3, beams=3)
    scorer.prior = None
    assert beam_search(scorer, prompts, k=3, beams=3).scores.tolist() == without.scores.tolist()


@pytest.mark.parametrize("where", ["item rows", "text rows"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_are_not_finite_are_refused(family, where, value):
    rng = np.random.default_rng(2)
    scorer = tiny_scorer(family, semantic_ids([[0, 0], [0, 1], [1, 0]]), rng)
    prompts = random_prompts(rng, 1)
    with torch.no_grad():
        if where == "item rows":
            scorer.backbone.table.weight[BASE_SIZE:] = value
        else:
            scorer.backbone.table.weight[:BASE_SIZE] = value
    with pytest.raises(DecodingError, match=r"not finite.*load another bundle"):
        beam_search(scorer, prompts, k=2, beams=2)
    with pytest.raises(DecodingError, match=r"not finite.*load another bundle"):
        scorer.score(prompts, torch.tensor([0]), torch.tensor([1]))


def test_one_damaged_row_is_refused_when_the_walk_meets_it():
    rng = np.random.default_rng(3)
    scorer = tiny_scorer("gpt2", semantic_ids([[0, 0], [0, 1], [1, 0]]), rng)
    with torch.no_grad():
        scorer.backbone.table.weight[BASE_SIZE + 1] = np.nan
    with pytest.raises(DecodingError):
        beam_search(scorer, random_prompts(rng, 1), k=1, beams=1)
