"""Examples of requests, some of them after what the person has chosen."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.language.request_prompt import SHOWN, request_templates, request_values
from p5rec.language.request_text import request_text
from p5rec.training.batch import Plan, WalkBatch
from p5rec.training.language_examples import POSITIONS_OF_ITEM, Words, pick, rows_with_text

IntArray = NDArray[np.int64]

AFTER_HISTORY = 1 / 3
"""Share of the requests that stand after a history, where the item has one."""


class RequestExamples:
    """Words of an item, as a customer might put them → the item.

    The history that stands before some of them is one of those in which the item was chosen, up to
    the session in which it was.
    """

    def __init__(self, words: Words, histories: Histories) -> None:
        self._words = words
        self._alone = request_templates(words.templates, after=False)
        self._after = request_templates(words.templates, after=True)
        self._rows = rows_with_text(words.catalogue)
        self._choices = _Choices(histories)
        self._positions = len(words.encoder.items(np.zeros(1, dtype=np.int64)))

    def plan(self, rng: np.random.Generator) -> Plan:
        """Each item with words once."""
        rows = rng.permutation(self._rows)
        events = self._choices.of_items(rows, rng)
        shown = rng.random(len(rows)) < AFTER_HISTORY if self._after else np.zeros(len(rows), bool)
        events = np.where(shown, events, -1)
        lengths = POSITIONS_OF_ITEM + self._positions * self._choices.lengths(events)
        return Plan(lengths, partial(self._batch, rows, events))

    def _batch(
        self, rows: IntArray, events: IntArray, chosen: IntArray, rng: np.random.Generator
    ) -> WalkBatch:
        prompts = []
        for row, event in zip(rows[chosen].tolist(), events[chosen].tolist(), strict=True):
            history = self._choices.before(event)
            template = pick(self._after if history else self._alone, rng)
            text = request_text(self._words.catalogue, row, rng)
            prompts.append(self._words.prompt(template, request_values(text, history)))
        return WalkBatch.one_each(prompts, rows[chosen].tolist())


class _Choices:
    """The events of each item that have a session before theirs, and what came before; -1: none."""

    def __init__(self, histories: Histories) -> None:
        self._items = np.asarray(histories.items, dtype=np.int64)
        begins = histories.begins_session
        self._end = np.flatnonzero(begins)[np.cumsum(begins) - 1]
        first = np.asarray(histories.offsets, dtype=np.int64)[histories.user_of_event]
        self._start = np.maximum(first, self._end - SHOWN)
        late = np.flatnonzero(self._end > self._start)
        self._events = late[np.argsort(self._items[late], kind="stable")]

    def of_items(self, rows: IntArray, rng: np.random.Generator) -> IntArray:
        """One of the events of each item, drawn at random."""
        items = self._items[self._events]
        first, last = np.searchsorted(items, rows), np.searchsorted(items, rows, side="right")
        drawn = first + (rng.random(len(rows)) * (last - first)).astype(np.int64)
        return np.where(last > first, np.append(self._events, -1)[drawn], -1)

    def lengths(self, events: IntArray) -> IntArray:
        """How many events are shown before each."""
        return np.where(events >= 0, np.append(self._end - self._start, 0)[events], 0)

    def before(self, event: int) -> list[int]:
        """The items of the events that are shown before one."""
        if event < 0:
            return []
        shown: list[int] = self._items[self._start[event] : self._end[event]].tolist()
        return shown
