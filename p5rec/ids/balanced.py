"""Clusters of like size: k-means centres, and an assignment that lets no cluster overflow."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# k-means centres of more points than this many a cluster are hardly better.
_POINTS_A_CLUSTER = 256
_LEAST_SAMPLE = 20_000
_ITERATIONS = 25
_CAREFUL = 32
_CANDIDATES = 16
_CHUNK = 1 << 24
# Neighbours are looked at where there are at most so many rows: every pair is compared.
_MOST_COMPARED = 20_000
_NEIGHBOURS = 10
_ROUNDS = 15
# What a row's own cluster counts besides its neighbours, so that rows do not all move at once.
_STAY = 0.1


def cluster_balanced(
    vectors: Vectors, *, clusters: int, capacity: int, least: int = 1, seed: int = 0
) -> Ints:
    """The cluster of each row: at most ``clusters`` of them, of at most ``capacity`` rows.

    k-means centres; each row goes to the nearest that has room, then to where most of its nearest
    neighbours are, as long as ``least`` clusters remain. Clusters are numbered by their first row;
    none is empty. The rows must come in an order that is theirs by content: ties rest on it.

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
    parts = assign_balanced(distances(vectors, centres), capacity=capacity)
    if count <= _MOST_COMPARED:
        parts = _gather_neighbours(vectors, parts, clusters, capacity=capacity, least=least)
    return by_first_row(parts)


def fit_centres(vectors: Vectors, *, clusters: int, seed: int) -> Vectors:
    """Centres of k-means, float32[clusters, d], on a sample where there are many rows."""
    most = max(_LEAST_SAMPLE, _POINTS_A_CLUSTER * clusters)
    if len(vectors) > most:
        random = np.random.default_rng(seed)
        vectors = vectors[np.sort(random.choice(len(vectors), most, replace=False))]
    # A good start matters for few clusters and costs much for many.
    start = "k-means++" if clusters <= _CAREFUL else "random"
    means = KMeans(clusters, init=start, n_init=1, max_iter=_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        # Fewer different rows than clusters: some centres are then equal, which does no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        centres: Vectors = means.fit(vectors).cluster_centers_.astype(np.float32)
    return centres


def assign_balanced(costs: Vectors, *, capacity: int) -> Ints:
    """The cheapest cluster of each row, none with more than ``capacity`` rows.

    Where too many rows want a cluster, those stay that would lose most by going to their next
    best; the others go on to the cheapest cluster that still has room.

    >>> assign_balanced(np.float32([[0, 9], [0, 1], [0, 5]]), capacity=2).tolist()
    [0, 1, 0]

    :param costs: float32[n, k].
    """
    near = _cheapest(costs)
    room = np.full(costs.shape[1], capacity)
    chosen = np.full(len(costs), -1, dtype=np.int64)
    left = np.arange(len(costs))
    while len(left):
        wish, regret = _wishes(costs, near, left, room)
        order = np.lexsort((left, -regret, wish))
        wanted = wish[order]
        place = np.arange(len(order)) - np.searchsorted(wanted, wanted)
        accepted = order[place < room[wanted]]
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
    apart: Vectors = vectors @ (-2 * centres.T)
    apart += (centres**2).sum(axis=1)
    return apart


def _gather_neighbours(
    vectors: Vectors, parts: Ints, clusters: int, *, capacity: int, least: int
) -> Ints:
    """Move rows to the clusters of their nearest neighbours while that brings more together."""
    near = _neighbours(vectors)
    everything = np.asarray(near.sum(axis=1)).ravel().astype(np.float32)
    rows = np.arange(len(parts))
    best, most = parts, -1.0
    for _ in range(_ROUNDS):
        ones = csr_matrix((np.ones(len(rows), np.float32), (rows, parts)), (len(rows), clusters))
        together = (near @ ones).toarray()
        total = float(together[rows, parts].sum(dtype=np.float64))
        if total <= most or (best is not parts and len(np.unique(parts)) < least):
            break
        best, most = parts, total
        together[rows, parts] += _STAY * everything
        parts = assign_balanced(-together, capacity=capacity)
    return best


def _neighbours(vectors: Vectors) -> csr_matrix:
    """How near the nearest rows are to each other: symmetric float32[n, n], 0 for others."""
    count = min(_NEIGHBOURS, len(vectors) - 1)
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(vectors)
    apart, rows = search.kneighbors()
    scale = max(float(np.median(apart)), 1e-6)
    near = np.exp(-((apart / scale) ** 2)).astype(np.float32)
    bounds = np.arange(0, near.size + 1, count)
    one_way = csr_matrix((near.ravel(), rows.ravel(), bounds), shape=(len(vectors),) * 2)
    return csr_matrix(one_way + one_way.T)


def _cheapest(costs: Vectors) -> npt.NDArray[np.int32]:
    """The cheapest few clusters of each row, cheapest first."""
    kept = min(_CANDIDATES, costs.shape[1])
    near = np.empty((len(costs), kept), dtype=np.int32)
    step = max(1, _CHUNK // costs.shape[1])
    for start in range(0, len(costs), step):
        some = costs[start : start + step]
        if kept < costs.shape[1]:
            found = np.sort(np.argpartition(some, kept - 1, axis=1)[:, :kept], axis=1)
        else:
            found = np.broadcast_to(np.arange(kept), some.shape)
        order = np.argsort(np.take_along_axis(some, found, axis=1), axis=1, kind="stable")
        near[start : start + step] = np.take_along_axis(found, order, axis=1)
    return near


def _wishes(
    costs: Vectors, near: npt.NDArray[np.int32], left: Ints, room: Ints
) -> tuple[Ints, Vectors]:
    """For each row that is left, the cheapest cluster with room, and what the next would cost."""
    open_ = room[near[left]] > 0
    rows = np.arange(len(left))
    wish = near[left, open_.argmax(axis=1)].astype(np.int64)
    open_[rows, open_.argmax(axis=1)] = False
    second = np.where(open_.any(axis=1), open_.argmax(axis=1), near.shape[1] - 1)
    regret = costs[left, near[left, second]] - costs[left, wish]
    stuck = np.flatnonzero(room[wish] <= 0)
    if len(stuck):
        free = np.flatnonzero(room > 0)
        wish[stuck] = free[costs[np.ix_(left[stuck], free)].argmin(axis=1)]
        regret[stuck] = 0
    return wish, regret
