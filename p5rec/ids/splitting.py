"""Splits many things into groups of like things, none larger than allowed."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# Groups are planned this full, so that a cut need not run through the middle of a cluster.
_FULL = 0.75
_ROUNDS = 12
# Things that differ by less than this are ties, which their order decides.
_DIGITS = 5


def split_balanced(vectors: Vectors, *, capacity: int, most: int) -> Ints:
    """The group of each row: at most ``most`` groups of at most ``capacity`` rows.

    Bisecting 2-means: the rows are cut in two along the line between two centres, where the
    centres say or, if the rest could not be placed then, as near to it as possible. Rows that
    project to the same point keep their order, so the order of the rows must come from their
    content. Groups are numbered by their first row.

    >>> split_balanced(np.float32([[0, 1], [1, 0], [0, 1], [1, 0]]), capacity=2, most=2).tolist()
    [0, 1, 0, 1]

    :param vectors: float32[n, d], with n <= capacity * most.
    """
    count = len(vectors)
    least = math.ceil(count / capacity)
    assert least <= most, (count, capacity, most)
    groups = np.zeros(count, dtype=np.int64)
    stack = [(np.arange(count), max(least, min(most, math.ceil(count / (_FULL * capacity)))))]
    found = 0
    while stack:
        rows, parts = stack.pop()
        if (len(rows) <= capacity and parts == 1) or len(rows) == 1:
            groups[rows] = found
            found += 1
            continue
        near, far, parts_near = _bisect(vectors, rows, parts=parts, capacity=capacity)
        stack += [(far, parts - parts_near), (near, parts_near)]
    return by_first_row(groups)


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


def _bisect(vectors: Vectors, rows: Ints, *, parts: int, capacity: int) -> tuple[Ints, Ints, int]:
    along = _two_means(vectors[rows])
    order = np.argsort(along, kind="stable")
    sizes = np.arange(1, len(rows))
    needed = -(-sizes // capacity) - (-(len(rows) - sizes) // capacity)
    # A sliver would use up a group that the rest needs.
    sliver = len(rows) // (2 * parts)
    allowed = sizes[(needed <= parts) & (sizes >= sliver) & (sizes <= len(rows) - sliver)]
    wished = int((along <= 0).sum())
    cut = int(allowed[np.argmin(np.abs(allowed - wished))])
    least_near, least_far = -(-cut // capacity), -(-(len(rows) - cut) // capacity)
    share = round(parts * cut / len(rows))
    parts_near = min(max(share, least_near), parts - least_far)
    # Sorting gives each half back in content order, on which ties further down rest.
    return np.sort(rows[order[:cut]]), np.sort(rows[order[cut:]]), parts_near


def _two_means(points: Vectors) -> npt.NDArray[np.float64]:
    """How far each point lies from the plane between two centres, the border at 0."""
    centred = points.astype(np.float64)
    centred -= centred.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along: npt.NDArray[np.float64] = np.round(centred @ axis, _DIGITS)
    if not along.any():
        return along
    side = along > 0
    for _ in range(_ROUNDS):
        if side.all() or not side.any():
            break
        low, high = centred[~side].mean(axis=0), centred[side].mean(axis=0)
        along = np.round((centred - (low + high) / 2) @ (high - low), _DIGITS)
        moved = along > 0
        if (moved == side).all():
            break
        side = moved
    return along
