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


class ItemWeights(nn.Module):
    """A small network from features of a (context, item) pair to the log of the item's weight.

    The weight stands beside a weight of one for the whole catalogue by popularity. With features of
    own items that is a mixture of choosing again and choosing something else, as in RepeatNet (Ren
    et al., 2019), with a network in the place of its attention.

    To the features are added how often users come back to the item (a log-odds) and its popularity,
    but for items that nobody has chosen.
    """

    def __init__(self, counts: ItemCounts | None, *, features: int, width: int) -> None:
        """Weigh all items that have features alike.

        :param counts: of the training events; None for items that nobody has chosen.
        :param features: how many there are.
        :param width: of the two hidden layers.
        """
        super().__init__()
        of_item = np.empty((0, 0), np.float32) if counts is None else _of_items(counts)
        inputs = features + of_item.shape[1]
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
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))

    of_item: Tensor
    mean: Tensor
    scale: Tensor

    def forward(self, features: Tensor, items: Tensor) -> Tensor:
        """Log-weights ``float[C]`` from ``float[C, features]`` and catalogue rows ``int64[C]``."""
        inputs = (self._inputs(features, items) - self.mean) / self.scale
        weights: Tensor = self.layers(inputs).squeeze(1)
        return weights.clamp(-2 * LARGEST, LARGEST)

    @torch.no_grad()
    def standardise(self, features: Tensor, items: Tensor) -> None:
        """Take mean and spread of the inputs from a sample."""
        if len(items):
            inputs = self._inputs(features, items)
            self.mean.copy_(inputs.mean(0))
            self.scale.copy_(inputs.std(0, correction=0) + 1e-3)

    def _inputs(self, features: Tensor, items: Tensor) -> Tensor:
        return torch.cat([features, self.of_item[items]], dim=1) if len(self.of_item) else features


def _of_items(counts: ItemCounts) -> NDArray[np.float32]:
    """Log-odds of coming back to an item, pulled towards those of all items; log popularity."""
    total = max(1, int(counts.sessions.sum()))
    mean = np.clip(counts.again.sum() / total, 0.001, 0.999)
    share = (counts.again + 2 * mean) / (counts.sessions + 2)
    popularity = np.log1p(counts.chosen)
    return np.stack([np.log(share / (1 - share)), popularity], axis=1).astype(np.float32)
