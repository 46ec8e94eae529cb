"""The average of a model's latest weights, which is better and steadier than the last of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Weights = dict[str, Tensor]


class WeightAverage:
    """An exponential moving average of weights, by name (Polyak and Juditsky, 1992).

    :param weights: the first ones; they are copied.
    :param decay: how much of the average stays at a step, 0 (the last weights) to below 1; less
        in the first steps, so that the first weights are soon forgotten.
    :ivar weights: the average.
    """

    def __init__(self, weights: Mapping[str, Tensor], decay: float) -> None:
        self._decay = decay
        self.weights = copied(weights)

    @torch.no_grad()
    def update(self, weights: Mapping[str, Tensor], step: int) -> None:
        """Take in the weights after step number ``step``, counted from 1."""
        stays = min(self._decay, (1 + step) / (10 + step))
        for name, weight in weights.items():
            self.weights[name].lerp_(weight, 1 - stays)


def copied(weights: Mapping[str, Tensor]) -> Weights:
    """The same weights in memory of their own, outside any gradient."""
    return {name: weight.detach().clone() for name, weight in weights.items()}
