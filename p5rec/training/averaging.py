"""The average of a model's latest weights, which is better and steadier than the last of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from p5rec.training.checkpoint import trainable


class WeightAverage:
    """An exponential moving average of trainable weights (Polyak and Juditsky, 1992).

    :param decay: how much of the average stays at a step, 0 (the last weights) to below 1; less
        in the first steps, so that the first weights are soon forgotten.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._module = module
        self._decay = decay
        self.weights = self.copy()

    def copy(self) -> dict[str, Tensor]:
        """The module's present trainable weights, copied."""
        return {name: weight.detach().clone() for name, weight in trainable(self._module).items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the module's weights after step number ``step``."""
        stays = min(self._decay, (1 + step) / (10 + step))
        for name, weight in trainable(self._module).items():
            self.weights[name].lerp_(weight, 1 - stays)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the module has the average as its weights."""
        own = self.copy()
        put(self._module, self.weights)
        try:
            yield
        finally:
            put(self._module, own)


@torch.no_grad()
def put(module: nn.Module, weights: dict[str, Tensor]) -> None:
    """Give trainable weights of a module the values of ``weights``, by name."""
    for name, weight in trainable(module).items():
        if name in weights:
            weight.copy_(weights[name])
