"""The other side of ``bench_ids``: codes of faiss's residual quantiser, and a fair comparison."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

import faiss
import numpy as np

from p5rec.ids.neighbours import Neighbours
from p5rec.ids.quality import Agreement, agreement, prefix_nodes

_ROUNDS = 200


def faiss_codes(vectors: np.ndarray, widths: Sequence[int]) -> np.ndarray:
    """Codes of a faiss ``ResidualQuantizer`` with its default settings: int32[N, len(widths)].

    :param widths: the same power of two at each level: faiss knows no others.
    """
    (width,) = set(widths)
    bits = width.bit_length() - 1
    assert 2**bits == width, widths
    quantizer = faiss.ResidualQuantizer(vectors.shape[1], len(widths), bits)
    quantizer.train(np.ascontiguousarray(vectors))
    packed = quantizer.compute_codes(np.ascontiguousarray(vectors))
    return faiss.unpack_bitstrings(packed, len(widths), bits).astype(np.int32)


def agreements(codes: np.ndarray, neighbours: Neighbours) -> list[Agreement]:
    """Agreement at each level of some codes."""
    return [agreement(nodes, neighbours) for nodes in prefix_nodes(codes)]


def at_equal_chance(ours: Sequence[Agreement], theirs: Sequence[Agreement]) -> float:
    """Our share over theirs at the last level of both, where chance would give both the same.

    A coarser tree agrees more by chance: one with a single node always does. So each tree is a
    line through (chance, share) of its levels, from the root, where both are 1, down to the level
    compared, straight between levels on logarithmic scales; the two lines are compared at the
    higher of the two chances. Neither tree is judged beyond its own levels.
    """
    chance = max(ours[-1].random, theirs[-1].random)
    return _share_at(chance, ours) / _share_at(chance, theirs)


def _share_at(chance: float, line: Sequence[Agreement]) -> float:
    points = sorted({(log(one.random), log(max(one.share, 1e-9))) for one in line} | {(0.0, 0.0)})
    return exp(np.interp(log(chance), *zip(*points, strict=True)))


def bits_foretold(codes: np.ndarray, neighbours: Neighbours) -> float:
    """How many bits codes spare who has to guess an item's neighbour, against any item at random.

    The guess is the best mixture, found by expectation maximisation, of any item and of the items
    under the same node of each level: trees of any grain and depth can be compared.
    """
    known = neighbours.nearest >= 0
    item = np.repeat(neighbours.items, known.sum(axis=1))
    other = neighbours.nearest[known]
    weight = np.repeat(1 / known.sum(axis=1).clip(1), known.sum(axis=1))
    weight /= weight.sum()
    nodes = [np.zeros(len(codes), dtype=np.int64), *prefix_nodes(codes)]
    chances = np.stack(
        [(of[item] == of[other]) / (np.bincount(of)[of[item]] - 1).clip(1) for of in nodes], axis=1
    )
    shares = np.full(len(nodes), 1 / len(nodes))
    for _ in range(_ROUNDS):
        parts = chances * shares
        shares = weight @ (parts / parts.sum(axis=1, keepdims=True))
    return float(weight @ np.log2(chances @ shares * (len(codes) - 1)))
