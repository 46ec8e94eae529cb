"""What is remembered between the steps of walks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Cache

from p5rec.model.lean_t5 import KeysAndValues


@dataclass
class WalkState:
    """What a backbone remembers between the steps of a batch of walks.

    Walks are branches of one sequence: each new token is one more position of its prompt's row.
    ``allowed`` (``bool[B, S, K]``) says which positions each open walk may look at, its ancestors;
    ``step`` counts the tokens of a walk. ``ahead`` (``float[1, A, d]``) holds the hidden states of
    first steps that were made beforehand, ``carried`` (``float[B, 1, d]``) what is added to states.
    """

    cache: Cache
    allowed: Tensor
    next_position: Tensor
    step: int = 0
    encoded: Tensor | None = None
    valid: Tensor | None = None
    step_of_key: Tensor | None = None
    cross: list[KeysAndValues] | None = None
    ahead: Tensor | None = None
    carried: Tensor | None = None

    def with_carried(self, hidden: Tensor) -> Tensor:
        """States after a step (``float[B, S, d]``) with what walks carry from their beginning."""
        return hidden if self.carried is None else hidden + self.carried

    def branch(self, parents: Tensor) -> None:
        """Give each walk one more position; it sees that and what its parent saw."""
        n_prompts, slots = parents.shape
        seen = self.allowed.shape[-1]
        inherited = self.allowed.gather(1, parents[..., None].expand(-1, -1, seen))
        itself = torch.eye(slots, dtype=torch.bool, device=parents.device)
        self.allowed = torch.cat([inherited, itself.expand(n_prompts, -1, -1)], dim=-1)
        self.step += 1

    def take_ahead(self, chosen: Tensor) -> Tensor:
        """Open walks with first steps that were made beforehand; their hidden states.

        :param chosen: places in ``ahead``, ``int[1, S]``.
        """
        assert self.ahead is not None
        itself = F.one_hot(chosen.to(torch.int64), self.ahead.shape[1]).to(torch.bool)
        seen = self.allowed.expand(-1, chosen.shape[1], -1)
        self.allowed = torch.cat([seen, itself], dim=-1)
        self.next_position = self.next_position.expand(-1, chosen.shape[1]) + 1
        self.step += 1
        hidden, self.ahead = self.ahead[:, chosen[0]], None
        return hidden
