"""From histories to what comes next: prompts, contexts and the walk put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.decoding.beam import Excluded, Found, beam_search
from p5rec.decoding.history_index import HistoryIndex
from p5rec.decoding.history_prior import Contexts
from p5rec.decoding.scorer import ItemScorer
from p5rec.model.backbone import EncodedPrompt, PromptBatch
from p5rec.model.prompt_encoding import PromptEncoder

IntArray = NDArray[np.int64]

BATCH = 64
"""Histories walked side by side."""


@dataclass
class NextItemRanker:
    """Ranks and scores items as the next of each history.

    :param head: the encoded template up to where the history begins.
    :param history: how many of the newest events the prompt shows; the history prior sees all.
    :param beams: width of the search, at least the ``k`` asked for.
    """

    scorer: ItemScorer
    encoder: PromptEncoder
    head: EncodedPrompt
    history: int
    beams: int

    def search(
        self,
        histories: Histories,
        *,
        k: int,
        beams: int | None = None,
        excluded: Sequence[IntArray] | None = None,
    ) -> Found:
        """The best ``k`` items for each history.

        :param excluded: catalogue rows that each history may not get.
        """
        batches = [
            beam_search(
                self.scorer,
                self._prompts(part),
                k=k,
                beams=max(k, beams or self.beams),
                contexts=self._contexts(part),
                excluded=None
                if excluded is None
                else Excluded(self.scorer.trie, [excluded[user] for user in users.tolist()]),
            )
            for users, part in _batches(histories)
        ]
        return Found(
            np.concatenate([np.empty((0, k), np.int64), *(found.items for found in batches)]),
            np.concatenate([np.empty((0, k)), *(found.scores for found in batches)]),
        )

    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> IntArray:
        """Catalogue rows ``int64[U, k]``, best first, -1 where nothing is left."""
        excluded = None
        if exclude_history:
            items = np.asarray(histories.items)
            excluded = [items[histories.slice(user)] for user in range(len(histories))]
        return self.search(histories, k=k, excluded=excluded).items

    @torch.inference_mode()
    def score(self, histories: Histories, items: IntArray) -> NDArray[np.float64]:
        """Log-probability of ``items[u]`` as the next item of history ``u``, ``float64[U]``."""
        scores = np.empty(len(histories))
        for users, part in _batches(histories):
            wanted = torch.from_numpy(items[users])
            rows = torch.arange(len(users))
            found = self.scorer.score(
                self._prompts(part), rows, wanted, context=rows, contexts=self._contexts(part)
            )
            scores[users] = found.cpu().numpy()
        return scores

    def _prompts(self, histories: Histories) -> PromptBatch:
        items = np.asarray(histories.items, dtype=np.int64)
        newest = [items[histories.slice(user)][-self.history :] for user in range(len(histories))]
        prompts = [np.concatenate([self.head, self.encoder.items(rows)]) for rows in newest]
        return PromptBatch.from_prompts(prompts).to(self.scorer.backbone.device)

    def _contexts(self, histories: Histories) -> Contexts | None:
        prior = self.scorer.prior
        if prior is None:
            return None
        index = HistoryIndex(histories, self.scorer.trie, prior.forgetting)
        return prior.contexts(index.features(np.arange(len(histories)), histories.lengths))


def _batches(histories: Histories) -> Iterator[tuple[IntArray, Histories]]:
    for start in range(0, len(histories), BATCH):
        users = np.arange(start, min(start + BATCH, len(histories)))
        yield users, histories.take(users)
