"""Which items go with an item in the training events of other users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from p5rec.data.events import Histories

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

KINDS = ("next", "near", "together", "alike users", "alike words")
"""What is known of a pair of items, in order.

How often the second came within the next :data:`SESSIONS_AHEAD` sessions, and that in either
direction or in the same session, each weighted by one over the distance and divided by how often
the first was chosen; in how many histories both are, divided by how many the first is in, and as
a cosine; and how alike their words are (:mod:`p5rec.decoding.alike_words`).
"""

SESSIONS_AHEAD = 5
NEWEST_OF_A_USER = 100
"""Of longer histories only so many distinct items are taken as belonging together."""

SHRINKAGE = 3.0
"""So many more occurrences are counted: what was seen once says little of what goes with it."""


@dataclass(frozen=True)
class Companions:
    """The closest items of each item: those of item ``i`` are ``offsets[i]`` to ``offsets[i+1]``.

    ``items``: ``int32[P]``, catalogue rows, ascending within an item; ``values``:
    ``float32[P, len(KINDS)]``. ``lent``: of each item whether it is cold, so that what is said of
    it as a companion was lent by items like it, ``bool[N]``. ``lenders``: these items, of each cold
    one their shares, ``float[N, N]``.
    """

    offsets: IntArray
    items: NDArray[np.int32]
    values: FloatArray
    lent: NDArray[np.bool_]
    lenders: csr_matrix

    @classmethod
    def none(cls, n_items: int) -> Companions:
        """No item has any."""
        return cls(
            np.zeros(n_items + 1, dtype=np.int64),
            np.empty(0, dtype=np.int32),
            np.empty((0, len(KINDS)), dtype=np.float32),
            np.zeros(n_items, dtype=bool),
            csr_matrix((n_items, n_items), dtype=np.float32),
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """As arrays by name, to be stored."""
        return {
            "offsets": self.offsets,
            "items": self.items,
            "values": self.values,
            "lent": self.lent,
            "lender_offsets": self.lenders.indptr,
            "lender_items": self.lenders.indices,
            "lender_shares": self.lenders.data,
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Companions:
        """The reverse of :meth:`to_arrays`."""
        of_items = len(arrays["lent"])
        lenders = arrays["lender_shares"], arrays["lender_items"], arrays["lender_offsets"]
        return cls(
            arrays["offsets"],
            arrays["items"],
            arrays["values"],
            arrays["lent"],
            csr_matrix(lenders, shape=(of_items, of_items)),
        )


@dataclass(frozen=True)
class CrossFitted:
    """Companions from all users, and for each part of the users those from all other parts.

    What a user chose together must not count when that very user's choices are foreseen in
    training: it would be found each time there and never afterwards.

    ``part``: of each user, ``int64[U]``.
    """

    everyone: Companions
    without: tuple[Companions, ...]
    part: IntArray


def fit_companions(
    histories: Histories, n_items: int, *, width: int, parts: int = 4, seed: int = 0
) -> CrossFitted:
    """At most ``width`` companions an item, by co-occurrence in histories."""
    part = np.random.default_rng(seed).permutation(len(histories)) % parts
    found = [
        _Pairs.of(histories.take(np.flatnonzero(part == number)), n_items)
        for number in range(parts)
    ]
    everyone = reduce(add, found)
    return CrossFitted(
        everyone.closest(width), tuple((everyone - own).closest(width) for own in found), part
    )


@dataclass(frozen=True)
class _Pairs:
    """Sums over users, from which companions are made; they add up and can be taken away."""

    ahead: csr_matrix
    same: csr_matrix
    users: csr_matrix
    chosen: NDArray[np.float64]
    holders: NDArray[np.float64]

    @classmethod
    def of(cls, histories: Histories, n_items: int) -> _Pairs:
        items = np.asarray(histories.items, dtype=np.int64)
        user, begins = histories.user_of_event, histories.begins_session
        user_of_row = user[begins]
        baskets = _binary(np.cumsum(begins) - 1, items, (len(user_of_row), n_items))
        same = _without_diagonal(baskets.T @ baskets)
        ahead = csr_matrix((n_items, n_items))
        for gap in range(1, SESSIONS_AHEAD + 1):
            first = np.flatnonzero(user_of_row[gap:] == user_of_row[:-gap])
            ahead = ahead + baskets[first].T @ baskets[first + gap] / gap
        own, of_user = _newest(user, items, n_items)
        held = _binary(of_user, own, (len(histories), n_items))
        length = np.asarray(held.sum(axis=1)).ravel()
        scaled = diags(1 / np.log2(1 + np.maximum(length, 1))) @ held
        return cls(
            ahead.astype(np.float32),
            same.astype(np.float32),
            _without_diagonal(held.T @ scaled).astype(np.float32),
            np.bincount(items, minlength=n_items).astype(np.float64),
            np.asarray(held.sum(axis=0)).ravel(),
        )

    def __add__(self, other: _Pairs) -> _Pairs:
        return _Pairs(*(a + b for a, b in zip(self._all, other._all, strict=True)))

    def __sub__(self, other: _Pairs) -> _Pairs:
        return _Pairs(*(a - b for a, b in zip(self._all, other._all, strict=True)))

    @property
    def _all(self) -> tuple[csr_matrix | NDArray[np.float64], ...]:
        return self.ahead, self.same, self.users, self.chosen, self.holders

    def closest(self, width: int) -> Companions:
        near = (self.ahead + self.ahead.T + self.same).tocsr()
        by_chosen = diags(1 / np.sqrt(self.chosen + 1))
        by_holders = diags(1 / np.sqrt(self.holders + 1))
        cosine = (by_holders @ self.users @ by_holders).tocsr()
        closeness = (cosine + 0.5 * by_chosen @ near @ by_chosen).tocsr()
        first, second = largest(closeness, width)
        after, held = self.chosen[first] + SHRINKAGE, self.holders[first] + SHRINKAGE
        columns = (
            values_at(self.ahead, first, second) / after,
            values_at(near, first, second) / after,
            values_at(self.users, first, second) / held,
            values_at(cosine, first, second),
            np.zeros(len(first)),
        )
        values = np.stack(columns, axis=1).astype(np.float32)
        n_items = closeness.shape[0]
        return Companions(
            np.searchsorted(first, np.arange(n_items + 1)),
            second.astype(np.int32),
            np.maximum(values, 0),
            np.zeros(n_items, dtype=bool),
            csr_matrix((n_items, n_items), dtype=np.float32),
        )


def _binary(rows: IntArray, columns: IntArray, shape: tuple[int, int]) -> csr_matrix:
    matrix = csr_matrix((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape)
    matrix.data[:] = 1
    return matrix


def _without_diagonal(matrix: csr_matrix) -> csr_matrix:
    return (matrix - diags(matrix.diagonal())).tocsr()


def _newest(user: IntArray, items: IntArray, n_items: int) -> tuple[IntArray, IntArray]:
    """The newest distinct items of each user, and whose they are."""
    key = (user * n_items + items)[::-1]
    distinct, first = np.unique(key, return_index=True)
    newest_first = np.lexsort((first, distinct // n_items))
    distinct = distinct[newest_first]
    of_user = distinct // n_items
    place = np.arange(len(distinct)) - np.searchsorted(of_user, of_user)
    kept = place < NEWEST_OF_A_USER
    return (distinct % n_items)[kept], of_user[kept]


def largest(matrix: csr_matrix, width: int) -> tuple[IntArray, IntArray]:
    """Row and column of the ``width`` largest values above zero of each row, in order."""
    columns, sizes = [], []
    for row in range(matrix.shape[0]):
        span = slice(matrix.indptr[row], matrix.indptr[row + 1])
        value, column = matrix.data[span], matrix.indices[span]
        column, value = column[value > 1e-7], value[value > 1e-7]
        if len(column) > width:
            column = column[np.argpartition(-value, width)[:width]]
        columns.append(np.sort(column))
        sizes.append(len(column))
    return np.repeat(np.arange(len(sizes)), sizes), np.concatenate(columns).astype(np.int64)


def values_at(matrix: csr_matrix, rows: IntArray, columns: IntArray) -> NDArray[np.float64]:
    """The values of a matrix at some places."""
    if not len(rows):
        return np.empty(0)
    return np.asarray(matrix.tocsr()[rows, columns], dtype=np.float64).ravel()
