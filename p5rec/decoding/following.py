"""A history that grows: what was encoded for the last request is not encoded again."""

from __future__ import annotations

import numpy as np
import torch

from p5rec.data.events import Histories
from p5rec.decoding.beam import Found, begin, walk_on
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.next_item import NextItemRanker
from p5rec.decoding.strategies import Strategy
from p5rec.model.backbone import EncodedPrompt, Prefix, PromptBatch


class Following:
    """Answers request after request of one user, encoding the new events alone.

    Once a history is longer than the prompt may be, its oldest events leave half a prompt at a
    time and not one by one: the positions of the others then stay, and so does what was encoded.
    Up to that length the answers are those of :meth:`NextItemRanker.search`.

    For causal models; an encoder-decoder reads each prompt anew. Not for several threads.
    """

    def __init__(self, ranker: NextItemRanker) -> None:
        self._ranker = ranker
        self._version = -1
        self._known: Prefix | None = None

    def prompt(self, histories: Histories) -> EncodedPrompt:
        """The prompt of the only history in ``histories``."""
        items = np.asarray(histories.items, dtype=np.int64)
        most = self._ranker.history
        half = max(1, most // 2)
        start = max(0, -(-(len(items) - most) // half)) * half
        return np.concatenate([self._ranker.head, self._ranker.encoder.items(items[start:])])

    @torch.inference_mode()
    def search(
        self,
        histories: Histories,
        *,
        k: int,
        strategy: Strategy | None = None,
        excluded: Excluded | None = None,
    ) -> Found:
        """The best ``k`` items for the only history in ``histories``."""
        ranker, backbone = self._ranker, self._ranker.scorer.backbone
        prompt = self.prompt(histories)
        prefix = None
        if self._known is not None and self._version == backbone.version:
            prefix = self._known.shared(prompt)
        prompts = PromptBatch.from_prompts([prompt]).to(backbone.device)
        state, hidden = begin(ranker.scorer, prompts, prefix)
        self._known = backbone.remember(prompt, state, alone=True)
        self._version = backbone.version
        chooser = (strategy or Strategy()).chooser(k, beams=ranker.beams, seeds=[0])
        return walk_on(
            ranker.scorer,
            state,
            hidden,
            chooser,
            k=k,
            contexts=ranker.contexts(histories),
            excluded=excluded,
        )
