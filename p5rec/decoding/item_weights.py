"""Log-weights of items from what is known of them: own items, and companions of recent ones."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from p5rec.data.item_counts import ItemCounts

START = -5.0
"""First log-weight of an item, beside the whole catalogue's weight of one."""

LARGEST = 15.0
"""Log-weights are bounded, so that their exponentials stay in float32."""

OF_ITEM = ("log-odds of coming back", "log popularity")
"""What is known of an item beside its features."""


class ItemWeights(nn.Module):
    """A small network from features of a (context, item) pair to the log of the item's weight.

    The weight stands beside a weight of one for the whole catalogue by popularity. With features of
    own items that is a mixture of choosing again and choosing something else, as in RepeatNet (Ren
    et al., 2019), with a network in the place of its attention.

    To the features are added how often users come back to the item (a log-odds) and its popularity,
    but for items that nobody has chosen. What the very user does later is taken off both: where
    histories of training are foreseen, it would tell what is to be foreseen.
    """

    def __init__(self, counts: ItemCounts | None, *, features: int, width: int) -> None:
        """Weigh all items that have features alike.

        :param counts: of the training events; None for items that nobody has chosen.
        :param features: how many there are.
        :param width: of the two hidden layers.
        """
        super().__init__()
        of_item = np.empty((0, 0), np.float32) if counts is None else _of_items(counts)
        inputs = features + (0 if counts is None else len(OF_ITEM))
        last = nn.Linear(width, 1)
        nn.init.zeros_(last.weight)
        nn.init.constant_(last.bias, START)
        self.layers = nn.Sequential(
            nn.Linear(inputs, width),
            nn.GELU(approximate="tanh"),
            nn.Linear(width, width),
            nn.GELU(approximate="tanh"),
            last,
        )
        self.register_buffer("of_item", torch.from_numpy(of_item))
        self.register_buffer("rate", torch.tensor(0.0 if counts is None else _rate(counts)))
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))

    of_item: Tensor
    rate: Tensor
    mean: Tensor
    scale: Tensor

    def forward(self, features: Tensor, items: Tensor, later: Tensor) -> Tensor:
        """Log-weights of items, ``float[C]``.

        :param features: ``float[C, features]``.
        :param items: catalogue rows, ``int64[C]``.
        :param later: what the user does later with each, ``float[C, len(LATER)]``.
        """
        inputs = (self._inputs(features, items, later) - self.mean) / self.scale
        weights: Tensor = self.layers(inputs).squeeze(1)
        return weights.clamp(-2 * LARGEST, LARGEST)

    @torch.no_grad()
    def add(self, more: float) -> None:
        """Let all log-weights be higher by ``more``."""
        self.layers[-1].get_parameter("bias").add_(more)

    @torch.no_grad()
    def standardise(self, features: Tensor, items: Tensor, later: Tensor) -> None:
        """Take mean and spread of the inputs from a sample."""
        if len(items):
            inputs = self._inputs(features, items, later)
            self.mean.copy_(inputs.mean(0))
            self.scale.copy_(inputs.std(0, correction=0) + 1e-3)

    def _inputs(self, features: Tensor, items: Tensor, later: Tensor) -> Tensor:
        if not len(self.of_item):
            return features
        chosen, sessions, again = (self.of_item[items] - later).clamp_min(0).unbind(1)
        share = (again + 2 * self.rate) / (sessions + 2)
        known = torch.stack([torch.logit(share), torch.log1p(chosen)], dim=1)
        return torch.cat([features, known], dim=1)


def _of_items(counts: ItemCounts) -> NDArray[np.float32]:
    """How often each item was chosen, in how many sessions, in how many of them again.

    What a user does later is taken off these, so they are those of
    :data:`~p5rec.decoding.history_index.LATER`, in order.
    """
    columns = [counts.chosen, counts.sessions, counts.again]
    return np.stack(columns, axis=1).astype(np.float32)


def _rate(counts: ItemCounts) -> float:
    """How often users come back to any item."""
    total = max(1, int(counts.sessions.sum()))
    return float(np.clip(counts.again.sum() / total, 0.001, 0.999))
