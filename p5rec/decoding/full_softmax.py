"""Walks that follow one softmax over the whole catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

LEAST = 1e-30
"""Keeps the logarithm of a probability finite."""


@dataclass(frozen=True)
class ItemProbabilities:
    """The probability of every item in each context, as walks need it: node by node.

    A node is as likely as the items under it together, so a walk that goes by these reaches an
    item with just the probability that the item has here, and needs no further step of the network.

    :param leaves: the probabilities in the order of the leaves, ``float[C, N]``.
    :param leaf_start: the first leaf of each node, depth by depth from 0, as in
        :class:`~p5rec.decoding.trie.Trie`.
    """

    leaves: Tensor
    leaf_start: Sequence[Tensor]
    whole = True

    @cached_property
    def below(self) -> Tensor:
        """What lies before each leaf, added up: ``float64[C, N + 1]``; walks alone need it."""
        n_contexts, n_leaves = self.leaves.shape
        below = self.leaves.new_zeros(n_contexts, n_leaves + 1, dtype=torch.float64)
        torch.cumsum(self.leaves, dim=1, dtype=torch.float64, out=below[:, 1:])
        return below

    def bias(self, *, level: int, context: Tensor, first: Tensor, width: Tensor) -> Tensor:
        """The logarithm of each child's probability; the rest is as in
        :class:`~p5rec.decoding.contexts.Contexts`.
        """
        starts = self.leaf_start[level + 1]
        columns = torch.arange(int(width.max()), device=first.device)
        children = (first[:, None] + columns).clamp_(max=len(starts) - 2)
        rows = context[:, None]
        if level + 2 == len(self.leaf_start):
            return self.leaves[rows, children].clamp_min(LEAST).log()
        under = self.below[rows, starts[children + 1]] - self.below[rows, starts[children]]
        return under.clamp_min(LEAST).log().to(self.leaves.dtype)

    def trust(self, level: int) -> Tensor | None:
        """As in :class:`~p5rec.decoding.contexts.Contexts`."""
        return None

    def log_probs(self, context: Tensor, leaves: Tensor) -> Tensor:
        """Log-probability of some items, given as leaves ``int64[R]``: ``float[R]``."""
        return self.leaves[context, leaves].clamp_min(LEAST).log()
