"""From histories to rankings: batches equal single calls, what is excluded stays out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_worlds import (
    FAMILIES,
    assembled,
    groceries,
    grocery_world,
    histories_of,
    item_counts,
    random_histories,
    tiny_recipe,
)

from p5rec.decoding import next_item
from p5rec.decoding.history_prior import SMOOTHING, HistoryPrior
from p5rec.decoding.next_item import Selection
from p5rec.model.recipe import Scoring


@pytest.fixture(scope="module", params=FAMILIES)
def ranker(request):
    model = grocery_world(request.param).model
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in model.scorer.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    model.scorer.eval()
    return model.ranker()


@pytest.fixture(scope="module")
def histories():
    return random_histories(np.random.default_rng(0), users=9, n_items=12, longest=15)


def test_batches_equal_single_calls(ranker, histories, monkeypatch):
    together = ranker.search(histories, k=12)
    monkeypatch.setattr(next_item, "BATCH", 4)
    in_parts = ranker.search(histories, k=12)
    assert in_parts.scores == pytest.approx(together.scores, abs=1e-5)
    for user in range(len(histories)):
        alone = ranker.search(histories.take(np.array([user])), k=12)
        assert alone.scores[0] == pytest.approx(together.scores[user], abs=1e-5)
        assert alone.items[0].tolist() == together.items[user].tolist()


def test_every_item_has_the_score_that_the_search_gives_it(ranker, histories):
    found = ranker.search(histories, k=12)
    assert np.exp(found.scores).sum(1) == pytest.approx(1, abs=1e-5)
    for rank in range(12):
        scores = ranker.score(histories, found.items[:, rank])
        assert scores == pytest.approx(found.scores[:, rank], abs=1e-5)


def test_what_the_history_holds_can_be_left_out(ranker, histories):
    ranked = ranker.rank(histories, k=12, exclude_history=True)
    for user, row in enumerate(ranked):
        held = set(histories.items[histories.slice(user)].tolist())
        assert set(row[row >= 0].tolist()) == set(range(12)) - held


def test_the_prompt_shows_the_newest_events_and_the_prior_sees_all(ranker):
    long = [[3, 3, 3, 3, *range(8)]]
    short = [[*range(8)]]
    days = [[1.0] * 12], [[1.0] * 8]
    one, other = (
        ranker.search(histories_of(items, when), k=12).scores
        for items, when in zip((long, short), days, strict=True)
    )
    assert one != pytest.approx(other, abs=1e-6)
    ranker.scorer.prior, prior = None, ranker.scorer.prior
    try:
        one, other = (
            ranker.search(histories_of(items, when), k=12).scores
            for items, when in zip((long, short), days, strict=True)
        )
    finally:
        ranker.scorer.prior = prior
    assert one.tolist() == other.tolist()


def test_nobody_gets_nothing(ranker):
    nobody = histories_of([])
    assert ranker.rank(nobody, k=5).shape == (0, 5)
    assert ranker.score(nobody, np.empty(0, dtype=np.int64)).shape == (0,)


@pytest.mark.parametrize("full", [False, True])
def test_who_is_not_known_gets_what_is_popular(full):
    """Whatever the network says, in search and score alike; a prompt that asks makes it count."""
    recipe = tiny_recipe("gpt2").model_copy(
        update={"scoring": Scoring(softmax="full" if full else "tree")}
    )
    model = assembled(recipe, groceries(), grocery_world("gpt2").histories)
    scorer, counts = model.scorer, np.array([5, 1, 9, 30, 2, 3, 8, 4, 0, 7, 20, 6])
    rates, trust = scorer.prior.forgetting, 0.5 if full else None
    scorer.prior = HistoryPrior(scorer.trie, rates, item_counts(counts), trust=trust)
    with torch.no_grad():
        scorer.prior.popularity.fill_(0.3)
    ranker = model.ranker()
    known = [[0, 3], [], [5, 5, 7], []]
    histories = histories_of(known, [[1.0] * len(items) for items in known])
    found = ranker.search(histories, k=12)
    shares = (counts + SMOOTHING) / (counts + SMOOTHING).sum()
    for user in (1, 3):
        assert found.items[user].tolist() == np.argsort(-shares).tolist()
        assert np.exp(found.scores[user]) == pytest.approx(np.sort(shares)[::-1], abs=1e-5)
        part = histories.take(np.full(12, user))
        assert ranker.score(part, found.items[user]) == pytest.approx(found.scores[user], abs=1e-5)
    assert found.items[0].tolist() != found.items[1].tolist()
    asked = Selection.of(None, 4)
    asked = replace(asked, prompts=[None, model.encoder.items(np.array([4, 2])), None, None])
    assert ranker.search(histories, k=12, selection=asked).scores[1] != pytest.approx(
        found.scores[1], abs=1e-3
    )


def test_an_empty_history_gets_a_whole_ranking(ranker):
    ranked = ranker.rank(histories_of([[]]), k=12)
    assert sorted(ranked[0].tolist()) == list(range(12))
