import math

import numpy as np
import pytest
from evaluation_worlds import N_ITEMS, rankings
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from p5rec.errors import RequestError
from p5rec.evaluation.metrics import (
    METRICS,
    coverage,
    evaluate_ranking,
    hits,
    invalid_share,
    repeats,
)


def oracle(row, target, k):
    """The four metrics of one user, written from their definitions."""
    seen, found = set(), []
    for rank, item in enumerate(row[:k], start=1):
        if item in target and item not in seen:
            found.append(rank)
        seen.add(item)
    ideal = sum(1 / math.log2(rank + 1) for rank in range(1, min(k, len(target)) + 1))
    return {
        f"recall@{k}": len(found) / len(target),
        f"ndcg@{k}": sum(1 / math.log2(rank + 1) for rank in found) / ideal,
        f"hit@{k}": float(bool(found)),
        f"mrr@{k}": 1 / found[0] if found else 0.0,
    }


@given(rankings(), st.integers(1, 10))
def test_equals_the_definitions(world, k):
    ranked, targets = world
    values = evaluate_ranking(ranked, targets, ks=[k])
    assert list(values) == [f"{metric}@{k}" for metric in METRICS]
    for user, (row, target) in enumerate(zip(ranked, targets, strict=True)):
        expected = oracle(row.tolist(), set(target.tolist()), k)
        assert {name: value[user] for name, value in values.items()} == pytest.approx(expected)


@given(st.randoms(use_true_random=False), st.integers(1, N_ITEMS))
def test_ndcg_equals_scikit_learn(random, k):
    order = random.sample(range(N_ITEMS), N_ITEMS)
    target = random.sample(range(N_ITEMS), random.randint(1, N_ITEMS))
    scores, relevant = np.zeros((1, N_ITEMS)), np.zeros((1, N_ITEMS))
    scores[0, order] = np.arange(N_ITEMS, 0, -1)
    relevant[0, target] = 1
    values = evaluate_ranking(np.array([order]), [np.array(target)], ks=[k])
    assert values[f"ndcg@{k}"][0] == pytest.approx(ndcg_score(relevant, scores, k=k))


@given(rankings(), st.randoms(use_true_random=False))
def test_the_order_of_users_is_only_the_order_of_values(world, random):
    ranked, targets = world
    order = random.sample(range(len(ranked)), len(ranked))
    values = evaluate_ranking(ranked, targets)
    moved = evaluate_ranking(ranked[order], [targets[user] for user in order])
    for name, value in values.items():
        np.testing.assert_array_equal(moved[name], value[order])


@given(rankings())
def test_irrelevant_items_at_the_end_change_nothing(world):
    ranked, targets = world
    longer = ranked.copy()
    for row in longer:
        empty = np.flatnonzero(row == -1)
        row[empty] = N_ITEMS + np.arange(len(empty))
    before, after = evaluate_ranking(ranked, targets), evaluate_ranking(longer, targets)
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


@given(rankings(), st.integers(0, 9), st.integers(0, 9))
def test_values_are_shares_even_with_repeats(world, source, target):
    ranked, targets = world
    ranked[:, target] = ranked[:, source]
    for value in evaluate_ranking(ranked, targets).values():
        assert ((value >= 0) & (value <= 1)).all()


@given(rankings())
def test_an_empty_list_counts_as_zero(world):
    ranked, targets = world
    full = evaluate_ranking(ranked, targets)
    ranked[0] = -1
    emptied = evaluate_ranking(ranked, targets)
    for name, value in emptied.items():
        assert value[0] == 0
        assert value.mean() <= full[name].mean()


@given(rankings(), st.integers(0, 8))
def test_moving_a_hit_up_never_lowers_ndcg_or_mrr(world, slot):
    ranked, targets = world
    better = ranked.copy()
    swap = hits(ranked, targets)[:, slot + 1]
    better[swap, slot], better[swap, slot + 1] = ranked[swap, slot + 1], ranked[swap, slot]
    before, after = evaluate_ranking(ranked, targets), evaluate_ranking(better, targets)
    for name in ("ndcg@10", "mrr@10"):
        assert (after[name] >= before[name] - 1e-12).all()


def test_a_target_that_is_written_twice_counts_once():
    values = evaluate_ranking(np.array([[3, 1]]), [np.array([3, 3])], ks=[2])
    assert values["recall@2"][0] == 1.0


@given(rankings())
def test_lists_of_the_catalogue_are_valid(world):
    ranked, _ = world
    assert not repeats(ranked).any()
    assert invalid_share(ranked, N_ITEMS) == 0
    assert coverage(ranked, N_ITEMS) == len(set(ranked.ravel()) - {-1}) / N_ITEMS


def test_invalid_slots_are_counted_against_filled_slots():
    ranked = np.array([[0, 0, 0, 99, -1], [-7, 1, -1, -1, -1]])
    assert invalid_share(ranked, 10) == 4 / 6
    assert invalid_share(np.full((2, 3), -1), 10) == 0
    assert coverage(ranked, 10) == 0.2
    assert coverage(ranked, 0) == 0


@pytest.mark.parametrize(
    ("ranked", "targets", "ks", "words"),
    [
        (np.zeros((2, 10), int), [np.array([1])], [5], "2, 10.*1 users"),
        (np.zeros((1, 4), int), [np.array([1])], [5], r"ks \(5,\)"),
        (np.zeros((1, 4), int), [np.array([1])], [0], r"ks \(0,\)"),
        (np.zeros((1, 4), int), [np.array([1])], [], r"ks \(\)"),
        (np.zeros((2, 4), int), [np.array([1]), np.array([], int)], [2], "user 1 has no relevant"),
    ],
)
def test_what_cannot_be_measured_is_refused(ranked, targets, ks, words):
    with pytest.raises(RequestError, match=words):
        evaluate_ranking(ranked, targets, ks=ks)


def test_no_users_give_no_values():
    values = evaluate_ranking(np.zeros((0, 10), int), [])
    assert {len(value) for value in values.values()} == {0}
