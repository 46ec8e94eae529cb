"""The activation of GPT-2, compiled."""

from __future__ import annotations

from torch import nn
from transformers.activations import GELUTanh, NewGELUActivation


def use_compiled_gelu(model: nn.Module) -> None:
    """Replace GPT-2's gelu, seven steps in Python, by the same function in one.

    Values agree to a few units in the last place of 32 bits.
    """
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, NewGELUActivation):
                setattr(module, name, GELUTanh())
