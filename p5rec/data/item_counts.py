"""How often each item was chosen, and how often by someone who had chosen it before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class ItemCounts:
    """Counts by catalogue row, ``int64[n_items]`` each.

    ``chosen``: events. ``recent`` (``float64``): events too, but one ``a`` days before the
    newest of all counts ``exp(-a / rate)``; what sells now tells more of what sells next than what
    sold half a year ago. ``sessions``: sessions of a user with the item in them. ``again``: those
    of these sessions that were not the user's first with the item.

    >>> import numpy as np
    >>> tea_twice = Histories(("u",), np.array([0, 3]), np.array([0, 1, 0]), None, np.arange(3))
    >>> counts = ItemCounts.of(tea_twice, 3)
    >>> counts.chosen.tolist(), counts.again.tolist()
    ([2, 1, 0], [1, 0, 0])
    """

    chosen: IntArray
    recent: NDArray[np.float64]
    sessions: IntArray
    again: IntArray

    @classmethod
    def of(cls, histories: Histories, n_items: int, *, rate: float | None = None) -> ItemCounts:
        """Count the events of histories.

        :param rate: of forgetting, in days; None forgets nothing, and without days nor does it.
        """
        items = np.asarray(histories.items, dtype=np.int64)
        opening = items[first_in_session(histories)]
        owned = np.unique(histories.user_of_event * n_items + items) % n_items
        sessions = np.bincount(opening, minlength=n_items)
        users = np.bincount(owned, minlength=n_items)
        weights = _forgotten(histories.days, len(items), rate)
        return cls(
            chosen=np.bincount(items, minlength=n_items),
            recent=np.bincount(items, weights=weights, minlength=n_items).astype(np.float64),
            sessions=sessions,
            again=sessions - users,
        )

    @classmethod
    def none(cls, n_items: int) -> ItemCounts:
        """Nothing was chosen."""
        nothing = np.zeros(n_items, dtype=np.int64)
        return cls(nothing, nothing.astype(np.float64), nothing, nothing)


def _forgotten(
    days: NDArray[np.float64] | None, n_events: int, rate: float | None
) -> NDArray[np.float64]:
    """What each event counts; one without a day counts as much as the others on average."""
    if days is None or rate is None or np.isnan(days).all():
        return np.ones(n_events)
    weights = np.exp((days - np.nanmax(days)) / rate)
    known: NDArray[np.float64] = np.where(np.isnan(weights), np.nanmean(weights), weights)
    return known


def first_in_session(histories: Histories) -> NDArray[np.bool_]:
    """Whether an event is the first of its item in its session, ``bool[E]``."""
    items = np.asarray(histories.items, dtype=np.int64)
    session = np.cumsum(histories.begins_session) - 1
    _, at = np.unique(session * (items.max(initial=0) + 1) + items, return_index=True)
    first = np.zeros(len(items), dtype=bool)
    first[at] = True
    return first
