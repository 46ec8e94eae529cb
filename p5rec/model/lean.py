"""What the lean forward passes share: products of matrices, weights, attention.

Hugging Face's modules serve training and every option of a model; between their products a walk
of a few tokens spends much of its time. The lean passes compute the same sums in fewer, larger
steps: queries, keys and values are one product, activations are part of the product before them,
the scales of T5's norms and the matrices of LoRA are folded into the weights once, and the last
layer computes only what is looked at. They know no gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

MOST_PACKED = 2**30
"""Bytes of weights up to which they are copied into the order in which a CPU multiplies fastest."""


Untyped = Any
"""A part of a model of transformers, which has no types."""


class Product:
    """Multiplication with a weight ``[N, K]``, then bias and activation (gelu or relu)."""

    def __init__(
        self, weight: Tensor, bias: Tensor | None = None, activation: str = "none", *, pack: bool
    ) -> None:
        self._bias = bias
        self._activation = activation
        self._packed = pack
        # MKL-DNN wants rows side by side, and keeps no view of the weight.
        self._weight = _REORDER(weight.contiguous()) if pack else weight

    def __call__(self, x: Tensor) -> Tensor:
        """``float[R, K]`` to ``float[R, N]``."""
        if self._packed:
            how = "tanh" if self._activation == "gelu" else ""
            found: Tensor = torch.ops.mkldnn._linear_pointwise(
                x, self._weight, self._bias, self._activation, [], how
            )
            return found
        found = F.linear(x, self._weight, self._bias)
        if self._activation == "gelu":
            return F.gelu(found, approximate="tanh")
        return found.relu_() if self._activation == "relu" else found


_REORDER: Any = getattr(torch.ops.mkldnn, "_reorder_linear_weight", None)


def can_pack(model: PreTrainedModel) -> bool:
    """Whether the weights of a model are of the kind and size that is packed."""
    weights = [weight for weight in model.parameters() if weight.dim() == 2]
    fitting = all(
        weight.device.type == "cpu" and weight.dtype == torch.float32 for weight in weights
    )
    known = _REORDER is not None and torch._C._has_mkldnn
    size = sum(weight.nbytes for weight in weights)
    return known and fitting and size <= MOST_PACKED


def weight_of(layer: Untyped) -> tuple[Tensor, Tensor | None]:
    """Weight ``[N, K]`` and bias of a linear layer; LoRA's matrices are added to a copy of it."""
    base: Untyped = getattr(layer, "base_layer", layer)
    weight: Tensor = base.weight.detach()
    if base is not layer and not layer.merged and not layer.disable_adapters:
        for name in layer.active_adapters:
            weight = weight + layer.get_delta_weight(name).detach()
    if isinstance(base, Conv1D):
        weight = weight.T
    return weight, None if base.bias is None else base.bias.detach()


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    bias: Tensor | None,
    *,
    scale: float,
    causal: bool = False,
) -> Tensor:
    """Attention of ``float[B, H, S, d]`` over ``float[B, H, K, d]``: ``float[B * S, H * d]``."""
    found = F.scaled_dot_product_attention(
        queries, keys, values, bias, scale=scale, is_causal=causal
    )
    return found.transpose(1, 2).flatten(2).flatten(0, 1)


def split_heads(joined: Tensor, n_prompts: int, parts: int, heads: int) -> tuple[Tensor, ...]:
    """``float[B * S, parts * H * d]`` as so many ``float[B, H, S, d]``."""
    apart = joined.view(n_prompts, len(joined) // n_prompts, parts, heads, -1)
    return apart.permute(2, 0, 3, 1, 4).unbind(0)


def additive(allowed: Tensor) -> Tensor:
    """Who may look at whom (``bool[B, S, K]``) as what is added to attention, ``[B, 1, S, K]``."""
    return torch.zeros(allowed.shape, device=allowed.device).masked_fill_(~allowed, -torch.inf)[
        :, None
    ]
