"""When and how regularly a user has chosen each item of their own history."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.data.item_counts import first_in_session

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

HABITS = (
    "sessions",
    "share of sessions",
    "idle sessions",
    "idle days",
    "again",
    "interval sessions",
    "interval days",
    "due sessions",
    "due days",
    "history sessions",
    "history events",
    "history items",
)
"""Names of the features, in order.

Of one item: in how many sessions it was chosen and in what share of them; how many sessions and
days ago last; whether in more than one session and, if so, how many sessions and days lie between
two of them on average and how much of that has passed. Of the whole history: its sessions, events
and distinct items. Counts, days and intervals as logarithms of one more than them.
"""

GRACE = 2.0
"""Days added to an interval and to what has passed of it: a day sooner or later says little."""

LONGEST_DUE = 3.0


@dataclass(frozen=True)
class Past:
    """Contexts taken apart: each event and each distinct item (a cell) of their pasts.

    ``context``, ``event``, ``cell``: of each past event, in order of time within a context;
    ``ends``: how many past events each context has; ``context_of_cell``.
    """

    context: IntArray
    event: IntArray
    cell: IntArray
    ends: IntArray
    context_of_cell: IntArray


class Habits:
    """Prepares histories once, so that habits at any moment of them are quick to get."""

    def __init__(self, histories: Histories) -> None:
        self._session = np.asarray(histories.sessions, dtype=np.int64)
        self.opens = first_in_session(histories)
        self._days = histories.days

    def features(self, past: Past) -> FloatArray:
        """``float32[cells, len(HABITS)]``; zero where a cell has no past event."""
        cells, contexts = len(past.context_of_cell), len(past.ends)
        first, last = np.zeros(cells, dtype=np.int64), np.zeros(cells, dtype=np.int64)
        last[past.cell] = past.event
        first[past.cell[::-1]] = past.event[::-1]
        newest, oldest = (np.zeros(contexts, dtype=np.int64) for _ in range(2))
        newest[past.context] = past.event
        oldest[past.context[::-1]] = past.event[::-1]
        newest, oldest = newest[past.context_of_cell], oldest[past.context_of_cell]
        opens = self.opens[past.event]
        sessions = np.bincount(past.cell[opens], minlength=cells)
        n_items = np.bincount(past.context_of_cell[sessions > 0], minlength=contexts)
        made = self._session[newest] - self._session[oldest] + 1
        again = sessions > 1
        idle = self._session[newest] - self._session[last]
        every = (self._session[last] - self._session[first]) / np.maximum(sessions - 1, 1)
        idle_days, every_days = self._in_days(newest, last, first, sessions)
        columns = (
            np.log1p(sessions),
            sessions / made,
            np.log1p(idle),
            np.log1p(idle_days),
            again,
            again * np.log1p(every),
            again * np.log1p(every_days),
            again * np.minimum((idle + 1) / (every + 1), LONGEST_DUE),
            again * np.minimum((idle_days + GRACE) / (every_days + GRACE), LONGEST_DUE),
            np.log1p(made),
            np.log1p(past.ends[past.context_of_cell]),
            np.log1p(n_items[past.context_of_cell]),
        )
        return np.stack(columns, axis=1).astype(np.float32)

    def _in_days(
        self, newest: IntArray, last: IntArray, first: IntArray, sessions: IntArray
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Days since each cell's last event, and between two sessions of it; 0 where unknown."""
        if self._days is None:
            return np.zeros(len(last)), np.zeros(len(last))
        idle = self._days[newest] - self._days[last]
        span = self._days[last] - self._days[first]
        return (
            np.maximum(np.nan_to_num(idle), 0),
            np.maximum(np.nan_to_num(span), 0) / np.maximum(sessions - 1, 1),
        )
