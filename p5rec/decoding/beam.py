"""Beam search over the prefix trie: items with their log-probabilities, best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.decoding.history_prior import Contexts
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.errors import DecodingError
from p5rec.model.backbone import PromptBatch

TIE = 1e-12
"""Scores closer than this times the distance of two leaves are in the order of the leaves."""


class Excluded:
    """Items that each prompt of a batch may not get, as sorted (prompt, leaf) keys."""

    def __init__(self, trie: Trie, items: Sequence[NDArray[np.int64]]) -> None:
        """``items``: the catalogue rows that each prompt excludes, repeats allowed."""
        keys = [
            prompt * trie.n_items + np.unique(trie.leaf_of_item[rows])
            for prompt, rows in enumerate(items)
        ]
        self.n_items = trie.n_items
        self.keys = torch.from_numpy(np.concatenate([np.empty(0, np.int64), *keys]))

    def under(self, low: Tensor, high: Tensor) -> Tensor:
        """How many excluded leaves lie in ``[low, high)`` for each prompt, ``int64[B, …]``."""
        shift = torch.arange(len(low)).view(-1, *[1] * (low.dim() - 1)) * self.n_items
        keys = self.keys
        return torch.searchsorted(keys, shift + high) - torch.searchsorted(keys, shift + low)


@dataclass(frozen=True)
class Found:
    """What a search found: ``items`` ``int64[B, k]`` (-1 is no item) and ``scores`` ``[B, k]``."""

    items: NDArray[np.int64]
    scores: NDArray[np.float64]


@torch.inference_mode()
def beam_search(
    scorer: ItemScorer,
    prompts: PromptBatch,
    *,
    k: int,
    beams: int,
    contexts: Contexts | None = None,
    excluded: Excluded | None = None,
) -> Found:
    """The ``k`` most probable items after each prompt.

    Every level keeps the ``beams`` best nodes that still have an eligible item under them, so no
    walk ends nowhere. Scores are log-probabilities over the whole catalogue. With ``beams`` at
    least the widest level of the trie the result is exact; ties are in the order of the leaves.
    Fewer eligible items than ``k`` leave -1 in ``items`` and ``-inf`` in ``scores``.

    :param contexts: the histories, one a prompt; without them the history prior is left out.
    :raises DecodingError: if the model gives a score that is not finite.
    """
    n_prompts, trie = len(prompts.lengths), scorer.trie
    state, hidden = scorer.backbone.begin(prompts)
    nodes = torch.zeros(n_prompts, 1, dtype=torch.int64, device=hidden.device)
    scores = torch.zeros(n_prompts, 1, dtype=torch.float64, device=hidden.device)
    for level in range(trie.depth):
        last = level == trie.depth - 1
        children, totals = _children(scorer, level, nodes, hidden, scores, contexts)
        totals = totals.masked_fill(~_eligible(trie, level + 1, children, excluded), -torch.inf)
        keep = min(max(k, beams) if not last else k, totals.shape[1] * totals.shape[2])
        order = (totals - TIE * children).flatten(1).topk(keep, dim=1).indices
        parents = order // totals.shape[2]
        scores = totals.flatten(1).gather(1, order)
        nodes = children.flatten(1).gather(1, order)
        if not last:
            hidden = scorer.backbone.extend(state, parents, scorer.tokens_of_nodes(level, nodes))
    return _found(trie, nodes, scores, k)


def _children(
    scorer: ItemScorer,
    level: int,
    nodes: Tensor,
    hidden: Tensor,
    scores: Tensor,
    contexts: Contexts | None,
) -> tuple[Tensor, Tensor]:
    """The children of all open walks and their scores, both ``[B, S, W]``."""
    n_prompts, slots = nodes.shape
    prompt = torch.arange(n_prompts, device=nodes.device).repeat_interleave(slots)
    log_probs = scorer.child_log_probs(
        level, nodes.flatten(), hidden.flatten(0, 1), context=prompt, contexts=contexts
    ).view(n_prompts, slots, -1)
    if torch.isnan(log_probs).any() or torch.isposinf(log_probs).any():
        raise DecodingError(
            "the model gave a score that is not finite. Its weights are damaged or training "
            "diverged; load another bundle or train again with a lower learning rate."
        )
    first, _ = scorer.children_of(level, nodes)
    children = first[..., None] + torch.arange(log_probs.shape[2], device=nodes.device)
    children = children.clamp(max=scorer.trie.n_nodes(level + 1) - 1)
    return children, scores[..., None] + log_probs.to(torch.float64)


def _eligible(trie: Trie, depth: int, nodes: Tensor, excluded: Excluded | None) -> Tensor:
    """Whether at least one item under each node may be returned, like ``nodes``."""
    if excluded is None:
        return torch.ones_like(nodes, dtype=torch.bool)
    leaf_start = torch.from_numpy(trie.leaf_start[depth])
    low, high = leaf_start[nodes.cpu()], leaf_start[nodes.cpu() + 1]
    return (high - low > excluded.under(low, high)).to(nodes.device)


def _found(trie: Trie, leaves: Tensor, scores: Tensor, k: int) -> Found:
    items = trie.item_of_leaf[leaves.cpu().numpy()]
    scores_out = scores.cpu().numpy()
    items[np.isneginf(scores_out)] = -1
    missing = ((0, 0), (0, k - items.shape[1]))
    return Found(
        np.pad(items, missing, constant_values=-1),
        np.pad(scores_out, missing, constant_values=-np.inf),
    )
