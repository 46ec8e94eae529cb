"""The exact mode: every item of the catalogue scored, for small catalogues, tests and reports."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from p5rec.decoding.contexts import Contexts
from p5rec.decoding.scorer import ItemScorer
from p5rec.model.prompt_batch import PromptBatch

CHUNK = 128
"""Items scored at once after one prompt; memory grows with its square."""


@torch.inference_mode()
def score_catalogue(
    scorer: ItemScorer, prompts: PromptBatch, *, contexts: Contexts | None = None
) -> NDArray[np.float64]:
    """The log-probability of every item after every prompt, ``float64[B, n_items]``.

    :raises DecodingError: if a score is not finite.
    """
    n_items = scorer.trie.n_items
    scores = np.empty((len(prompts.lengths), n_items))
    for prompt in range(len(scores)):
        for items in torch.split(torch.arange(n_items, device=prompts.ids.device), CHUNK):
            rows = torch.full_like(items, prompt)
            found = scorer.score(prompts, rows, items, context=rows, contexts=contexts)
            scores[prompt, items.cpu().numpy()] = found.cpu().numpy()
    return scores
