"""The weights that training changes: which they are, and how they are put back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from p5rec.model.weight_average import copied


def trainable(module: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that training changes, by name."""
    return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}


@torch.no_grad()
def put(module: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Give trainable weights of a module the values of ``weights``, by name."""
    for name, weight in trainable(module).items():
        if name in weights:
            weight.copy_(weights[name])


@contextmanager
def in_place(module: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Within the block the module has other trainable weights than its own."""
    own = copied(trainable(module))
    put(module, weights)
    try:
        yield
    finally:
        put(module, own)
