"""Clusters of like size: k-means centres, and an assignment that lets no cluster overflow."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# k-means centres of more points than this many a cluster are hardly better.
_POINTS_A_CLUSTER = 256
_LEAST_SAMPLE = 20_000
_ITERATIONS = 25
_CANDIDATES = 16
_CHUNK = 1 << 24


def cluster_balanced(vectors: Vectors, *, clusters: int, capacity: int, seed: int) -> Ints:
    """The cluster of each row: at most ``clusters`` of them, of at most ``capacity`` rows.

    Clusters are numbered by their first row; none is empty. The rows must come in an order that
    is theirs by content: ties rest on it.

    >>> rows = np.float32([[0, 1], [1, 0], [0, 1.1], [1.1, 0]])
    >>> cluster_balanced(rows, clusters=2, capacity=2, seed=0).tolist()
    [0, 1, 0, 1]

    :param vectors: float32[n, d], with n <= clusters * capacity.
    """
    count = len(vectors)
    assert count <= clusters * capacity, (count, clusters, capacity)
    if clusters == 1:
        return np.zeros(count, dtype=np.int64)
    if count <= clusters:
        return np.arange(count)
    centres = fit_centres(vectors, clusters=clusters, seed=seed)
    return by_first_row(assign_balanced(vectors, centres, capacity=capacity))


def fit_centres(vectors: Vectors, *, clusters: int, seed: int) -> Vectors:
    """Centres of k-means, float32[clusters, d], on a sample where there are many rows."""
    most = max(_LEAST_SAMPLE, _POINTS_A_CLUSTER * clusters)
    if len(vectors) > most:
        random = np.random.default_rng(seed)
        vectors = vectors[np.sort(random.choice(len(vectors), most, replace=False))]
    means = KMeans(clusters, n_init=1, max_iter=_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        # Fewer different rows than clusters: some centres are then equal, which does no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        centres: Vectors = means.fit(vectors).cluster_centers_.astype(np.float32)
    return centres


def assign_balanced(vectors: Vectors, centres: Vectors, *, capacity: int) -> Ints:
    """The nearest centre of each row, none with more than ``capacity`` rows.

    Where too many rows want a centre, those stay that would lose most by going to their next
    best; the others go on to the nearest centre that still has room.
    """
    near, far = _candidates(vectors, centres)
    room = np.full(len(centres), capacity)
    chosen = np.full(len(vectors), -1, dtype=np.int64)
    left = np.arange(len(vectors))
    while len(left):
        wish, regret = _wishes(vectors, centres, near, far, left, room)
        order = np.lexsort((left, -regret, wish))
        sorted_wish = wish[order]
        starts = np.searchsorted(sorted_wish, sorted_wish)
        accepted = order[np.arange(len(order)) - starts < room[sorted_wish]]
        chosen[left[accepted]] = wish[accepted]
        room -= np.bincount(wish[accepted], minlength=len(room))
        left = left[chosen[left] < 0]
    return chosen


def by_first_row(groups: Ints) -> Ints:
    """The same groups, numbered by the first row of each.

    >>> by_first_row(np.array([7, 3, 7, 5])).tolist()
    [0, 1, 0, 2]
    """
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    renumbered = np.empty(len(first), dtype=np.int64)
    renumbered[np.argsort(first)] = np.arange(len(first))
    result: Ints = renumbered[numbers]
    return result


def distances(vectors: Vectors, centres: Vectors) -> Vectors:
    """Squared distances, float32[n, k], less the squared length of each row."""
    apart: Vectors = (centres**2).sum(axis=1) - 2 * (vectors @ centres.T)
    return apart


def _candidates(vectors: Vectors, centres: Vectors) -> tuple[npt.NDArray[np.int32], Vectors]:
    """The nearest centres of each row, nearest first, and how far they are."""
    kept = min(_CANDIDATES, len(centres))
    near = np.empty((len(vectors), kept), dtype=np.int32)
    far = np.empty((len(vectors), kept), dtype=np.float32)
    step = max(1, _CHUNK // len(centres))
    for start in range(0, len(vectors), step):
        rows = slice(start, start + step)
        apart = distances(vectors[rows], centres)
        if kept < len(centres):
            some = np.argpartition(apart, kept - 1, axis=1)[:, :kept]
        else:
            some = np.broadcast_to(np.arange(kept), apart.shape)
        order = np.argsort(np.take_along_axis(apart, some, axis=1), axis=1, kind="stable")
        near[rows] = np.take_along_axis(some, order, axis=1)
        far[rows] = np.take_along_axis(apart, near[rows].astype(np.int64), axis=1)
    return near, far


def _wishes(
    vectors: Vectors,
    centres: Vectors,
    near: npt.NDArray[np.int32],
    far: Vectors,
    left: Ints,
    room: Ints,
) -> tuple[Ints, Vectors]:
    """For each row that is left, the nearest centre with room, and what the next one would cost."""
    open_ = room[near[left]] > 0
    first = open_.argmax(axis=1)
    rows = np.arange(len(left))
    wish = near[left][rows, first].astype(np.int64)
    best = far[left][rows, first]
    open_[rows, first] = False
    second = np.where(open_.any(axis=1), open_.argmax(axis=1), near.shape[1] - 1)
    regret = far[left][rows, second] - best
    stuck = np.flatnonzero(room[wish] <= 0)
    if len(stuck):
        free = np.flatnonzero(room > 0)
        apart = distances(vectors[left[stuck]], centres[free])
        wish[stuck] = free[apart.argmin(axis=1)]
        regret[stuck] = 0
    return wish, regret
