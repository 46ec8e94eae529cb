"""Cluster levels: the items of each node, gathered by what likens them to each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from p5rec.errors import SemanticIDError
from p5rec.ids.balanced import by_first_row, cluster_balanced, distances, fit_centres
from p5rec.ids.grouping import code_words, members, number_nodes
from p5rec.ids.text_vectors import TextVectors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# No cluster is larger than this many times the mean of its node.
LARGEST = 1.5


@dataclass(frozen=True, eq=False)
class ClusterLevel:
    """One learned level: the code of each item, the words of each code."""

    codes: Ints
    labels: tuple[str, ...]


def cluster_level(
    nodes: Ints,
    vectors: Floats,
    texts: TextVectors,
    *,
    size: int,
    below: int,
    first: bool,
    seed: int,
) -> ClusterLevel:
    """Split each node into clusters of like items, with at most ``size`` codes for all nodes.

    The largest node gets ``size`` clusters, a smaller one its share, so that clusters are of like
    size everywhere. A code means the same in all nodes as far as it can: clusters are matched to
    centres that are fitted to all items (``first``), or to how far items lie from the centre of
    their node.

    :param nodes: int64[N], the node of each item; items in the order of their content.
    :param below: the most items that the levels after this one can tell apart.
    :raises SemanticIDError: if a node has more items than this level and those below can hold.
    """
    counts = np.bincount(nodes)
    largest = int(counts.max())
    if largest > size * below:
        raise SemanticIDError(
            f"{largest:,} items have to be told apart below one node, but the levels of clusters "
            f"and siblings there hold {size * below:,}. Give larger widths, one more of them, or a "
            "larger max_width."
        )
    parts = np.zeros(len(nodes), dtype=np.int64)
    for rows in np.split(np.argsort(nodes, kind="stable"), np.cumsum(counts)[:-1]):
        wanted = max(round(len(rows) * size / largest), -(-len(rows) // below))
        clusters = min(max(wanted, 1), size)
        if clusters > 1:
            capacity = min(below, int(np.ceil(LARGEST * len(rows) / clusters)))
            parts[rows] = cluster_balanced(
                vectors[rows], clusters=clusters, capacity=capacity, seed=seed
            )
    codes = _shared_codes(nodes, parts, vectors, size=size, absolute=first, seed=seed)
    return ClusterLevel(codes, code_words(codes, texts))


def _shared_codes(
    nodes: Ints, parts: Ints, vectors: Floats, *, size: int, absolute: bool, seed: int
) -> Ints:
    """Number the parts of every node so that one number means much the same everywhere."""
    if not nodes.any():
        return parts
    clusters = number_nodes(nodes, parts)
    of_clusters, first = members(clusters)
    centres = np.asarray(of_clusters @ vectors, dtype=np.float32)
    above = nodes[first]
    points = vectors
    if not absolute:
        node_centres = np.asarray(members(nodes)[0] @ vectors, dtype=np.float32)
        centres, points = centres - node_centres[above], vectors - node_centres[nodes]
    common = fit_centres(points, clusters=min(size, len(points)), seed=seed)
    apart = distances(centres, common)
    codes = np.zeros(len(centres), dtype=np.int64)
    for rows in np.split(np.arange(len(above)), np.cumsum(np.bincount(above))[:-1]):
        taken, given = linear_sum_assignment(apart[rows])
        codes[rows[taken]] = given
    used = np.unique(codes)
    return by_first_row(np.searchsorted(used, codes)[clusters])
