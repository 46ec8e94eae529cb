"""How often and how recently each user's own history fell under each node of the trie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.arrays import ragged
from p5rec.data.events import Histories
from p5rec.decoding.companions import Companions
from p5rec.decoding.habits import Habits, Past
from p5rec.decoding.nearness import LENT, REACH, Recent, beside_histories, near_items
from p5rec.decoding.trie import Trie

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]


LATER = ("events", "sessions", "sessions again")
"""What the user does with an item from the moment on: in how many events and sessions it is chosen,
and in how many of these not for the first time. Nothing, where a history ends with the moment."""


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
        return ("seen", *self.counts, *(f"focus {name}" for name in self.counts))

    @property
    def counts(self) -> tuple[str, ...]:
        """A readable name for each forgetful count: the plain one, then one a rate."""
        return (
            "count",
            *(f"events/{rate:g}" for rate in self.events),
            *(f"days/{rate:g}" for rate in self.days),
        )


@dataclass(frozen=True)
class Lenders:
    """What the cold items among near ones are like: known items, and how much of them.

    Entry ``e`` says that the ``pair[e]``-th near pair of a cold item is like ``leaf[e]`` to a share
    of ``share[e]``; ``cell[e]`` is which pair of the last depth has that leaf in the same context,
    or their number where none has.
    """

    pair: IntArray
    cell: IntArray
    leaf: IntArray
    share: FloatArray


@dataclass(frozen=True)
class HistoryFeatures:
    """Sparse features of (context, node) pairs; a context is one history at one moment.

    For depth ``d`` from 1: ``keys[d - 1]`` holds ``context * n_nodes(d) + node`` in ascending
    order, and ``parents[d - 1]`` which pair of depth ``d - 1`` each lies under (at depth 1: which
    context). ``own[d - 1]`` tells which of them hold something of the history, and
    ``values[d - 1]`` the features of these, ``float32[pairs, features]``; others have none. At the
    last depth, whose nodes are items, ``habits`` has the :data:`~p5rec.decoding.habits.HABITS` of
    the own pairs, ``near`` tells which pairs are companions of recent events, and ``nearness`` has
    the :data:`~p5rec.decoding.nearness.NEARNESS` of these. ``later`` has the :data:`LATER` of all.
    ``lenders`` tells what the cold ones of ``near`` are like, if that was asked for.
    """

    n_contexts: int
    keys: tuple[IntArray, ...]
    parents: tuple[IntArray, ...]
    own: tuple[IntArray, ...]
    values: tuple[FloatArray, ...]
    habits: FloatArray
    near: IntArray
    nearness: FloatArray
    later: FloatArray
    lenders: Lenders


class HistoryIndex:
    """Prepares histories once, so that features at any moment of them are quick to get.

    :param companions: of items, one or more; ``part`` says which of them each user gets.
    :param lending: whether features tell what cold items are like.
    """

    def __init__(
        self,
        histories: Histories,
        trie: Trie,
        forgetting: Forgetting,
        *,
        companions: Sequence[Companions] = (),
        part: IntArray | None = None,
        lending: bool = False,
    ) -> None:
        self._lending = lending
        self._trie = trie
        self._forgetting = forgetting
        self._companions = companions
        self._part = np.zeros(len(histories), dtype=np.int64) if part is None else part
        self._items = np.asarray(histories.items, dtype=np.int64)
        self._sessions = np.asarray(histories.sessions, dtype=np.int64)
        self._offsets = np.asarray(histories.offsets, dtype=np.int64)
        self._days = histories.days
        user_of_event = histories.user_of_event
        keys = user_of_event * trie.n_items + trie.leaf_of_item[histories.items]
        self._habits = Habits(histories)
        distinct, inverse = np.unique(keys, return_inverse=True)
        self._done = _done(inverse, self._habits.opens, len(distinct))
        self._leaf = distinct % trie.n_items
        self._first = np.searchsorted(distinct // trie.n_items, np.arange(len(histories) + 1))
        self._rank = inverse - self._first[user_of_event]

    def features(self, users: IntArray, ends: IntArray) -> HistoryFeatures:
        """Features of each context.

        :param users: the user of each context, ``int64[C]``.
        :param ends: how many of that user's events are its past, ``int64[C]``.
        """
        past = self._past(users, ends)
        raw = self._decayed_counts(users, past)
        seen = raw[:, 0] > 0
        habits, raw = self._habits.features(past)[seen], raw[seen]
        n_items = self._trie.n_items
        own = past.context_of_cell[seen] * n_items + self._leaves(users)[seen]
        found = list(self._near(users, ends))
        near, nearness = beside_histories(found, own=own, ends=ends, n_items=n_items)
        cells = np.union1d(own, near)
        keys, parents, held, values = [], [], [], []
        parent = cells // n_items
        own_at, leaf = np.searchsorted(cells, own), cells % n_items
        for depth in range(1, self._trie.depth + 1):
            key = cells // n_items * self._trie.n_nodes(depth) + self._trie.nodes_above(depth, leaf)
            new = np.diff(key, prepend=-1) != 0
            number = np.cumsum(new) - 1
            own_number = number[own_at]
            starts = np.flatnonzero(np.diff(own_number, prepend=-1))
            keys.append(key[new])
            parents.append(parent[new])
            held.append(own_number[starts])
            values.append(_summary(raw, starts))
            parent = number
        return HistoryFeatures(
            n_contexts=len(users),
            keys=tuple(keys),
            parents=tuple(parents),
            own=tuple(held),
            values=tuple(values),
            habits=habits,
            near=np.searchsorted(cells, near),
            nearness=nearness,
            later=self._later(users, past, cells),
            lenders=self._lenders(users, near[nearness[:, LENT] > 0], cells),
        )

    def _later(self, users: IntArray, past: Past, cells: IntArray) -> FloatArray:
        """What each context's user does later with the items of ``cells``."""
        later = np.zeros((len(cells), len(LATER)), dtype=np.float32)
        every = ragged(self._first[users], self._first[users + 1] - self._first[users])
        left = self._done[every] - _done(past.cell, self._habits.opens[past.event], len(every))
        some = np.flatnonzero(left[:, 0])
        key = past.context_of_cell[some] * self._trie.n_items + self._leaf[every[some]]
        at = np.searchsorted(cells, key)
        known = np.append(cells, -1)[at] == key
        later[at[known]] = left[some[known]]
        return later

    def _lenders(self, users: IntArray, cold: IntArray, cells: IntArray) -> Lenders:
        """What the cold items of some cells are like."""
        context, leaf = np.divmod(cold, self._trie.n_items)
        item, part = self._trie.item_of_leaf[leaf], self._part[users[context]]
        pair, lender, share = [], [], []
        for number, companions in enumerate(self._companions if self._lending else ()):
            mine = np.flatnonzero(part == number)
            lenders = companions.lenders
            start = lenders.indptr[item[mine]].astype(np.int64)
            size = lenders.indptr[item[mine] + 1] - start
            entry = ragged(start, size)
            pair.append(np.repeat(mine, size))
            lender.append(lenders.indices[entry])
            share.append(lenders.data[entry])
        pairs = np.concatenate([np.empty(0, dtype=np.int64), *pair])
        rows = np.concatenate([np.empty(0, dtype=np.int64), *lender])
        leaves = self._trie.leaf_of_item[rows].astype(np.int64)
        key = context[pairs] * self._trie.n_items + leaves
        at = np.searchsorted(cells, key)
        at[np.append(cells, -1)[at] != key] = len(cells)
        shares = np.concatenate([np.empty(0, dtype=np.float32), *share])
        return Lenders(pairs, at, leaves, shares)

    def _near(self, users: IntArray, ends: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
        """The companions of each context's newest events, part by part of the users."""
        for part, companions in enumerate(self._companions):
            mine = np.flatnonzero(self._part[users] == part)
            some = np.minimum(ends[mine], REACH)
            context = np.repeat(mine, some)
            last = self._offsets[users[mine]] + ends[mine]
            event, newest = ragged(last - some, some), np.repeat(last - 1, some)
            age = self._sessions[newest] - self._sessions[event]
            recent = Recent(context, self._items[event], age)
            yield near_items(recent, companions, self._trie.leaf_of_item)

    def _past(self, users: IntArray, ends: IntArray) -> Past:
        sizes = self._first[users + 1] - self._first[users]
        context = np.repeat(np.arange(len(users)), ends)
        event = ragged(self._offsets[users], ends)
        cell = (np.cumsum(sizes) - sizes)[context] + self._rank[event]
        return Past(context, event, cell, ends, np.repeat(np.arange(len(users)), sizes))

    def _leaves(self, users: IntArray) -> IntArray:
        """The leaf of each cell of the contexts of ``users``."""
        sizes = self._first[users + 1] - self._first[users]
        leaves: IntArray = self._leaf[ragged(self._first[users], sizes)]
        return leaves

    def _decayed_counts(self, users: IntArray, past: Past) -> NDArray[np.float64]:
        cells = len(past.context_of_cell)
        newest = self._offsets[users] + past.ends - 1
        age = newest[past.context] - past.event
        columns = [np.bincount(past.cell, minlength=cells).astype(np.float64)]
        for kernel in self._kernels(users, past.ends, past.context, past.event, age):
            counts = np.bincount(past.cell, weights=kernel, minlength=cells)
            columns.append(counts.astype(np.float64))
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


def _done(cell: IntArray, opens: NDArray[np.bool_], n_cells: int) -> NDArray[np.float64]:
    """Of what :data:`LATER` tells, all that some events hold: ``float64[n_cells, len(LATER)]``.

    :param cell: of each event, which item of which history it is about.
    :param opens: whether it is the first of its item in its session.
    """
    sessions = np.bincount(cell[opens], minlength=n_cells)
    again = np.maximum(sessions - 1, 0)
    return np.stack([np.bincount(cell, minlength=n_cells), sessions, again], axis=1).astype(float)


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
