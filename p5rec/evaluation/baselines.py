"""Rankings that need no learning: what a model must beat before it is worth its cost.

Every baseline keeps one contract. ``fit`` counts the items of the training histories; ``rank``
gives ``int64[U, k]`` catalogue rows, best first, without a repeat, filled from the most popular
items on and with -1 where the catalogue ends. Ties go to the more popular item, then to the lower
catalogue row. A user's list depends on that user alone, so a batch equals single calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Self

import numpy as np
import numpy.typing as npt

from p5rec.errors import NotFittedError, RequestError

if TYPE_CHECKING:
    from p5rec.data.events import Histories

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Baseline:
    """A common order of the catalogue, and for each user what goes before it."""

    def __init__(self) -> None:
        self._order: Ints | None = None
        self._place: Ints = np.empty(0, dtype=np.int64)

    def fit(self, histories: Histories, n_items: int) -> Self:
        """Order the catalogue by the number of events, most first.

        :raises RequestError: if a history names a row outside the catalogue.
        """
        _check_rows(histories, n_items)
        counts = np.bincount(histories.items, minlength=n_items)
        return self._learn(np.argsort(-counts, kind="stable"))

    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> Ints:
        """The first ``k`` items for every user, as ``int64[U, k]`` with -1 in empty slots.

        :raises RequestError: if k is below 1 or a history names a row outside the catalogue.
        :raises NotFittedError: before ``fit``.
        """
        self._fitted_order(histories, k)
        starts = self._starts(histories)
        if exclude_history:
            return self._fill(_own_items(histories), starts, k=k)
        own = self._own_items(histories)
        ranked = self._fill(own, starts, k=k)
        return _put_first(self._best_first(own), ranked)

    def _fitted_order(self, histories: Histories, k: int) -> Ints:
        """The common order, once it is sure that ``rank`` can be served."""
        if self._order is None:
            raise NotFittedError(f"{type(self).__name__} is not fitted. Call fit(...) first.")
        if k < 1:
            raise RequestError(f"k is {k}. Ask for at least 1 item.")
        _check_rows(histories, len(self._order))
        return self._order

    def _learn(self, order: npt.NDArray[np.integer]) -> Self:
        self._order = order.astype(np.int64)
        self._place = np.empty_like(self._order)
        self._place[self._order] = np.arange(len(order))
        return self

    def _own_items(self, histories: Histories) -> _Own:
        """The items that go before the popular ones; none here."""
        none = np.empty(0, dtype=np.int64)
        return _Own(users=none, items=none, scores=none.astype(np.float64), n=len(histories))

    def _starts(self, histories: Histories) -> Ints:
        """The place in the common order at which each user's list begins."""
        return np.zeros(len(histories), dtype=np.int64)

    def _best_first(self, own: _Own) -> _Own:
        order = np.lexsort((self._place[own.items], -own.scores, own.users))
        return own.take(order)

    def _fill(self, own: _Own, starts: Ints, *, k: int) -> Ints:
        """The first k items of the common order that are not among a user's own.

        Works on places in the order, so that no users × items matrix is needed: if r is the i-th
        smallest of the own places, r - i others stand before it; the j-th other therefore stands
        at j plus the number of own places for which r - i is at most j.
        """
        assert self._order is not None
        n_items = len(self._order)
        places = (self._place[own.items] - starts[own.users]) % max(n_items, 1)
        by_place = np.lexsort((places, own.users))
        others_before = np.minimum(places[by_place] - own.rank_within(), k)
        passed = np.bincount(own.users * (k + 1) + others_before, minlength=own.n * (k + 1))
        passed = passed.reshape(own.n, k + 1)[:, :k].cumsum(axis=1)
        wanted = np.arange(k) + passed
        inside = wanted < n_items
        wanted = (np.where(inside, wanted, 0) + starts[:, None]) % max(n_items, 1)
        return np.where(inside, self._order[wanted] if n_items else -1, -1)


class Popularity(Baseline):
    """The items with the most events, the same list for everyone."""


class OwnFrequency(Baseline):
    """The items that the user had most often, then the popular ones."""

    def _own_items(self, histories: Histories) -> _Own:
        return _own_items(histories)


class OwnRecent(Baseline):
    """The items that the user had most often and most recently, then the popular ones.

    An event counts 1 / (1 + age / ``half``); its age is the number of the user's later events.
    """

    def __init__(self, half: float = 300.0) -> None:
        super().__init__()
        self.half = half

    def _own_items(self, histories: Histories) -> _Own:
        ends = np.repeat(histories.offsets[1:], np.diff(histories.offsets))
        age = ends - 1 - np.arange(len(ends))
        return _own_items(histories, weights=1.0 / (1.0 + age / self.half))


class Random(Baseline):
    """A window into a shuffled catalogue that depends on the seed and the user's id alone."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed

    def fit(self, histories: Histories, n_items: int) -> Self:
        """Shuffle the catalogue; the histories are not looked at."""
        return self._learn(np.random.default_rng(self.seed).permutation(n_items))

    def _starts(self, histories: Histories) -> Ints:
        draws = [_draw(f"{self.seed}/{user}") for user in histories.user_ids]
        return np.array(draws, dtype=np.int64) % max(len(self._place), 1)


@dataclass(frozen=True)
class _Own:
    """Distinct (user, item) pairs with scores, users in ascending order; ``n`` counts all users."""

    users: Ints
    items: Ints
    scores: Floats
    n: int

    def take(self, order: npt.NDArray[np.integer]) -> _Own:
        return _Own(self.users[order], self.items[order], self.scores[order], self.n)

    def rank_within(self) -> Ints:
        """0, 1, 2, … within each user."""
        sizes = np.bincount(self.users, minlength=self.n)
        return np.arange(len(self.users)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _own_items(histories: Histories, weights: Floats | None = None) -> _Own:
    """Every user's distinct items, each with the sum of the weights of its events (or a count)."""
    users = histories.user_of_event
    order = np.lexsort((histories.items, users))
    users, items = users[order], histories.items[order]
    new = np.ones(len(users), dtype=np.bool_)
    new[1:] = (users[1:] != users[:-1]) | (items[1:] != items[:-1])
    # bincount adds in the order of the events, so that a user's sums are equal in any batch.
    sums = np.bincount(np.cumsum(new) - 1, weights=None if weights is None else weights[order])
    return _Own(users[new], items[new], sums.astype(np.float64), len(histories))


def _put_first(own: _Own, ranked: Ints) -> Ints:
    """Set the own items, best first, before what is ranked; keep k slots."""
    n_users, k = ranked.shape
    rank = own.rank_within()
    own = own.take(np.flatnonzero(rank < k))
    sizes = np.bincount(own.users, minlength=n_users)
    slots = np.arange(k) - sizes[:, None]
    moved = np.take_along_axis(ranked, np.maximum(slots, 0), axis=1)
    moved[own.users, own.rank_within()] = own.items
    return moved


def _draw(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest())


def _check_rows(histories: Histories, n_items: int) -> None:
    rows = histories.items
    if rows.size and (rows.min() < 0 or rows.max() >= n_items):
        worst = int(rows.max() if rows.max() >= n_items else rows.min())
        raise RequestError(
            f"a history names catalogue row {worst}, but the catalogue has {n_items} items. Build"
            " the histories with the catalogue that is ranked."
        )
