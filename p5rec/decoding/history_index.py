"""How often and how recently each user's own history fell under each node of the trie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.decoding.trie import Trie

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Forgetting:
    """The rates at which past events are forgotten.

    An event ``a`` events (or days) before the newest one counts ``exp(-a / rate)``, once for each
    rate; a plain count comes first. Days are measured from the newest event of the history.

    Of each such count there are two features of a node: the total over the items under it, and
    their focus, the root of the sum of squares, which tells one item chosen twenty times from
    twenty items chosen once.
    """

    events: tuple[float, ...]
    days: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """A readable name for each feature, in order.

        >>> Forgetting(events=(5,), days=(7,)).names[:4]
        ('seen', 'count', 'events/5', 'days/7')
        >>> Forgetting(events=(5,), days=(7,)).names[4:]
        ('focus count', 'focus events/5', 'focus days/7')
        """
        counts = (
            "count",
            *(f"events/{rate:g}" for rate in self.events),
            *(f"days/{rate:g}" for rate in self.days),
        )
        return ("seen", *counts, *(f"focus {name}" for name in counts))


@dataclass(frozen=True)
class HistoryFeatures:
    """Sparse features of (context, node) pairs; a context is one history at one moment.

    For depth ``d`` from 1: ``keys[d - 1]`` holds ``context * n_nodes(d) + node`` in ascending
    order and ``values[d - 1]`` the features of each, ``float32[pairs, features]``. A pair that is
    not listed has no history: all its features are zero.
    """

    n_contexts: int
    keys: tuple[IntArray, ...]
    values: tuple[FloatArray, ...]


class HistoryIndex:
    """Prepares histories once, so that features at any moment of them are quick to get."""

    def __init__(self, histories: Histories, trie: Trie, forgetting: Forgetting) -> None:
        self._trie = trie
        self._forgetting = forgetting
        self._offsets = np.asarray(histories.offsets, dtype=np.int64)
        self._days = histories.days
        user_of_event = np.repeat(np.arange(len(histories)), np.diff(self._offsets))
        keys = user_of_event * trie.n_items + trie.leaf_of_item[histories.items]
        distinct, inverse = np.unique(keys, return_inverse=True)
        self._leaf = distinct % trie.n_items
        self._first = np.searchsorted(distinct // trie.n_items, np.arange(len(histories) + 1))
        self._rank = inverse - self._first[user_of_event]

    def features(self, users: IntArray, ends: IntArray) -> HistoryFeatures:
        """Features of each context.

        :param users: the user of each context, ``int64[C]``.
        :param ends: how many of that user's events are its past, ``int64[C]``.
        """
        sizes = self._first[users + 1] - self._first[users]
        cell_start = np.append(0, np.cumsum(sizes))
        context_of_cell = np.repeat(np.arange(len(users)), sizes)
        leaf = self._leaf[np.repeat(self._first[users], sizes) + _arange(sizes)]
        raw = self._decayed_counts(users, ends, cell_start)
        past = raw[:, 0] > 0
        keys, values = [], []
        context, leaf, raw = context_of_cell[past], leaf[past], raw[past]
        for depth in range(1, self._trie.depth + 1):
            n_nodes = self._trie.n_nodes(depth)
            node = self._trie.nodes_above(depth, leaf)
            key = context * n_nodes + node
            starts = np.flatnonzero(np.diff(key, prepend=-1))
            keys.append(key[starts])
            values.append(_summary(raw, starts))
        return HistoryFeatures(len(users), tuple(keys), tuple(values))

    def _decayed_counts(
        self, users: IntArray, ends: IntArray, cell_start: IntArray
    ) -> NDArray[np.float64]:
        context = np.repeat(np.arange(len(users)), ends)
        age = _arange(ends, descending=True)
        event = (self._offsets[users] + ends - 1)[context] - age
        cell = cell_start[context] + self._rank[event]
        columns: list[NDArray[np.float64]] = [
            np.bincount(cell, minlength=cell_start[-1]).astype(np.float64)
        ]
        for kernel in self._kernels(users, ends, context, event, age):
            columns.append(
                np.bincount(cell, weights=kernel, minlength=cell_start[-1]).astype(np.float64)
            )
        return np.stack(columns, axis=1)

    def _kernels(
        self, users: IntArray, ends: IntArray, context: IntArray, event: IntArray, age: IntArray
    ) -> Iterator[FloatArray]:
        aged = age.astype(np.float32)
        for rate in self._forgetting.events:
            yield np.exp(aged * np.float32(-1 / rate))
        if not self._forgetting.days:
            return
        if self._days is None or not len(age):
            passed = np.full(len(age), np.inf, dtype=np.float32)
        else:
            newest = self._days[np.maximum(self._offsets[users] + ends - 1, 0)]
            passed = (newest[context] - self._days[event]).astype(np.float32)
            passed[np.isnan(passed)] = np.inf
            # Callers may hand over days out of order; growth instead of decay would overflow.
            passed = np.maximum(passed, 0)
        for rate in self._forgetting.days:
            yield np.exp(passed * np.float32(-1 / rate))


def _summary(raw: NDArray[np.float64], starts: IntArray) -> FloatArray:
    """Features of the nodes that begin at ``starts``, from the decayed counts of their items."""
    if not len(starts):
        return np.empty((0, 1 + 2 * raw.shape[1]), dtype=np.float32)
    total = np.add.reduceat(raw, starts, axis=0)
    focus = np.sqrt(np.add.reduceat(raw**2, starts, axis=0))
    values = np.ones((len(starts), 1 + 2 * raw.shape[1]), dtype=np.float32)
    # Logarithms of float32 take a fraction of the time, and these are the bulk of a batch's cost.
    np.log1p(total.astype(np.float32), out=values[:, 1 : 1 + raw.shape[1]])
    np.log1p(focus.astype(np.float32), out=values[:, 1 + raw.shape[1] :])
    return values


def _arange(sizes: IntArray, *, descending: bool = False) -> IntArray:
    """``0 … n - 1`` (or back) for each ``n`` of ``sizes``, one after the other."""
    ends = np.cumsum(sizes)
    counted = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - sizes, sizes)
    return np.repeat(sizes, sizes) - 1 - counted if descending else counted
