"""The lean forward pass of GPT-2."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Cache, PreTrainedModel

from p5rec.model.lean import (
    Product,
    Untyped,
    additive,
    attend,
    can_pack,
    split_heads,
    weight_of,
)


class LeanGPT2:
    """GPT-2 from embedded tokens to hidden states, with its weights as they are now."""

    def __init__(self, model: PreTrainedModel) -> None:
        body, pack = model.base_model, can_pack(model)
        self._positions: Tensor = body.wpe.weight.detach()
        heads = int(model.config.num_attention_heads)
        self._layers = [
            _Layer(block, heads, pack=pack, last=number == len(body.h) - 1)
            for number, block in enumerate(body.h)
        ]
        self._norm = body.ln_f

    @staticmethod
    def knows(model: PreTrainedModel) -> bool:
        """Whether a model is a GPT-2 without what only few have."""
        config = model.config
        return bool(
            config.model_type == "gpt2"
            and config.activation_function in ("gelu_new", "gelu_pytorch_tanh")
            and not config.add_cross_attention
        )

    def run(
        self,
        embedded: Tensor,
        allowed: Tensor | None,
        positions: Tensor,
        cache: Cache,
        rows: Tensor | None,
    ) -> Tensor:
        """Hidden states after new tokens; their keys and values go into ``cache``.

        :param embedded: ``float[B, S, d]``.
        :param allowed: which of all positions each new one may look at, ``bool[B, S, K]``; None
            where they are the first and look at those before them.
        :param positions: ``int64[B, S]``.
        :param rows: which of the new positions are wanted, ``int64[B, R]``; None for all.
        :return: ``float[B, R, d]``.
        """
        n_prompts, _, width = embedded.shape
        bias = None if allowed is None else additive(allowed)
        x = (embedded + F.embedding(positions, self._positions)).view(-1, width)
        for layer, kept in zip(self._layers, cache.layers, strict=True):
            x = layer.run(x, n_prompts, bias, kept, rows)
        x = F.layer_norm(x, (width,), self._norm.weight, self._norm.bias, self._norm.eps)
        return x.view(n_prompts, -1, width)


class _Layer:
    def __init__(self, block: Untyped, heads: int, *, pack: bool, last: bool) -> None:
        self._norms = (block.ln_1, block.ln_2)
        self._heads = heads
        self._scale = float(block.attn.scaling)
        weight, bias = weight_of(block.attn.c_attn)
        assert bias is not None
        width = weight.shape[1]
        self._last = last
        self._all = Product(weight, bias, pack=pack)
        if last:
            self._query = Product(weight[:width], bias[:width], pack=pack)
            self._rest = Product(weight[width:], bias[width:], pack=pack)
        self._out = Product(*weight_of(block.attn.c_proj), pack=pack)
        self._wide = Product(*weight_of(block.mlp.c_fc), "gelu", pack=pack)
        self._narrow = Product(*weight_of(block.mlp.c_proj), pack=pack)

    def run(
        self, x: Tensor, n_prompts: int, bias: Tensor | None, kept: Untyped, rows: Tensor | None
    ) -> Tensor:
        normed = _norm(x, self._norms[0])
        causal = bias is None
        if rows is not None and self._last:
            keys, values = split_heads(self._rest(normed), n_prompts, 2, self._heads)
            x, normed = (_at(part, rows) for part in (x, normed))
            (queries,) = split_heads(self._query(normed), n_prompts, 1, self._heads)
            bias, causal = _rows_of(bias, rows, keys.shape[2]), False
        else:
            queries, keys, values = split_heads(self._all(normed), n_prompts, 3, self._heads)
        keys, values = kept.update(keys, values)
        seen = attend(queries, keys, values, bias, scale=self._scale, causal=causal)
        x = self._out(seen).add_(x)
        return self._narrow(self._wide(_norm(x, self._norms[1]))).add_(x)


def _norm(x: Tensor, norm: Untyped) -> Tensor:
    return F.layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)


def _at(x: Tensor, rows: Tensor) -> Tensor:
    """Some rows of each prompt's, ``float[B * S, d]`` to ``float[B * R, d]``."""
    n_prompts = len(rows)
    start = torch.arange(n_prompts, device=x.device)[:, None] * (len(x) // n_prompts)
    return x.index_select(0, (rows + start).view(-1))


def _rows_of(bias: Tensor | None, rows: Tensor, new: int) -> Tensor:
    """What is added to the attention of some rows."""
    if bias is None:
        return additive(torch.arange(new, device=rows.device) <= rows[..., None])
    where = rows[:, None, :, None].expand(-1, -1, -1, bias.shape[3])
    return bias.expand(len(rows), -1, -1, -1).gather(2, where)
