"""The lean forward passes of T5's encoder and decoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

from p5rec.model.lean import Product, Untyped, attend, can_pack, split_heads, weight_of

KeysAndValues = tuple[Tensor, Tensor]


class LeanT5:
    """T5 from embedded tokens to hidden states, with its weights as they are now."""

    def __init__(self, model: PreTrainedModel) -> None:
        pack, heads = can_pack(model), int(model.config.num_heads)
        encoder, decoder = model.get_encoder(), model.get_decoder()
        self._encoder = [_Layer(block, heads, pack=pack) for block in encoder.block]
        self._decoder = [_Layer(block, heads, pack=pack) for block in decoder.block]
        self._norms = (encoder.final_layer_norm, decoder.final_layer_norm)
        self._distance = encoder.block[0].layer[0].SelfAttention

    @staticmethod
    def knows(model: PreTrainedModel) -> bool:
        """Whether a model is a T5 with plain feed-forward layers."""
        config = model.config
        return bool(
            config.model_type == "t5" and not config.is_gated_act and config.dense_act_fn == "relu"
        )

    def encode(self, embedded: Tensor, valid: Tensor) -> Tensor:
        """Encode prompts, ``float[B, T, d]``.

        :param valid: what is no padding, ``bool[B, T]``.
        """
        n_prompts, longest, width = embedded.shape
        bias = self._distance.compute_bias(longest, longest)
        if not valid.all():
            bias = bias.masked_fill(~valid[:, None, None], -torch.inf)
        x = embedded.reshape(-1, width)
        for layer in self._encoder:
            x = layer.feed(layer.look_at_itself(x, n_prompts, bias, None))
        return _scaled(x, self._norms[0]).view(n_prompts, longest, width)

    def cross(self, encoded: Tensor) -> list[KeysAndValues]:
        """Keys and values of the encoded prompts, layer by layer."""
        flat = encoded.flatten(0, 1)
        return [layer.keys_and_values(flat, len(encoded)) for layer in self._decoder]

    def decode(
        self,
        embedded: Tensor,
        bias: Tensor | None,
        cache: Cache,
        cross: Sequence[KeysAndValues],
        cross_bias: Tensor | None,
    ) -> Tensor:
        """Hidden states after new tokens, ``float[B, S, d]``.

        :param bias: what is added to their attention to walks, ``float[B, H, S, K]``.
        :param cross_bias: the same for that to prompts, ``float[B, 1, 1, T]`` or None.
        """
        n_prompts, slots, width = embedded.shape
        x = embedded.reshape(-1, width)
        for layer, kept, prompt in zip(self._decoder, cache.layers, cross, strict=True):
            x = layer.look_at_itself(x, n_prompts, bias, kept)
            x = layer.look_at_prompt(x, n_prompts, prompt, cross_bias)
            x = layer.feed(x)
        return _scaled(x, self._norms[1]).view(n_prompts, slots, width)


class _Layer:
    def __init__(self, block: Untyped, heads: int, *, pack: bool) -> None:
        self._heads = heads
        own, forward = block.layer[0], block.layer[-1]
        attention, scale = own.SelfAttention, own.layer_norm.weight.detach()
        joined = torch.cat([weight_of(getattr(attention, name))[0] for name in "qkv"])
        self._own = Product(joined * scale, pack=pack)
        self._own_out = Product(*weight_of(attention.o), pack=pack)
        self._eps = float(own.layer_norm.variance_epsilon)
        if len(block.layer) == 3:
            attention, scale = block.layer[1].EncDecAttention, block.layer[1].layer_norm.weight
            self._query = Product(weight_of(attention.q)[0] * scale.detach(), pack=pack)
            joined = torch.cat([weight_of(attention.k)[0], weight_of(attention.v)[0]])
            self._prompt = Product(joined, pack=pack)
            self._prompt_out = Product(*weight_of(attention.o), pack=pack)
        wide, _ = weight_of(forward.DenseReluDense.wi)
        self._wide = Product(wide * forward.layer_norm.weight.detach(), None, "relu", pack=pack)
        self._narrow = Product(*weight_of(forward.DenseReluDense.wo), pack=pack)

    def look_at_itself(
        self, x: Tensor, n_prompts: int, bias: Tensor | None, kept: Untyped
    ) -> Tensor:
        joined = self._own(_normed(x, self._eps))
        queries, keys, values = split_heads(joined, n_prompts, 3, self._heads)
        if kept is not None:
            keys, values = kept.update(keys, values)
        return self._own_out(attend(queries, keys, values, bias, scale=1.0)).add_(x)

    def keys_and_values(self, encoded: Tensor, n_prompts: int) -> KeysAndValues:
        keys, values = split_heads(self._prompt(encoded), n_prompts, 2, self._heads)
        return keys, values

    def look_at_prompt(
        self, x: Tensor, n_prompts: int, prompt: KeysAndValues, bias: Tensor | None
    ) -> Tensor:
        (queries,) = split_heads(self._query(_normed(x, self._eps)), n_prompts, 1, self._heads)
        return self._prompt_out(attend(queries, *prompt, bias, scale=1.0)).add_(x)

    def feed(self, x: Tensor) -> Tensor:
        return self._narrow(self._wide(_normed(x, self._eps))).add_(x)


def _normed(x: Tensor, eps: float) -> Tensor:
    """T5's norm without its scale: rows over the root of their mean square."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    found: Tensor = x * length.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
    return found


def _scaled(x: Tensor, norm: Untyped) -> Tensor:
    return _normed(x, float(norm.variance_epsilon)).mul_(norm.weight)
