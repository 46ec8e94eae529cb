"""Sessions of histories as what is to be foreseen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.evaluation.metrics import ideal_gain

IntArray = NDArray[np.int64]

LIST = 10
"""A target counts what finding it is worth to ndcg in a list as long as this."""


class Sessions:
    """The sessions of all users, in order; a session's items are targets at the moment before it.

    ``user`` and ``past`` tell whose each session is and how many events that user has before it;
    session ``s`` is made of the events ``start[s]`` to ``start[s + 1]``. ``learnt`` lists the
    sessions that are targets.

    A target weighs one over the ideal gain of a session of that size, which is what ndcg makes of a
    hit on it. Were each session to weigh the same, what is chosen alone would take the first
    places; were each target, large sessions would drown the rest.

    :param newest: only so many of each user's newest sessions are targets; all by default.
    """

    def __init__(self, histories: Histories, *, newest: int | None = None) -> None:
        begins = np.flatnonzero(histories.begins_session)
        self._items = np.asarray(histories.items, dtype=np.int64)
        self.start: IntArray = np.append(begins, len(self._items))
        sizes = np.arange(1, np.diff(self.start).max(initial=1) + 1)
        self._gain = [0.0, *ideal_gain(sizes, k=LIST).tolist()]
        self.user: IntArray = histories.user_of_event[begins]
        self.past: IntArray = begins - np.asarray(histories.offsets, dtype=np.int64)[self.user]
        later = np.searchsorted(self.user, self.user, side="right")
        left = later - np.arange(len(later))
        self.learnt: IntArray = np.flatnonzero(left <= (newest or len(left)))

    def targets(self, session: int, most: int, rng: np.random.Generator) -> tuple[list[int], float]:
        """The distinct items of a session, or ``most`` of them, and what each weighs.

        They are drawn anew each time; those that are left out are stood in for.
        """
        distinct = np.unique(self._items[self.start[session] : self.start[session + 1]])
        worth = len(distinct) / self._gain[len(distinct)]
        if len(distinct) > most:
            distinct = rng.choice(distinct, most, replace=False)
        picked: list[int] = distinct.tolist()
        return picked, worth / len(picked)
