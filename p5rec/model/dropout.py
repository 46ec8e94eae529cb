"""Dropout that is cheap on a CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn


class CheapDropout(nn.Module):
    """Dropout whose mask comes from random bytes.

    Drawing one byte an element and comparing it with a threshold is several times faster on a
    CPU than torch's own dropout; the rate is rounded to the nearest 1/256. All layers of a model
    share one source, so that :func:`reseed` makes a training step a function of its number.
    """

    def __init__(self, rate: float, source: RandomBytes) -> None:
        super().__init__()
        self.p = rate
        self.threshold = round(rate * 256)
        self.source = source

    def forward(self, x: Tensor) -> Tensor:
        """Zero a share of the elements in training and scale the rest up; nothing otherwise."""
        if not self.training or self.threshold == 0:
            return x
        keep = self.source.draw(x.shape) >= self.threshold
        return x * (keep.to(x.device, x.dtype) * (256 / (256 - self.threshold)))


class RandomBytes:
    """A stream of random bytes that can be set to a place."""

    def __init__(self) -> None:
        self.reseed(0, 0)

    def reseed(self, seed: int, step: int) -> None:
        """Make what comes next a function of ``seed`` and ``step`` alone."""
        self._generator = np.random.Generator(np.random.SFC64([seed, step]))

    def draw(self, shape: torch.Size) -> Tensor:
        """Random bytes of the given shape."""
        drawn = np.frombuffer(self._generator.bytes(shape.numel()), dtype=np.uint8).copy()
        return torch.from_numpy(drawn).view(shape)


def use_cheap_dropout(model: nn.Module) -> RandomBytes:
    """Replace each ``nn.Dropout`` inside ``model``; returns the source they share.

    Dropout of attention weights is switched off: it leaves the fast path of every CPU kernel.
    """
    source = RandomBytes()
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Dropout):
                rate = 0.0 if name.startswith("attn") else child.p
                setattr(module, name, CheapDropout(rate, source).train(child.training))
        for name in ("dropout", "attention_dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
    return source
