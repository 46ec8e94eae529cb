import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from p5rec.errors import RequestError
from p5rec.evaluation import significance
from p5rec.evaluation.significance import (
    bootstrap_interval,
    paired_difference,
    permutation_test,
    sampled_means,
)

shares = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(shares, st.integers(0, 9))
def test_the_mean_lies_in_its_interval_and_that_in_the_range_of_values(values, seed):
    mean, low, high = bootstrap_interval(values, samples=50, seed=seed)
    assert min(values) - 1e-9 <= low <= mean <= high <= max(values) + 1e-9


@given(shares, st.integers(0, 9))
def test_the_same_seed_gives_the_same_interval(values, seed):
    first = bootstrap_interval(values, samples=50, seed=seed)
    assert first == bootstrap_interval(values, samples=50, seed=seed)


def test_the_interval_agrees_with_scipy_and_theory():
    values = np.random.default_rng(0).beta(1, 5, size=1500)
    _, low, high = bootstrap_interval(values, seed=1)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, batch=500, rng=2
    ).confidence_interval
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert (low, high) == pytest.approx(tuple(theirs), abs=half / 8)
    assert (high - low) / 2 == pytest.approx(half, rel=0.05)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(300):
        _, low, high = bootstrap_interval(rng.random(80), level=0.9, samples=400, seed=seed)
        inside += low <= 0.5 <= high
    assert 0.83 < inside / 300 < 0.96


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(0).random(100)
    narrow = bootstrap_interval(values, level=0.5, seed=0)
    wide = bootstrap_interval(values, level=0.99, seed=0)
    assert wide.low < narrow.low < narrow.high < wide.high


def test_pairing_removes_what_users_have_in_common():
    rng = np.random.default_rng(0)
    a = rng.random(400)
    b = a - 0.01 + 0.01 * rng.normal(size=400)
    mean, low, high = paired_difference(a, b, seed=0)
    assert mean == pytest.approx(a.mean() - b.mean())
    assert 0 < low < high < 0.02
    assert permutation_test(a, b, seed=0) < 0.001


def test_columns_of_one_sample_are_paired():
    a = np.random.default_rng(0).random((50, 1))
    means = sampled_means(np.hstack([a, a + 1]), samples=100, seed=0)
    np.testing.assert_allclose(means[:, 1] - means[:, 0], 1)


@pytest.mark.parametrize("cells", [1, 64, 2**21])
def test_chunks_do_not_limit_the_samples(cells, monkeypatch):
    monkeypatch.setattr(significance, "_CELLS", cells)
    assert sampled_means(np.eye(7), samples=123, seed=0).shape == (123, 7)
    assert permutation_test([0.0, 1.0], [0.5, 0.0], samples=123, seed=0) > 0


def test_the_permutation_test_agrees_with_every_swap():
    rng = np.random.default_rng(1)
    a, b = rng.random(10), rng.random(10) + 0.2
    signs = np.array(list(itertools.product([1, -1], repeat=10)))
    exact = np.mean(np.abs(signs @ (a - b)) >= abs((a - b).sum()) - 1e-12)
    assert permutation_test(a, b, samples=40_000, seed=0) == pytest.approx(exact, abs=0.01)
    assert permutation_test(a, b, seed=0) == permutation_test(b, a, seed=0)


@given(shares)
def test_no_difference_is_never_significant(values):
    assert permutation_test(values, values, samples=20, seed=0) == 1.0
    assert paired_difference(values, values, samples=20, seed=0) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bootstrap_interval([], seed=0), r"values of shape \(0,\)"),
        (lambda: bootstrap_interval([0.1, float("nan")], seed=0), "finite"),
        (lambda: bootstrap_interval([0.1], level=1.0, seed=0), r"level is 1\.0"),
        (lambda: bootstrap_interval([0.1], samples=0, seed=0), "sampled 0 times"),
        (lambda: paired_difference([0.1], [0.1, 0.2], seed=0), "1 values cannot be paired with 2"),
        (lambda: permutation_test([0.1], [0.1], samples=0, seed=0), "samples is 0"),
    ],
)
def test_what_cannot_be_tested_is_refused(call, words):
    with pytest.raises(RequestError, match=words):
        call()
