"""How far a mean or a difference of means may be chance: bootstrap and permutation.

All three work on values a user (``float64[U]``), take a seed, and hold about ``_CELLS`` numbers in
memory at a time however many users and samples there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from p5rec.errors import RequestError

Floats = npt.NDArray[np.float64]

_CELLS = 2**21


class Interval(NamedTuple):
    """A mean and the bounds within which it would lie with other users."""

    mean: float
    low: float
    high: float


def sampled_means(columns: npt.ArrayLike, *, samples: int = 10_000, seed: int) -> Floats:
    """The means ``float64[samples, M]`` of M columns when users are drawn again, with replacement.

    A sample draws the same users for all columns, so that the difference of two columns of the
    answer is the paired bootstrap of their difference.

    :param columns: ``float64[U, M]``, one row a user.
    :raises RequestError: if there is no user, or a value is not finite.
    """
    array = _checked_columns(columns, samples)
    rng = np.random.default_rng(seed)
    users = len(array)
    means = []
    for rows in _chunks(samples, users):
        drawn = rng.integers(users, size=(rows, users)) + users * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * users).reshape(rows, users)
        means.append(times @ array / users)
    return np.concatenate(means)


def interval_of(means: Floats, mean: float, *, level: float = 0.95) -> Interval:
    """The interval that holds the share ``level`` of the sampled means, around the mean itself.

    :raises RequestError: if the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise RequestError(f"level is {level}. Take a level between 0 and 1, such as 0.95.")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    # The mean of equal values may leave the samples' range by the last bit of a sum.
    return Interval(mean, min(float(low), mean), max(float(high), mean))


def bootstrap_interval(
    values: npt.ArrayLike, *, level: float = 0.95, samples: int = 10_000, seed: int
) -> Interval:
    """The percentile bootstrap interval of a mean over users.

    >>> bootstrap_interval([0.5, 0.5, 0.5], seed=0)
    Interval(mean=0.5, low=0.5, high=0.5)

    :param values: one value a user.
    :param level: the share of the samples that the interval holds.
    :raises RequestError: if there is no value, or one that is not finite.
    """
    array = _checked(values, "values")
    means = sampled_means(array[:, None], samples=samples, seed=seed)
    return interval_of(means, float(array.mean()), level=level)


def paired_difference(
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    *,
    level: float = 0.95,
    samples: int = 10_000,
    seed: int,
) -> Interval:
    """The bootstrap interval of the mean of a - b, where both hold the same users in one order.

    >>> paired_difference([0.75, 0.5], [0.5, 0.25], seed=0)
    Interval(mean=0.25, low=0.25, high=0.25)

    :raises RequestError: if the two do not pair up, are empty or hold a value that is not finite.
    """
    return bootstrap_interval(_differences(a, b), level=level, samples=samples, seed=seed)


def permutation_test(
    a: npt.ArrayLike, b: npt.ArrayLike, *, samples: int = 10_000, seed: int
) -> float:
    """The two-sided p of the paired permutation test: a and b are swapped at random a user.

    The observed order counts as one of the samples, so that p is never 0 (Phipson and Smyth, 2010).

    >>> permutation_test([0.2, 0.7], [0.2, 0.7], seed=0)
    1.0

    :raises RequestError: if the two do not pair up, are empty or hold a value that is not finite.
    """
    differences = _differences(a, b)
    return float(permutation_tests(differences[:, None], samples=samples, seed=seed)[0])


def permutation_tests(columns: npt.ArrayLike, *, samples: int = 10_000, seed: int) -> Floats:
    """The p of each of M columns of paired differences, ``float64[U, M]``, swapping users alike.

    :raises RequestError: if there is no user, or a value is not finite.
    """
    if samples < 1:
        raise RequestError(f"samples is {samples}. Take at least one sample.")
    differences = _checked_columns(columns, samples)
    observed = np.abs(differences.sum(axis=0))
    # Sums that differ by rounding alone count as equal.
    slack = 1e-9 * np.abs(differences).sum(axis=0)
    rng = np.random.default_rng(seed)
    as_far = np.zeros(differences.shape[1])
    for rows in _chunks(samples, len(differences)):
        swap = rng.integers(2, size=(rows, len(differences)), dtype=np.int8)
        sums = (1.0 - 2.0 * swap) @ differences
        as_far += (np.abs(sums) >= observed - slack).sum(axis=0)
    return (1 + as_far) / (1 + samples)


def _differences(a: npt.ArrayLike, b: npt.ArrayLike) -> Floats:
    first, second = _checked(a, "a"), _checked(b, "b")
    if len(first) != len(second):
        raise RequestError(
            f"{len(first)} values cannot be paired with {len(second)}. Measure both on the same"
            " users."
        )
    return first - second


def _checked_columns(columns: npt.ArrayLike, samples: int) -> Floats:
    array = np.asarray(columns, dtype=np.float64)
    if array.ndim != 2 or not len(array) or not np.isfinite(array).all() or samples < 1:
        raise RequestError(
            f"values of shape {array.shape} cannot be sampled {samples} times. Give finite numbers"
            " for at least one user, and take at least one sample."
        )
    return array


def _checked(values: npt.ArrayLike, name: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise RequestError(
            f"{name} of shape {array.shape} cannot be tested. Give one finite number for each of at"
            " least one user."
        )
    return array


def _chunks(samples: int, width: int) -> Iterator[int]:
    """How many samples to draw at once, until all are drawn."""
    rows = max(1, _CELLS // width)
    for start in range(0, samples, rows):
        yield min(rows, samples - start)
