"""Clusters of like size: k-means centres, and an assignment that lets no cluster overflow."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import NearestNeighbors

from p5rec.ids.grouping import members, number_nodes
from p5rec.ids.splitting import by_first_row

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
    vectors: Vectors,
    *,
    clusters: int,
    capacity: int,
    least: int = 1,
    same: Ints | None = None,
    seed: int = 0,
) -> Ints:
    """The cluster of each row: at most ``clusters`` of them, of at most ``capacity`` rows.

    k-means centres; each row goes to the nearest that has room, then to where most of its nearest
    neighbours are, as long as ``least`` clusters remain. Clusters are numbered by their first row;
    none is empty. The rows must come in an order that is theirs by content: ties rest on it.

    Rows with one number in ``same`` (int64[n]) stand at their mean and stay together, as far as
    clusters are sure to have room for so many at once.

    >>> rows = np.float32([[0, 1], [1, 0], [0, 1.1], [1.1, 0]])
    >>> cluster_balanced(rows, clusters=2, capacity=2, seed=0).tolist()
    [0, 1, 0, 1]

    :param vectors: float32[n, d], with n <= clusters * capacity.
    """
    count = len(vectors)
    assert count <= clusters * capacity, (count, clusters, capacity)
    if clusters == 1:
        return np.zeros(count, dtype=np.int64)
    # If no cluster had room for so many, all of them together would hold more than there are.
    together = (clusters * capacity - count) // clusters + 1
    bundle = np.arange(count) if same is None else _bundles(same, most=together)
    averaging, first = members(bundle)
    if len(first) <= clusters:
        return bundle
    points = vectors if len(first) == count else np.asarray(averaging @ vectors, dtype=np.float32)
    sizes = np.bincount(bundle)
    centres = fit_centres(points, clusters=clusters, sizes=sizes, seed=seed)
    parts = assign_balanced(distances(points, centres), capacity=capacity, sizes=sizes)
    if len(points) <= _MOST_COMPARED:
        parts = _gather_neighbours(points, parts, sizes, clusters, capacity=capacity, least=least)
    return by_first_row(parts[bundle])


def fit_centres(
    vectors: Vectors, *, clusters: int, sizes: Ints | None = None, seed: int
) -> Vectors:
    """Centres of k-means, float32[clusters, d], on a sample where there are many rows.

    :param sizes: how often each row counts; once by default.
    """
    most = max(_LEAST_SAMPLE, _POINTS_A_CLUSTER * clusters)
    if len(vectors) > most:
        random = np.random.default_rng(seed)
        sample = np.sort(random.choice(len(vectors), most, replace=False))
        vectors, sizes = vectors[sample], None if sizes is None else sizes[sample]
    # A good start matters for few clusters and costs much for many.
    start = "k-means++" if clusters <= _CAREFUL else "random"
    means = KMeans(clusters, init=start, n_init=1, max_iter=_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        # Fewer different rows than clusters: some centres are then equal, which does no harm.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means.fit(vectors, sample_weight=sizes)
    centres: Vectors = means.cluster_centers_.astype(np.float32)
    return centres


def assign_balanced(costs: Vectors, *, capacity: int, sizes: Ints | None = None) -> Ints:
    """The cheapest cluster of each row, none with more than ``capacity`` rows.

    Where too many rows want a cluster, those stay that would lose most by going to their next
    best; the others go on to the cheapest cluster that still has room.

    >>> assign_balanced(np.float32([[0, 9], [0, 1], [0, 5]]), capacity=2).tolist()
    [0, 1, 0]

    :param costs: float32[n, k].
    :param sizes: int64[n], how many each row counts for, so few that one with room is always left;
        one by default.
    """
    sizes = np.ones(len(costs), dtype=np.int64) if sizes is None else sizes
    near = _cheapest(costs)
    room = np.full(costs.shape[1], capacity)
    chosen = np.full(len(costs), -1, dtype=np.int64)
    left = np.arange(len(costs))
    while len(left):
        wish, regret = _wishes(costs, near, left, sizes, room)
        order = np.lexsort((left, -regret, wish))
        wanted = wish[order]
        up_to = np.append(0, np.cumsum(sizes[left[order]]))
        accepted = order[up_to[1:] - up_to[np.searchsorted(wanted, wanted)] <= room[wanted]]
        chosen[left[accepted]] = wish[accepted]
        np.subtract.at(room, wish[accepted], sizes[left[accepted]])
        left = left[chosen[left] < 0]
    return chosen


def distances(vectors: Vectors, centres: Vectors) -> Vectors:
    """Squared distances, float32[n, k], less the squared length of each row."""
    apart: Vectors = vectors @ (-2 * centres.T)
    apart += (centres**2).sum(axis=1)
    return apart


def _bundles(same: Ints, *, most: int) -> Ints:
    """Rows that are the same as bundles of at most ``most`` rows, numbered by their first row.

    >>> _bundles(np.array([5, 5, 2, 5]), most=2).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(same, kind="stable")
    ordered = same[order]
    place = np.empty_like(order)
    place[order] = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return by_first_row(number_nodes(same, place // most))


def _gather_neighbours(
    vectors: Vectors, parts: Ints, sizes: Ints, clusters: int, *, capacity: int, least: int
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
        parts = assign_balanced(-together, capacity=capacity, sizes=sizes)
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
    costs: Vectors, near: npt.NDArray[np.int32], left: Ints, sizes: Ints, room: Ints
) -> tuple[Ints, Vectors]:
    """For each row that is left, the cheapest cluster with room, and what the next would cost."""
    needed = sizes[left]
    open_ = room[near[left]] >= needed[:, None]
    rows = np.arange(len(left))
    wish = near[left, open_.argmax(axis=1)].astype(np.int64)
    open_[rows, open_.argmax(axis=1)] = False
    second = np.where(open_.any(axis=1), open_.argmax(axis=1), near.shape[1] - 1)
    regret = costs[left, near[left, second]] - costs[left, wish]
    stuck = np.flatnonzero(room[wish] < needed)
    if len(stuck):
        free = np.flatnonzero(room >= needed[stuck].min())
        able = room[free] >= needed[stuck][:, None]
        others = np.where(able, costs[np.ix_(left[stuck], free)], np.inf)
        wish[stuck] = free[others.argmin(axis=1)]
        regret[stuck] = 0
    return wish, regret
