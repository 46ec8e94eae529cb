"""What is known of a history under each node, against plain Python."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import catalogues, histories_of, item_counts, random_histories, semantic_ids

from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.history_index import Forgetting, HistoryIndex
from p5rec.decoding.history_prior import SMOOTHING, HistoryPrior
from p5rec.decoding.trie import Trie

RATES = Forgetting(events=(1.0, 5.0, 50.0), days=(2.0, 30.0))


def slow_features(histories, trie, rates, user, end):
    """{(depth, node): features} of the first ``end`` events of a user."""
    span = histories.slice(user)
    items = histories.items[span][:end].tolist()
    days = None if histories.days is None else histories.days[span][:end].tolist()
    nodes = trie.nodes_of_items()
    counts = {}
    for place, item in enumerate(items):
        age = len(items) - 1 - place
        raw = [1.0, *(math.exp(-age / rate) for rate in rates.events)]
        for rate in rates.days:
            passed = math.inf if days is None else days[-1] - days[place]
            raw.append(0.0 if math.isnan(passed) else math.exp(-max(0.0, passed) / rate))
        for depth in range(1, trie.depth + 1):
            of_items = counts.setdefault((depth, int(nodes[item, depth])), {})
            before = of_items.get(item, [0.0] * len(raw))
            of_items[item] = [a + b for a, b in zip(before, raw, strict=True)]
    found = {}
    for key, of_items in counts.items():
        kinds = list(zip(*of_items.values(), strict=True))
        totals = [math.log1p(sum(kind)) for kind in kinds]
        focus = [math.log1p(math.sqrt(sum(count**2 for count in kind))) for kind in kinds]
        found[key] = [1.0, *totals, *focus]
    return found


def fast_features(features, trie, context):
    found = {}
    for depth, (keys, values) in enumerate(zip(features.keys, features.values, strict=True), 1):
        assert (np.diff(keys) > 0).all()
        mine = keys // trie.n_nodes(depth) == context
        for key, value in zip(keys[mine], values[mine], strict=True):
            found[depth, int(key % trie.n_nodes(depth))] = value.tolist()
    return found


def check(histories, trie, users, ends, rates=RATES):
    features = HistoryIndex(histories, trie, rates).features(np.array(users), np.array(ends))
    assert features.n_contexts == len(users)
    assert all(values.dtype == np.float32 for values in features.values)
    for context, (user, end) in enumerate(zip(users, ends, strict=True)):
        expected = slow_features(histories, trie, rates, user, end)
        found = fast_features(features, trie, context)
        assert found.keys() == expected.keys()
        for key, values in expected.items():
            assert found[key] == pytest.approx(values, abs=1e-5)


@settings(max_examples=60)
@given(catalogues(max_items=40), st.integers(0, 2**32 - 1), st.booleans())
def test_features_equal_plain_python_at_any_moment(ids, seed, has_days):
    rng = np.random.default_rng(seed)
    trie = Trie.from_semantic_ids(ids)
    histories = random_histories(rng, users=4, n_items=len(ids), days=has_days)
    users = rng.integers(4, size=7)
    ends = rng.integers(0, histories.lengths[users] + 1)
    check(histories, trie, users.tolist(), ends.tolist())


TRIE = Trie.from_semantic_ids(semantic_ids([[0, 0], [0, 1], [1, 0], [1, 2]]))


def test_one_user_at_several_moments_of_one_batch():
    histories = histories_of([[3], [0, 1, 0, 2]], [[5.0], [1.0, 2.0, 2.0, 9.0]])
    check(histories, TRIE, [1, 1, 1, 0, 1], [4, 0, 2, 1, 4])


def test_an_event_without_a_day_has_no_share_in_days():
    nan = math.nan
    check(histories_of([[0, 1, 2], [3, 3]], [[nan, 4.0, 6.0], [1.0, nan]]), TRIE, [0, 1], [3, 2])


def test_days_that_run_backwards_count_as_today():
    histories = histories_of([[0, 1, 2]], [[20_000.0, 1.0, 3.0]])
    check(histories, TRIE, [0], [3])


def test_without_days_only_events_count():
    histories = histories_of([[0, 1, 1]])
    check(histories, TRIE, [0], [3])
    check(histories, TRIE, [0], [3], Forgetting(events=(5.0,), days=()))


@pytest.mark.parametrize("items", [[[]], [[], [1]], [[1], []]])
def test_an_empty_history_has_no_features(items):
    histories = histories_of(items, [[1.0] * len(user) for user in items])
    empty = [user for user, row in enumerate(items) if not row]
    features = HistoryIndex(histories, TRIE, RATES).features(
        np.array(empty), np.zeros(len(empty), dtype=np.int64)
    )
    assert [len(keys) for keys in features.keys] == [0, 0]
    assert [values.shape for values in features.values] == [(0, len(RATES.names))] * 2


@torch.no_grad()
def dense_bias(prior, trie, counts, features, level):
    """The bias of every node at depth ``level + 1``, from slow features."""
    under = np.zeros(trie.n_nodes(level + 1))
    np.add.at(under, trie.nodes_of_items()[:, level + 1], counts + SMOOTHING)
    counts_sum = under.sum()
    bias = float(prior.popularity[level]) * np.log(under / counts_sum)
    for (depth, node), values in features.items():
        if depth == level + 1:
            bias[node] += float(np.dot(values, prior.history[level].numpy()))
    return bias


@settings(max_examples=60)
@given(catalogues(max_items=40), st.integers(0, 2**32 - 1))
def test_the_prior_equals_a_dense_computation(ids, seed):
    rng = np.random.default_rng(seed)
    trie = Trie.from_semantic_ids(ids)
    counts = rng.integers(0, 30, size=len(ids))
    prior = HistoryPrior(trie, RATES, item_counts(counts), width=0)
    with torch.no_grad():
        prior.history.copy_(torch.from_numpy(rng.normal(size=prior.history.shape)))
        prior.popularity.copy_(torch.from_numpy(rng.normal(size=trie.depth)))
    histories = random_histories(rng, users=3, n_items=len(ids))
    users = np.array([0, 1, 2, 1])
    ends = rng.integers(0, histories.lengths[users] + 1)
    contexts = prior.contexts(HistoryIndex(histories, trie, RATES).features(users, ends))
    for level in range(trie.depth):
        context = torch.from_numpy(rng.integers(4, size=9))
        nodes = rng.integers(trie.n_nodes(level), size=9)
        first = torch.from_numpy(trie.child_start[level][nodes])
        width = torch.from_numpy(np.diff(trie.child_start[level])[nodes])
        bias = contexts.bias(level=level, context=context, first=first, width=width)
        assert bias.shape == (9, int(width.max()))
        for row in range(9):
            slow = slow_features(histories, trie, RATES, users[context[row]], ends[context[row]])
            expected = dense_bias(prior, trie, counts, slow, level)
            start, wide = int(first[row]), int(width[row])
            found = bias[row, :wide].detach().numpy()
            assert found == pytest.approx(expected[start : start + wide], abs=1e-4)


def test_a_history_of_nothing_gets_no_bias_beyond_popularity():
    counts = np.array([0, 3, 5, 0])
    prior = HistoryPrior(TRIE, RATES, item_counts(counts), width=0)
    with torch.no_grad():
        prior.history.fill_(7.0)
        prior.popularity.zero_()
    features = HistoryIndex(histories_of([[]]), TRIE, RATES).features(np.array([0]), np.array([0]))
    bias = prior.contexts(features).bias(
        level=0,
        context=torch.tensor([0]),
        first=torch.tensor([0]),
        width=torch.tensor([2]),
    )
    assert bias.tolist() == [[0.0, 0.0]]


def test_a_new_prior_knows_popularity_only_and_can_tell_its_weights():
    prior = HistoryPrior(TRIE, Forgetting(events=(5,), days=(7,)), ItemCounts.none(4))
    counts = ("count", "events/5", "days/7")
    names = ("seen", *counts, *(f"focus {name}" for name in counts))
    expected = {**dict.fromkeys(names, 0.0), "popularity": 1.0}
    assert prior.weights() == {0: expected, 1: expected}


def test_the_bias_can_be_learnt():
    prior = HistoryPrior(TRIE, RATES, item_counts(np.array([1, 1, 1, 1])), width=0)
    histories = histories_of([[0, 1]], [[1.0, 2.0]])
    features = HistoryIndex(histories, TRIE, RATES).features(np.array([0]), np.array([2]))
    bias = prior.contexts(features).bias(
        level=0,
        context=torch.tensor([0]),
        first=torch.tensor([0]),
        width=torch.tensor([2]),
    )
    bias[0, 0].backward()
    assert prior.history.grad[0].abs().min() > 0
    assert prior.history.grad[1].abs().max() == 0
    assert prior.popularity.grad[0] == pytest.approx(math.log(0.5))
