"""Cluster levels: the items of each node, gathered by what likens them to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from p5rec.errors import SemanticIDError
from p5rec.ids.balanced import cluster_balanced, distances, fit_centres
from p5rec.ids.grouping import code_words, members, number_nodes
from p5rec.ids.text_vectors import TextVectors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# No cluster is larger than this many times the mean of its node: what is alike comes in groups of
# all sizes ...
LARGEST = 3.0
# ... but where a level has several nodes, so few items are never too many, unless they are a large
# part of their node. Other nodes use the codes that this leaves out.
_FEW = 32
_LARGE_PART = 4
# Clusters that are not that small must not dissolve: at least such a share of them stays.
_USED = 0.9
# Below the first level of clusters, nodes are planned to fill this share of what the levels after
# them can hold, because items come later; only nodes this small are not split at all.
_FULL = 0.5
_TINY = 8


@dataclass(frozen=True, eq=False)
class ClusterLevel:
    """One learned level: the code of each item, the words of each code."""

    codes: Ints
    labels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Clustered:
    """Items in the order of their content: ``vectors`` (float32[N, d]), words, and twins.

    ``twins``: int64[N], one number for near-identical items.
    """

    vectors: Floats
    texts: TextVectors
    twins: Ints


@dataclass(frozen=True)
class Room:
    """What a cluster level may use: ``codes`` for all nodes, and how much comes ``below``.

    ``below`` is the most items that the levels after this one can tell apart.
    """

    codes: int
    below: int


def cluster_level(
    nodes: Ints, items: Clustered, room: Room, *, first: bool, seed: int
) -> ClusterLevel:
    """Split each node into clusters of like items.

    On the ``first`` level of clusters the largest node gets as many as there are codes, a smaller
    one its share, so that clusters are of like size everywhere. Further down a node is split no
    finer than the levels below need: more parts would part neighbours. Twins stay together.

    A code means much the same in all nodes: clusters are matched to centres that are fitted to all
    items (``first``), or to how far items lie from the centre of their node.

    :param nodes: int64[N], the node of each item.
    :raises SemanticIDError: if a node has more items than this level and those below can hold.
    """
    counts = np.bincount(nodes)
    largest = int(counts.max())
    if largest > room.codes * room.below:
        raise SemanticIDError(
            f"{largest:,} items have to be told apart below one node, but the levels of clusters "
            f"and siblings there hold {room.codes * room.below:,}. Give larger widths, one more of "
            "them, or a larger max_width."
        )
    parts = np.zeros(len(nodes), dtype=np.int64)
    for rows in np.split(np.argsort(nodes, kind="stable"), np.cumsum(counts)[:-1]):
        wanted = len(rows) * room.codes / largest if first else _needed(len(rows), room.below)
        clusters = min(max(round(wanted), -(-len(rows) // room.below), 1), room.codes)
        if clusters > 1:
            several = len(counts) > 1
            capacity = _capacity(len(rows), clusters, room.below, several=several)
            small = capacity > LARGEST * len(rows) / clusters + 1
            parts[rows] = cluster_balanced(
                items.vectors[rows],
                clusters=clusters,
                capacity=capacity,
                least=1 if small else math.ceil(_USED * clusters),
                same=items.twins[rows],
                seed=seed,
            )
    if len(counts) > 1:
        parts = _shared_codes(nodes, parts, items.vectors, codes=room.codes, first=first, seed=seed)
    return ClusterLevel(parts, code_words(parts, items.texts))


def _needed(items: int, below: int) -> int:
    """Into how many clusters a node of so many items is split: two at least, if it is not tiny.

    >>> _needed(1000, 128), _needed(60, 128), _needed(6, 128)
    (16, 2, 1)
    """
    return max(math.ceil(items / (_FULL * below)), 2 if items > _TINY else 1)


def _capacity(items: int, clusters: int, below: int, *, several: bool) -> int:
    """The most items of one cluster of a node, which is one of several or the root.

    >>> _capacity(12_000, 110, 128, several=False), _capacity(12_000, 110, 999, several=False)
    (128, 328)
    >>> _capacity(190, 43, 128, several=True), _capacity(190, 43, 128, several=False)
    (32, 14)
    """
    even = int(np.ceil(LARGEST * items / clusters))
    few = min(_FEW, items // _LARGE_PART) if several else 0
    return min(below, max(even, few))


def _shared_codes(
    nodes: Ints, parts: Ints, vectors: Floats, *, codes: int, first: bool, seed: int
) -> Ints:
    """Number the parts of every node so that one number means much the same everywhere."""
    clusters = number_nodes(nodes, parts)
    of_clusters, one_item = members(clusters)
    centres, points = np.asarray(of_clusters @ vectors, dtype=np.float32), vectors
    above = nodes[one_item]
    if not first:
        node_centres = np.asarray(members(nodes)[0] @ vectors, dtype=np.float32)
        centres, points = centres - node_centres[above], vectors - node_centres[nodes]
    common = fit_centres(points, clusters=min(codes, len(points)), seed=seed)
    given = _match(distances(centres, common), above, np.bincount(clusters))
    used = np.unique(given)
    return np.searchsorted(used, given)[clusters].astype(np.int64)


def _match(costs: Floats, above: Ints, sizes: Ints) -> Ints:
    """A code for each cluster: cheap, other than its siblings', and not used more than the rest.

    :param costs: float32[clusters, codes]; ``above``: the node over each cluster, rising;
        ``sizes``: its items.
    """
    fair = max(float(sizes.sum()) / costs.shape[1], 1.0)
    spread = np.maximum(costs.std(axis=1, keepdims=True), 1e-6)
    costs = (costs - costs.min(axis=1, keepdims=True)) / spread
    usage = np.zeros(costs.shape[1])
    given = np.zeros(len(costs), dtype=np.int64)
    counts = np.bincount(above)
    children = np.split(np.arange(len(above)), np.cumsum(counts)[:-1])
    items = np.bincount(above, weights=sizes)
    for node in np.lexsort((np.arange(len(counts)), -items)).tolist():
        rows = children[node]
        chosen = linear_sum_assignment(costs[rows] + usage / fair)[1]
        given[rows] = chosen
        usage[chosen] += sizes[rows]
    return given
