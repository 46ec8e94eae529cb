"""Weights of own items and of companions, against plain Python and a flat mixture."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import (
    WIDTH,
    catalogues,
    histories_of,
    item_counts,
    random_histories,
    roughen,
    semantic_ids,
    tiny_scorer,
)

from p5rec.data.events import Histories
from p5rec.data.item_counts import ItemCounts, first_in_session
from p5rec.decoding.companions import KINDS, SHRINKAGE, fit_companions
from p5rec.decoding.habits import HABITS
from p5rec.decoding.history_index import Forgetting, HistoryIndex
from p5rec.decoding.history_prior import SMOOTHING, HistoryPrior
from p5rec.decoding.nearness import NEARNESS
from p5rec.decoding.trie import Trie

RATES = Forgetting(events=(1.0, 5.0), days=(7.0,))
ITEMS = st.integers(0, 3)
TRIE = Trie.from_semantic_ids(semantic_ids([[0, 0], [0, 1], [1, 0], [1, 2]]))


def baskets(users, *, days=None):
    """Histories from ``[[[item, …], …], …]``: the items of each session of each user."""
    items = [[item for basket in user for item in basket] for user in users]
    made = histories_of(items, days)
    sessions = [number for user in users for number, basket in enumerate(user) for _ in basket]
    return Histories(
        made.user_ids, made.offsets, made.items, made.days, np.array(sessions, dtype=np.int64)
    )


def habits_of(histories, item, end):
    """Habits of one item of the only user, by name."""
    features = HistoryIndex(histories, TRIE, RATES).features(np.array([0]), np.array([end]))
    leaf = TRIE.leaf_of_item[item]
    at = np.flatnonzero(features.keys[-1][features.own[-1]] % TRIE.n_items == leaf)
    return dict(zip(HABITS, features.habits[at[0]].tolist(), strict=True))


def test_habits_tell_when_and_how_regularly_an_item_was_chosen():
    days = [[10.0, 10.0, 12.0, 16.0, 16.0, 16.0]]
    histories = baskets([[[0, 1], [2], [0, 0, 3]]], days=days)
    milk = habits_of(histories, 0, 6)
    assert milk["sessions"] == pytest.approx(math.log(3))
    assert milk["share of sessions"] == pytest.approx(2 / 3)
    assert (milk["idle sessions"], milk["idle days"], milk["again"]) == (0, 0, 1)
    assert milk["interval sessions"] == pytest.approx(math.log(3))
    assert milk["interval days"] == pytest.approx(math.log(7))
    assert milk["due sessions"] == pytest.approx(1 / 3)
    assert milk["due days"] == pytest.approx(2 / 8)
    assert milk["history sessions"] == pytest.approx(math.log(4))
    assert milk["history events"] == pytest.approx(math.log(7))
    assert milk["history items"] == pytest.approx(math.log(5))
    once = habits_of(histories, 1, 6)
    assert once["idle sessions"] == pytest.approx(math.log(3))
    assert once["idle days"] == pytest.approx(math.log(7))
    assert {once[name] for name in ("again", "interval days", "due days", "due sessions")} == {0}


def test_habits_at_an_earlier_moment_know_nothing_later():
    whole = baskets([[[0, 1], [2], [0, 3]]])
    early = baskets([[[0, 1], [2]]])
    assert habits_of(whole, 0, 3) == habits_of(early, 0, 3)


def test_items_that_users_come_back_to_are_counted_by_session():
    histories = baskets([[[0, 0], [0, 1], [1]], [[1], [2]]])
    counts = ItemCounts.of(histories, 4)
    assert counts.chosen.tolist() == [3, 3, 1, 0]
    assert counts.sessions.tolist() == [2, 3, 1, 0]
    assert counts.again.tolist() == [1, 1, 0, 0]
    assert first_in_session(histories).tolist() == [True, False, True, True, True, True, True]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.lists(ITEMS, min_size=1), min_size=1), min_size=1, max_size=4))
def test_what_a_user_does_later_can_be_taken_off_the_counts(users):
    """What is left is counted of histories of which this user's ends with the moment."""
    whole = baskets(users)
    companions = fit_companions(whole, TRIE.n_items, width=3, parts=1).everyone
    index = HistoryIndex(whole, TRIE, RATES, companions=(companions,))
    counts = columns_of(ItemCounts.of(whole, TRIE.n_items))
    for user, sessions in enumerate(users):
        for past in range(len(sessions) + 1):
            end = sum(map(len, sessions[:past]))
            features = index.features(np.array([user]), np.array([end]))
            cut = [*users[:user], sessions[:past], *users[user + 1 :]]
            left = columns_of(ItemCounts.of(baskets(cut), TRIE.n_items))
            items = TRIE.item_of_leaf[features.keys[-1]]
            assert (counts[items] - features.later).tolist() == left[items].tolist()
            assert past < len(sessions) or not features.later.any()


def columns_of(counts):
    return np.stack([counts.chosen, counts.sessions, counts.again], axis=1)


@torch.no_grad()
def test_the_networks_see_counts_without_what_the_user_does_later():
    """A bread that only its buyer came back to looks, before that, as if nobody had."""
    users = [[[0], [1], [0]], [[1], [2]]]
    before = [users[0][:2], users[1]]
    seen = []
    for counted in (users, before):
        counts = ItemCounts.of(baskets(counted), TRIE.n_items)
        prior = HistoryPrior(TRIE, RATES, counts, width=4, seed=1)
        roughen(prior.again, np.random.default_rng(0))
        prior.again.rate.fill_(0.1)
        features = prior.index(baskets(counted)).features(np.array([0]), np.array([2]))
        seen.append(prior._item_masses(features))
    assert seen[0].tolist() == pytest.approx(seen[1].tolist())


def test_popularity_forgets_with_the_days():
    histories = histories_of([[0, 0], [1, 2]], [[0.0, 10.0], [20.0, math.nan]])
    recent = ItemCounts.of(histories, 3, rate=10.0).recent
    expected = [math.exp(-2) + math.exp(-1), 1]
    assert recent[:2] == pytest.approx(expected)
    assert recent[2] == pytest.approx(sum(expected) / 3)
    assert ItemCounts.of(histories_of([[0, 0]]), 1, rate=10.0).recent.tolist() == [2]
    assert ItemCounts.of(histories, 3).recent.tolist() == [2, 1, 1]


def prior_of(trie, rng, *, companions=None, counts=None):
    chosen = rng.integers(0, 30, size=trie.n_items) if counts is None else counts
    prior = HistoryPrior(trie, RATES, item_counts(chosen), width=4, companions=companions)
    for network in (prior.again, prior.near, prior.cold):
        if network is not None:
            roughen(network, rng)
    return prior, chosen


@settings(max_examples=40, deadline=None)
@given(catalogues(max_items=25), st.integers(0, 2**32 - 1))
@torch.no_grad()
def test_a_walk_that_knows_the_prior_alone_is_a_flat_mixture(ids, seed):
    """(share + weight) / (1 + all weights) for each item, however the tree is shaped."""
    rng = np.random.default_rng(seed)
    scorer = tiny_scorer("gpt2", ids, rng, scale=0.0)
    trie, n_items = scorer.trie, len(ids)
    histories = random_histories(rng, users=3, n_items=n_items)
    fitted = fit_companions(histories, n_items, width=3, parts=2)
    prior, chosen = prior_of(trie, rng, companions=fitted.everyone)
    scorer.prior = prior
    features = prior.index(histories).features(np.arange(3), histories.lengths)
    weights = np.zeros((3, n_items))
    leaf_keys = features.keys[-1]
    for network, pairs, inputs in prior._weighed(features):
        keys = leaf_keys[pairs.numpy()]
        items = trie.item_of_leaf[keys % n_items]
        weights[keys // n_items, items] += network(*inputs).exp().numpy()
    share = (chosen + SMOOTHING) / (chosen + SMOOTHING).sum()
    expected = np.log((share + weights) / (1 + weights.sum(1, keepdims=True)))
    contexts = prior.contexts(features)
    items = torch.arange(n_items)
    for user in range(3):
        found = scorer.path_log_probs(
            torch.zeros(n_items, trie.depth, WIDTH),
            items,
            context=torch.full((n_items,), user),
            contexts=contexts,
        )
        assert found.sum(1).numpy() == pytest.approx(expected[user], abs=1e-3)
        context = torch.full((n_items,), user)
        alone = prior.log_probs(features, context, items)
        assert alone.numpy() == pytest.approx(expected[user], abs=1e-4)


def values_of(companions, first, second):
    span = slice(companions.offsets[first], companions.offsets[first + 1])
    at = np.flatnonzero(companions.items[span] == second)
    return dict(zip(KINDS, companions.values[span][at[0]].tolist(), strict=True)) if len(at) else {}


def test_companions_follow_lie_beside_and_share_users():
    histories = baskets([[[0], [1], [2]], [[0, 3], [1]]])
    everyone = fit_companions(histories, 4, width=4).everyone
    found = values_of(everyone, 0, 1)
    assert found["next"] == pytest.approx(2 / (2 + SHRINKAGE))
    assert found["near"] == pytest.approx(2 / (2 + SHRINKAGE))
    assert values_of(everyone, 0, 2)["next"] == pytest.approx(0.5 / (2 + SHRINKAGE))
    assert values_of(everyone, 1, 0)["next"] == 0
    assert values_of(everyone, 3, 0)["near"] == pytest.approx(1 / (1 + SHRINKAGE))
    assert values_of(everyone, 0, 0) == {}


def test_only_so_many_companions_are_kept():
    histories = baskets([[[item] for item in range(20)]])
    assert np.diff(fit_companions(histories, 20, width=3).everyone.offsets).max() == 3


def test_in_training_a_user_does_not_see_what_they_chose_together_themselves():
    histories = baskets([[[0], [1]], [[2], [3]]])
    fitted = fit_companions(histories, 4, width=4, parts=2)
    assert sorted(fitted.part.tolist()) == [0, 1]
    for user, (first, second) in enumerate([(0, 1), (2, 3)]):
        assert values_of(fitted.everyone, first, second)
        assert not values_of(fitted.without[fitted.part[user]], first, second)


def test_nearness_sums_over_recent_events_with_forgetting():
    others = [[[0], [2]], [[1], [2]]]
    fitted = fit_companions(baskets(others), 4, width=4)
    histories = baskets([[[0], [1]]])
    index = HistoryIndex(histories, TRIE, RATES, companions=[fitted.everyone])
    features = index.features(np.array([0]), np.array([2]))
    items = TRIE.item_of_leaf[features.keys[-1][features.near] % TRIE.n_items].tolist()
    found = dict(zip(NEARNESS, features.nearness[items.index(2)].tolist(), strict=True))
    each = 1 / (1 + SHRINKAGE)
    assert found["next/inf"] == pytest.approx(math.log(2 * each), abs=1e-3)
    assert found["next/1"] == pytest.approx(math.log(each * (1 + math.exp(-1))), abs=1e-3)
    assert found["events"] == pytest.approx(math.log(3))
    assert (found["own"], found["history events"]) == (0, pytest.approx(math.log(3)))


def test_without_companions_or_networks_nothing_is_near():
    histories = histories_of([[0, 1]])
    features = HistoryIndex(histories, TRIE, RATES).features(np.array([0]), np.array([2]))
    assert features.near.shape == (0,)
    assert features.nearness.shape == (0, len(NEARNESS))


def test_networks_are_the_same_for_a_seed_and_leave_other_draws_alone():
    rng = np.random.default_rng(0)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    made = [prior_of(TRIE, rng)[0].again.layers[0].weight for _ in range(2)]
    assert torch.equal(*made)
    assert torch.equal(torch.rand(3), expected)
