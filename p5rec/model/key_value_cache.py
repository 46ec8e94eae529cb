"""Keys and values of what was read already: room to grow, and beginnings that prompts share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from typing_extensions import override

from p5rec.model.lean_t5 import KeysAndValues
from p5rec.model.prompt_batch import EncodedPrompt


@dataclass(frozen=True)
class Prefix:
    """The encoded beginning of a prompt: its positions, and keys and values of each layer.

    Keys and values are ``float[1, heads, T, d]``, layer by layer. ``rooms`` are the tensors that
    they lie in, where what comes after them there may be written over: by one walk at a time.
    """

    ids: EncodedPrompt
    layers: tuple[KeysAndValues, ...]
    rooms: tuple[KeysAndValues, ...] | None = None

    def shared(self, prompt: EncodedPrompt) -> Prefix | None:
        """As much of it as ``prompt`` begins with and goes on after; None where that is nothing."""
        length = min(len(self.ids), len(prompt) - 1)
        same = (self.ids[:length] == prompt[:length]).all(axis=1)
        length = length if same.all() else int(np.argmin(same))
        if not length:
            return None
        layers = tuple((keys[:, :, :length], values[:, :, :length]) for keys, values in self.layers)
        return Prefix(self.ids[:length], layers, self.rooms)


class RoomyLayer(DynamicLayer):  # type: ignore[misc]  # transformers has no types
    """Keys and values with room for more: a step writes its own and copies no others."""

    keys: Tensor
    values: Tensor
    room: tuple[Tensor, Tensor]

    @override
    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        super().lazy_initialization(key_states, value_states)
        self.room = (self.keys, self.values)

    @override
    def update(
        self,
        key_states: Tensor,
        value_states: Tensor,
        *args: Any,
        **kwargs: Any,
    ) -> tuple[Tensor, Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        seen = self.get_seq_length()
        needed = seen + key_states.shape[2]
        if self.room[0].numel() == 0 or needed > self.room[0].shape[2]:
            self.room = (
                _with_room(self.keys, key_states, seen, needed + needed // 4 + 64),
                _with_room(self.values, value_states, seen, needed + needed // 4 + 64),
            )
        for room, new in zip(self.room, (key_states, value_states), strict=True):
            room[:, :, seen:needed] = new
        self.keys, self.values = (room[:, :, :needed] for room in self.room)
        return self.keys, self.values

    @classmethod
    def resumed(cls, held: KeysAndValues, room: KeysAndValues) -> RoomyLayer:
        """A layer that goes on after ``held`` in the room that it lies in."""
        layer = cls()
        layer.lazy_initialization(*held)
        (layer.keys, layer.values), layer.room = held, room
        return layer


def _with_room(held: Tensor, like: Tensor, seen: int, size: int) -> Tensor:
    room = like.new_empty(like.shape[0], like.shape[1], size, like.shape[3])
    if seen:
        room[:, :, :seen] = held
    return room


def new_cache(model: PreTrainedModel) -> DynamicCache:
    """An empty cache; layers that keep every position get room to grow.

    Gradients do not flow through a room that is written over, so in training there is none.
    """
    cache = DynamicCache(config=model.config)
    if torch.is_grad_enabled():
        return cache
    cache.layers = [RoomyLayer() if type(one) is DynamicLayer else one for one in cache.layers]
    return cache


def cache_after(model: PreTrainedModel, prefix: Prefix | None, n_prompts: int) -> DynamicCache:
    """A cache that holds a prefix that all prompts share."""
    cache = new_cache(model)
    if prefix is None:
        return cache
    if prefix.rooms is not None and n_prompts == 1:
        pairs = zip(prefix.layers, prefix.rooms, strict=True)
        cache.layers = [RoomyLayer.resumed(held, room) for held, room in pairs]
        return cache
    for number, (keys, values) in enumerate(prefix.layers):
        cache.update(
            keys.expand(n_prompts, -1, -1, -1), values.expand(n_prompts, -1, -1, -1), number
        )
    return cache
