"""A history that grows: what was encoded for the last request is not encoded again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor
from typing_extensions import Unpack, override

from p5rec.data.events import Event, Histories, History
from p5rec.decoding.beam import begin
from p5rec.decoding.next_item import NextItemRanker
from p5rec.decoding.wanted import Wanted
from p5rec.model.backbone import Version
from p5rec.model.key_value_cache import Prefix
from p5rec.model.prompt_batch import EncodedPrompt, PromptBatch
from p5rec.model.walk_state import WalkState

Answer = TypeVar("Answer")


class Following(NextItemRanker):
    """Ranks for one user, request after request, encoding the new events alone.

    Once a history is longer than the prompt may be, its oldest events leave half a prompt at a
    time and not one by one: the positions of the others then stay, and so does what was encoded.
    Up to that length the answers are those of the ranker that it was made from.

    For causal models; an encoder-decoder reads each prompt anew. Not for several threads.
    """

    def __init__(self, ranker: NextItemRanker) -> None:
        super().__init__(
            ranker.scorer, ranker.encoder, ranker.head, history=ranker.history, beams=ranker.beams
        )
        self._version: Version | None = None
        self._known: Prefix | None = None

    @override
    def prompts(self, histories: Histories) -> list[EncodedPrompt]:
        items = np.asarray(histories.items, dtype=np.int64)
        half = max(1, self.history // 2)
        found = []
        for user in range(len(histories)):
            own = items[histories.slice(user)]
            start = max(0, -(-(len(own) - self.history) // half)) * half
            found.append(np.concatenate([self.head, self.encoder.items(own[start:])]))
        return found

    @override
    def _begin(self, prompts: Sequence[EncodedPrompt], *, own: bool) -> tuple[WalkState, Tensor]:
        if not own or len(prompts) > 1:
            return super()._begin(prompts, own=own)
        backbone, (prompt,) = self.scorer.backbone, prompts
        prefix = None
        if self._known is not None and self._version == backbone.version:
            prefix = self._known.shared(prompt)
        batch = PromptBatch.from_prompts([prompt]).to(backbone.device)
        # What is known lies where this walk writes; should it fail, nothing is known any more.
        self._known = None
        state, hidden = begin(self.scorer, batch, prefix)
        self._known = backbone.remember(prompt, state, alone=True)
        self._version = backbone.version
        return state, hidden


class Followed(Generic[Answer]):
    """One user, followed from event to event; made by ``Recommender.follow``.

    ::

        user = recommender.follow(["oats", "milk"])
        user.recommend(k=5)
        user.add("honey").recommend(k=5)  # encodes one event
    """

    def __init__(
        self,
        history: History,
        answer: Callable[[History, int, Wanted], Answer],
    ) -> None:
        """``answer`` recommends after a history; it is asked anew at each :meth:`recommend`."""
        self._events = list(history)
        self._answer = answer

    @property
    def history(self) -> list[str | Event]:
        """All events so far, oldest first."""
        return list(self._events)

    def add(self, event: str | Event) -> Followed[Answer]:
        """The newest event; returns itself."""
        self._events.append(event)
        return self

    def recommend(self, *, k: int = 10, **wanted: Unpack[Wanted]) -> Answer:
        """What comes next now: what ``Recommender.recommend`` says of the whole history.

        Once the history is longer than the recipe lets a prompt be, its beginning is left out half
        a prompt at a time, and the two may differ.
        """
        return self._answer(self._events, k, wanted)
