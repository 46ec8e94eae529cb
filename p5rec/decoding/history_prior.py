"""A learned bias of each child by how the user's own history and the whole log fell under it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from p5rec.decoding.history_index import Forgetting, HistoryFeatures
from p5rec.decoding.trie import Trie


class Contexts(Protocol):
    """What walks are conditioned on besides their prompts: a bias of each child."""

    def bias(self, *, level: int, context: Tensor, first: Tensor, width: Tensor) -> Tensor:
        """What is added to the logits of each row's children.

        :param context: the context of each row, ``int64[R]``.
        :param first: the first child of each row's node, ``int64[R]``.
        :param width: how many children each row's node has, ``int64[R]``.
        :return: ``float[R, W]`` with ``W`` the largest width; meaningless past a row's own width.
        """


@dataclass(frozen=True)
class SparseBiases:
    """Biases of some (context, node) pairs, level by level; those of all others are zero.

    ``keys[level]`` holds ``context * n_nodes[level] + node`` in ascending order, ``biases[level]``
    goes with it.
    """

    keys: Sequence[Tensor]
    biases: Sequence[Tensor]
    n_nodes: Sequence[int]

    def add_to(
        self, bias: Tensor, *, level: int, context: Tensor, first: Tensor, width: Tensor
    ) -> Tensor:
        """``bias`` (``float[R, W]``) with these added; the rest is as in :meth:`Contexts.bias`."""
        keys = self.keys[level]
        start_key = context * self.n_nodes[level] + first
        low = torch.searchsorted(keys, start_key)
        found = torch.searchsorted(keys, start_key + width) - low
        row = torch.repeat_interleave(found)
        pair = torch.arange(len(row), device=row.device) + (low - found.cumsum(0) + found)[row]
        column = keys[pair] - start_key[row]
        return bias.index_put((row, column), self.biases[level][pair], accumulate=True)


@dataclass(frozen=True)
class HistoryContexts:
    """The histories that walks are conditioned on; built by :meth:`HistoryPrior.contexts`."""

    prior: HistoryPrior
    histories: SparseBiases

    def bias(self, *, level: int, context: Tensor, first: Tensor, width: Tensor) -> Tensor:
        """As in :class:`Contexts`."""
        return self.prior.bias(self, level=level, context=context, first=first, width=width)


class HistoryPrior(nn.Module):
    """At each level, a child's logit gets a weighted sum of what is known of it beforehand.

    The history features of :class:`HistoryIndex` (zero where the history holds nothing under the
    child) and the logarithm of one plus how often the child was chosen in the training events
    (``popularity``), each with one learned weight a level. Weights of the history start at zero,
    that of popularity at one.
    """

    POPULARITY = "popularity"

    def __init__(self, trie: Trie, forgetting: Forgetting, counts: NDArray[np.int64]) -> None:
        """``counts``: how often each catalogue row occurs in the training events, ``[n_items]``."""
        super().__init__()
        self.forgetting = forgetting
        self.n_nodes = tuple(trie.n_nodes(d) for d in range(1, trie.depth + 1))
        self.history = nn.Parameter(torch.zeros(trie.depth, len(forgetting.names)))
        self.popularity = nn.Parameter(torch.ones(trie.depth))
        in_leaf_order = np.append(0, np.cumsum(counts[trie.item_of_leaf]))
        for depth in range(1, trie.depth + 1):
            under = np.diff(in_leaf_order[trie.leaf_start[depth]])
            log_count = torch.from_numpy(np.log1p(under).astype(np.float32))
            self.register_buffer(f"log_count_{depth}", log_count)

    def contexts(self, features: HistoryFeatures) -> HistoryContexts:
        """The biases that ``features`` give with the present weights (differentiable)."""
        device = self.history.device
        biases = SparseBiases(
            [torch.from_numpy(keys).to(device) for keys in features.keys],
            [
                torch.from_numpy(values).to(device) @ self.history[level]
                for level, values in enumerate(features.values)
            ],
            self.n_nodes,
        )
        return HistoryContexts(self, biases)

    def bias(
        self,
        contexts: HistoryContexts,
        *,
        level: int,
        context: Tensor,
        first: Tensor,
        width: Tensor,
    ) -> Tensor:
        """What is added to the logits of each row's children; as in :class:`Contexts`."""
        columns = torch.arange(int(width.max()), device=first.device)
        log_count: Tensor = getattr(self, f"log_count_{level + 1}")
        children = (first[:, None] + columns).clamp_(max=len(log_count) - 1)
        bias = self.popularity[level] * log_count[children]
        return contexts.histories.add_to(
            bias, level=level, context=context, first=first, width=width
        )

    def weights(self) -> dict[int, dict[str, float]]:
        """The learned weights by level (from 0) and feature name, for reports."""
        table = {}
        for level, row in enumerate(self.history.detach().tolist()):
            named = dict(zip(self.forgetting.names, row, strict=True))
            named[self.POPULARITY] = float(self.popularity[level].detach())
            table[level] = named
        return table
