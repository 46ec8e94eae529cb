"""Examples of what comes next, cut from histories."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.decoding.history_index import HistoryIndex
from p5rec.model.prompt_batch import EncodedPrompt, PromptBatch
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.training.batch import Plan, WalkBatch
from p5rec.training.sessions import Sessions

IntArray = NDArray[np.int64]

MOST_BEFORE = 16
"""Fewer words than this are put before a head that is read loosely: others may be as long."""


@dataclass(frozen=True)
class Windows:
    """Stretches of histories: the prompt shows events ``start … end - 1`` of the log, and the
    sessions ``first … last - 1`` (counted over all users) are to be foreseen, each from the events
    of the prompt before it.
    """

    user: IntArray
    start: IntArray
    end: IntArray
    first: IntArray
    last: IntArray


class NextItemExamples:
    """Cuts histories into windows and turns windows into batches.

    A session's items are all targets at the position before the session: what comes first inside
    it is arbitrary. Where each event is a session of its own, this is next-item prediction.

    :param heads: for each user the encoded prompts to choose from, up to where the history begins.
        A batch takes the same choice for all, so that what prompts share is encoded once.
    :param sequence: ``every-event``: windows of ``history`` events that overlap by half, each
        session foreseen once; ``prefix``: one window a session, ending just before it.
    :param targets: at most so many items of a session are learnt at once, drawn anew each time.
    :param index: of the history prior, where it learns from the same steps.
    :param loosely: in this share of the batches the words before the history are left out, changed
        for others or more at random, so that what comes next does not hang on how it is asked.
    """

    def __init__(
        self,
        histories: Histories,
        sessions: Sessions,
        index: HistoryIndex | None,
        encoder: PromptEncoder,
        heads: Sequence[Sequence[EncodedPrompt]],
        *,
        sequence: Literal["every-event", "prefix"],
        history: int,
        targets: int,
        depth: int,
        loosely: float = 0.0,
    ) -> None:
        self._items = np.asarray(histories.items, dtype=np.int64)
        self._offsets = np.asarray(histories.offsets, dtype=np.int64)
        self._index = index
        self._encoder = encoder
        self._heads = heads
        self._longest_head = np.array([max(map(len, choice)) for choice in heads], dtype=np.int64)
        self._sequence = sequence
        self._history = history
        self._targets = targets
        self._steps = depth - 1
        self._positions_an_item = len(encoder.items(np.zeros(1, dtype=np.int64)))
        self._sessions = sessions
        self._loosely = loosely
        tokenizer = encoder.tokenizer
        self._words = np.setdiff1d(np.arange(tokenizer.size), list(tokenizer.reserved))

    def plan(self, rng: np.random.Generator) -> Plan:
        """The windows of one epoch; where they begin is random."""
        windows = Windows(*self._cut(rng))
        return Plan(self._lengths(windows), partial(self._batch, windows))

    def _cut(self, rng: np.random.Generator) -> tuple[IntArray, ...]:
        """User, start, end, first and last of each window."""
        sessions = self._sessions.learnt
        user, end = self._sessions.user[sessions], self._sessions.start[sessions]
        if self._sequence == "prefix":
            start = np.maximum(end - self._history, self._offsets[user])
            return user, start, end, sessions, sessions + 1
        stride = max(1, self._history // 2)
        phase = rng.integers(0, stride, size=len(self._offsets) - 1)
        past = self._sessions.past[sessions]
        number = np.maximum(0, -(-(past - self._history + phase[user]) // stride))
        new = np.ones(len(sessions), dtype=bool)
        new[1:] = (np.diff(number) != 0) | (np.diff(user) != 0)
        opening = np.flatnonzero(new)
        closing = np.append(opening[1:], len(sessions)) - 1
        user, end = user[closing], end[closing]
        start = np.maximum(self._offsets[user], end - self._history)
        return user, start, end, sessions[opening], sessions[closing] + 1

    def _lengths(self, windows: Windows) -> IntArray:
        sizes = np.minimum(np.diff(self._sessions.start), self._targets)
        walks = np.append(0, np.cumsum(sizes))
        walked = (walks[windows.last] - walks[windows.first]) * self._steps
        shown = (windows.end - windows.start) * self._positions_an_item
        lengths: IntArray = self._longest_head[windows.user] + shown + walked
        return lengths

    def _batch(self, windows: Windows, chosen: IntArray, rng: np.random.Generator) -> WalkBatch:
        prompts, walks = [], []
        users: list[int] = []
        ends: list[int] = []
        weights: list[float] = []
        draw = int(rng.integers(2**32))
        reading = self._reading(rng)
        for row, window in enumerate(chosen.tolist()):
            user, start = windows.user[window], windows.start[window]
            head = reading(self._heads[user][draw % len(self._heads[user])])
            events = self._encoder.items(self._items[start : windows.end[window]])
            prompts.append(np.concatenate([head, events]))
            for session in range(windows.first[window], windows.last[window]):
                begin = self._sessions.start[session]
                position = len(head) - 1 + (begin - start) * self._positions_an_item
                targets, weight = self._sessions.targets(session, self._targets, rng)
                walks += [(row, position, item, len(users)) for item in targets]
                weights += [weight] * len(targets)
                users.append(user)
                ends.append(self._sessions.past[session])
        table = torch.tensor(walks, dtype=torch.int64)
        features = None
        if self._index is not None:
            features = self._index.features(np.array(users), np.array(ends))
        return WalkBatch(
            prompts=PromptBatch.from_prompts(prompts),
            rows=table[:, 0],
            positions=table[:, 1],
            items=table[:, 2],
            weights=torch.tensor(weights),
            features=features,
            context=table[:, 3],
        )

    def _reading(self, rng: np.random.Generator) -> Callable[[EncodedPrompt], EncodedPrompt]:
        """How a batch reads its heads: as they are, or loosely, all of them in the same way."""
        if rng.random() >= self._loosely:
            return lambda head: head
        longest = int(self._longest_head.max())
        before = self._encoder.text(
            rng.choice(self._words, size=rng.integers(MOST_BEFORE)).tolist()
        )
        kept = rng.random(longest) < rng.random()
        changed = rng.random(longest) < rng.random()
        words = rng.choice(self._words, size=longest)

        def read(head: EncodedPrompt) -> EncodedPrompt:
            found = head.copy()
            here = changed[: len(head)] & np.isin(head[:, 0], self._words)
            found[here, 0] = words[: len(head)][here]
            left = kept[: len(head)].copy()
            left[-1] = True  # where there is no event yet, something must stand before the target
            return np.concatenate([before, found[left]])

        return read
