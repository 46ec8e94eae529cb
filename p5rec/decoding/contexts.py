"""What walks are conditioned on besides their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor


class Contexts(Protocol):
    """A bias of each child, in each of several contexts."""

    def bias(self, *, level: int, context: Tensor, first: Tensor, width: Tensor) -> Tensor:
        """What is added to the logits of each row's children.

        :param context: the context of each row, ``int64[R]``.
        :param first: the first child of each row's node, ``int64[R]``.
        :param width: how many children each row's node has, ``int64[R]``.
        :return: ``float[R, W]`` with ``W`` the largest width; meaningless past a row's own width.
        """

    def trust(self, level: int) -> Tensor | None:
        """What the network's logits are multiplied with; None leaves them as they are."""

    @property
    def whole(self) -> bool:
        """Whether the biases say all, so that the network's states are not needed."""


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
class Together:
    """Contexts whose biases add up."""

    parts: Sequence[Contexts]

    def bias(self, *, level: int, context: Tensor, first: Tensor, width: Tensor) -> Tensor:
        """As in :class:`Contexts`."""
        biases = [
            part.bias(level=level, context=context, first=first, width=width) for part in self.parts
        ]
        return torch.stack(biases).sum(0)

    def trust(self, level: int) -> Tensor | None:
        """As in :class:`Contexts`: that of the first part which has one."""
        return next((own for part in self.parts if (own := part.trust(level)) is not None), None)

    @property
    def whole(self) -> bool:
        """As in :class:`Contexts`."""
        return any(part.whole for part in self.parts)
