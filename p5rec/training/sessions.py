"""Sessions of histories as what is to be foreseen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories

IntArray = NDArray[np.int64]


class Sessions:
    """The sessions of all users, in order; a session's items are targets at the moment before it.

    ``user`` and ``past`` tell whose each session is and how many events that user has before it;
    session ``s`` is made of the events ``start[s]`` to ``start[s + 1]``. ``learnt`` lists the
    sessions that are targets.

    :param newest: only so many of each user's newest sessions are targets; all by default.
    """

    def __init__(self, histories: Histories, *, newest: int | None = None) -> None:
        begins = np.flatnonzero(histories.begins_session)
        self._items = np.asarray(histories.items, dtype=np.int64)
        self.start: IntArray = np.append(begins, len(self._items))
        self.user: IntArray = histories.user_of_event[begins]
        self.past: IntArray = begins - np.asarray(histories.offsets, dtype=np.int64)[self.user]
        later = np.searchsorted(self.user, self.user, side="right")
        left = later - np.arange(len(later))
        self.learnt: IntArray = np.flatnonzero(left <= (newest or len(left)))

    def targets(self, session: int, most: int, rng: np.random.Generator) -> list[int]:
        """The distinct items of a session, or ``most`` of them, drawn anew each time."""
        distinct = np.unique(self._items[self.start[session] : self.start[session + 1]])
        if len(distinct) > most:
            distinct = rng.choice(distinct, most, replace=False)
        picked: list[int] = distinct.tolist()
        return picked
