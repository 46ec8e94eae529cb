"""Examples for the history prior by itself: moments of histories, without prompts."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from p5rec.decoding.history_index import HistoryIndex
from p5rec.decoding.nearness import REACH
from p5rec.training.batch import Plan, PriorBatch
from p5rec.training.sessions import Sessions

IntArray = NDArray[np.int64]

POSITIONS = 16
"""What a moment counts for in a batch beside the events whose companions are looked at."""


class PriorExamples:
    """Each session from the events before it.

    :param targets: at most so many items of a session are learnt at once.
    """

    def __init__(self, sessions: Sessions, index: HistoryIndex, *, targets: int) -> None:
        self._sessions = sessions
        self._index = index
        self._targets = targets

    def plan(self, rng: np.random.Generator) -> Plan:
        """All sessions; what is drawn at random is drawn batch by batch."""
        past = self._sessions.past[self._sessions.learnt]
        return Plan(np.minimum(past, REACH) + POSITIONS, self._batch)

    def _batch(self, chosen: IntArray, rng: np.random.Generator) -> PriorBatch:
        sessions = self._sessions.learnt[chosen]
        drawn, weights = zip(
            *(self._sessions.targets(session, self._targets, rng) for session in sessions.tolist()),
            strict=True,
        )
        size = torch.tensor([len(items) for items in drawn])
        return PriorBatch(
            self._index.features(self._sessions.user[sessions], self._sessions.past[sessions]),
            context=torch.repeat_interleave(torch.arange(len(drawn)), size),
            items=torch.tensor([item for items in drawn for item in items]),
            weights=torch.repeat_interleave(torch.tensor(weights), size),
        )
