"""Which walks go on: the ways to choose among the children of all open walks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import override

TIE = 1e-12
"""Scores closer than this times the distance of two nodes are in the order of the nodes."""
OUTSIDE = 1e6
"""What a child outside the nucleus loses: it is drawn only when nothing inside is left."""


@dataclass
class Step:
    """The children of all open walks at one level; ``B`` prompts, ``S`` walks, ``W`` children.

    ``scores`` and ``log_probs`` (``float64[B, S, W]``: of the whole walk, and of the child after
    its parent) are ``-inf`` where nothing eligible lies under a child.
    """

    level: int
    last: bool
    children: Tensor
    scores: Tensor
    log_probs: Tensor

    def size(self, wanted: int) -> int:
        """How many of ``wanted`` children there are to choose from."""
        return min(wanted, self.scores.shape[1] * self.scores.shape[2])

    def at(self, places: Tensor) -> Chosen:
        """These places and their scores."""
        return places, self.scores.flatten(1).gather(1, places)


Chosen = tuple[Tensor, Tensor]
"""Places of children in ``[S * W]``, ``int64[B, S']``, and their scores, ``-inf`` for none."""


class Chooser(ABC):
    """Chooses the children that go on; one for each search, levels in order."""

    @abstractmethod
    def choose(self, step: Step) -> Chosen:
        """Which children go on; where fewer are eligible, the rest has the score ``-inf``."""


class Best(Chooser):
    """The ``beams`` best walks (``k`` where that is more, and at the last level)."""

    def __init__(self, k: int, beams: int) -> None:
        self.k = k
        self.beams = max(k, beams)

    @override
    def choose(self, step: Step) -> Chosen:
        wanted = self.k if step.last else self.beams
        ranked = torch.sub(step.scores, step.children, alpha=TIE).flatten(1)
        return step.at(ranked.topk(step.size(wanted), dim=1).indices)


class Greedy(Chooser):
    """Always the best code first.

    The list is what a walk meets that takes the best child of every node and goes back only as
    far as it must to find the next item: items of the best category first, and so on downwards.
    """

    def __init__(self, k: int) -> None:
        self.k = k

    @override
    def choose(self, step: Step) -> Chosen:
        _, slots, width = step.scores.shape
        own = step.log_probs - TIE * step.children
        by_child = own.argsort(dim=2, descending=True)
        slot = torch.arange(slots, device=own.device)[:, None].expand(slots, width)
        # Walks are in the order of their visit; children that lead nowhere come after all.
        closed = torch.isneginf(step.scores.gather(2, by_child))
        visit = (closed * slots + slot).flatten(1).argsort(dim=1, stable=True)
        places = (by_child + slot * width).flatten(1).gather(1, visit)
        return step.at(places[:, : step.size(self.k)])


class Drawn(Chooser):
    """Draws items without replacement: stochastic beam search (Kool, van Hoof and Welling, 2019).

    An item is drawn with the product, over its levels, of the probabilities of its codes among
    the eligible ones at ``temperature``; with ``nucleus`` below 1 only the fewest codes whose
    probabilities together reach it are drawn from, as long as they lead to enough items.

    The noise depends on a prompt's seed and the node alone, so that a batch draws what single
    calls draw.
    """

    def __init__(
        self,
        k: int,
        *,
        temperature: float,
        nucleus: float,
        seeds: Sequence[int] | NDArray[np.uint64],
    ) -> None:
        self.k = k
        self.temperature = temperature
        self.nucleus = nucleus
        self._seeds = np.asarray(seeds, dtype=np.uint64)
        self._drawn = torch.zeros(len(self._seeds), 1, 2, dtype=torch.float64)

    @override
    def choose(self, step: Step) -> Chosen:
        closed = torch.isneginf(step.scores)
        own = torch.log_softmax(
            step.log_probs.masked_fill(closed, -torch.inf) / self.temperature, 2
        )
        # A row without any eligible child has no distribution.
        own = own.masked_fill(closed, -torch.inf)
        if self.nucleus < 1:
            own = own - OUTSIDE * self._outside(own)
        noise = torch.from_numpy(_gumbel(self._seeds, step.level, step.children.cpu().numpy()))
        above, perturbed_above = self._drawn.to(own.device).unbind(2)
        total = above[..., None] + own
        perturbed = _below(total + noise.to(own.device), perturbed_above[..., None])
        order = perturbed.flatten(1).topk(step.size(self.k), dim=1).indices
        kept = torch.stack([total, perturbed], 3).flatten(1, 2)
        self._drawn = kept.gather(1, order[..., None].expand(-1, -1, 2))
        return step.at(order)

    def _outside(self, own: Tensor) -> Tensor:
        """Which children the nucleus leaves out."""
        sorted_own, order = own.sort(dim=2, descending=True)
        before = sorted_own.exp().cumsum(2) - sorted_own.exp()
        return torch.zeros_like(own).scatter(2, order, (before >= self.nucleus).to(own.dtype))


def _below(perturbed: Tensor, limit: Tensor) -> Tensor:
    """Gumbel variables of siblings, given that the largest of them is ``limit``."""
    largest = perturbed.amax(dim=2, keepdim=True)
    gap = limit - perturbed + torch.log1p(-torch.exp(perturbed - largest))
    found = limit - gap.clamp(min=0) - torch.log1p(torch.exp(-gap.abs()))
    return found.masked_fill(torch.isneginf(perturbed), -torch.inf)


def _gumbel(seeds: NDArray[np.uint64], level: int, nodes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Standard Gumbel noise that is a function of seed, level and node, like ``nodes[B, …]``."""
    start = _mixed(seeds ^ np.uint64(level + 1)).reshape(-1, *[1] * (nodes.ndim - 1))
    bits = _mixed(_mixed(nodes.astype(np.uint64) ^ start) + start) >> np.uint64(11)
    uniform = (bits.astype(np.float64) + 0.5) / 2**53
    noise: NDArray[np.float64] = -np.log(-np.log(uniform))
    return noise


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64: neighbouring numbers become unrelated ones."""
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


class Capped(Chooser):
    """The best walks with at most ``most`` items under each node at depth ``depth``.

    Beside the ``beams`` best walks of all, the best ``k`` that keep to the quota go on, so that
    the list is as long as the quota lets it be.
    """

    def __init__(self, k: int, beams: int, *, depth: int, most: int) -> None:
        self.k = k
        self.beams = max(k, beams)
        self.depth = depth
        self.most = most
        self._group: Tensor | None = None

    @override
    def choose(self, step: Step) -> Chosen:
        ranked = torch.sub(step.scores, step.children, alpha=TIE).flatten(1)
        if step.level + 1 < self.depth:
            return step.at(ranked.topk(step.size(self.beams), dim=1).indices)
        if step.level + 1 == self.depth:
            group = step.children.flatten(1).to(torch.int64)
        else:
            assert self._group is not None
            group = self._group.repeat_interleave(step.scores.shape[2], dim=1)
        within = ranked.masked_fill(_place_in_group(ranked, group) >= self.most, -torch.inf)
        order = within.topk(step.size(self.k), dim=1).indices
        if step.last:
            over = torch.isneginf(within.gather(1, order))
            return order, step.at(order)[1].masked_fill(over, -torch.inf)
        rest = ranked.scatter(1, order, -torch.inf)
        more = rest.topk(step.size(self.k + self.beams) - order.shape[1], dim=1)
        # Where there are not so many, places come again: only the first time counts.
        again = torch.isneginf(torch.cat([torch.zeros_like(order), more.values], dim=1))
        order = torch.cat([order, more.indices], dim=1)
        self._group = group.gather(1, order)
        return order, step.at(order)[1].masked_fill(again, -torch.inf)


def _place_in_group(ranked: Tensor, group: Tensor) -> Tensor:
    """How many of the same group rank before each place, ``int64[B, P]``."""
    by_rank = ranked.argsort(dim=1, descending=True)
    groups = group.gather(1, by_rank)
    together = groups.argsort(dim=1, stable=True)
    ordered = groups.gather(1, together)
    place = torch.arange(ranked.shape[1], device=ranked.device).expand_as(ordered)
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    start = torch.where(new, place, 0).cummax(dim=1).values
    places = torch.empty_like(ordered)
    return places.scatter(1, by_rank.gather(1, together), place - start)
