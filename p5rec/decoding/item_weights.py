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

    To the features are added how often users come back to the item (a log-odds) and its popularity.
    """

    def __init__(self, counts: ItemCounts, *, features: int, width: int) -> None:
        """``features``: how many there are; ``width``: of the two hidden layers."""
        super().__init__()
        inputs = features + 2
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
        self.register_buffer("of_item", torch.from_numpy(_of_items(counts)))
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))

    of_item: Tensor
    mean: Tensor
    scale: Tensor

    def forward(self, features: Tensor, items: Tensor, cold: Tensor | None = None) -> Tensor:
        """Log-weights ``float[C]`` from ``float[C, features]`` and catalogue rows ``int64[C]``.

        :param cold: which items to take for ones that nobody has chosen, ``bool[C]``.
        """
        inputs = self._inputs(features, items)
        if cold is not None:
            # As readily come back to as others are, and not popular at all.
            unknown = torch.cat([features, self.newcomer.expand(len(features), -1)], dim=1)
            inputs = torch.where(cold[:, None], unknown, inputs)
        inputs = (inputs - self.mean) / self.scale
        weights: Tensor = self.layers(inputs).squeeze(1)
        return weights.clamp(-2 * LARGEST, LARGEST)

    @torch.no_grad()
    def standardise(self, features: Tensor, items: Tensor, cold: Tensor | None = None) -> None:
        """Take mean and spread of the inputs from a sample; the cold ones count as they are."""
        if len(items):
            inputs = self._inputs(features, items)
            self.mean.copy_(inputs.mean(0))
            self.scale.copy_(inputs.std(0, correction=0) + 1e-3)

    @property
    def newcomer(self) -> Tensor:
        """What stands in the place of ``of_item`` for an item that nobody has chosen, ``[2]``."""
        return torch.stack([self.mean[-2], self.mean.new_zeros(())])

    def _inputs(self, features: Tensor, items: Tensor) -> Tensor:
        return torch.cat([features, self.of_item[items]], dim=1)


def _of_items(counts: ItemCounts) -> NDArray[np.float32]:
    """Log-odds of coming back to an item, pulled towards those of all items; log popularity."""
    total = max(1, int(counts.sessions.sum()))
    mean = np.clip(counts.again.sum() / total, 0.001, 0.999)
    share = (counts.again + 2 * mean) / (counts.sessions + 2)
    popularity = np.log1p(counts.chosen)
    return np.stack([np.log(share / (1 - share)), popularity], axis=1).astype(np.float32)
