"""The one file that tells encoder-decoders (T5) from decoder-only models (GPT-2, Llama kinds).

Everything else works with :class:`Backbone`: a prompt is encoded once, then walks branch off it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Cache, DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from typing_extensions import override

from p5rec.model.lean import additive
from p5rec.model.lean_gpt2 import LeanGPT2
from p5rec.model.lean_t5 import KeysAndValues, LeanT5

EncodedPrompt = NDArray[np.int64]
"""``int64[T, G]``: T positions, each the sum of the rows of its (up to G) tokens; -1 is none."""


FEED_FORWARD = ("GPT2MLP", "T5DenseActDense", "T5DenseGatedActDense", "LlamaMLP", "Qwen2MLP")
"""What ``torch.compile`` is for; attention and its cache it cannot take in inference mode."""
LEAST_SHARED = 3
"""Positions that all prompts of a batch must begin with to be encoded once: fewer save nothing."""
MOST_AHEAD = 48
"""Tokens up to which a pass through a model takes about as long as for a few."""


@dataclass
class PromptBatch:
    """Encoded prompts side by side: ``ids`` is ``int64[B, T, G]``, ``lengths`` ``int64[B]``."""

    ids: Tensor
    lengths: Tensor

    @classmethod
    def from_prompts(cls, prompts: Sequence[EncodedPrompt]) -> PromptBatch:
        """Pad prompts on the right to the longest."""
        longest = max(len(prompt) for prompt in prompts)
        group = max(prompt.shape[1] for prompt in prompts)
        ids = np.full((len(prompts), longest, group), -1, dtype=np.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt), : prompt.shape[1]] = prompt
        return cls(torch.from_numpy(ids), torch.tensor([len(prompt) for prompt in prompts]))

    def to(self, device: torch.device) -> PromptBatch:
        """The same on another device."""
        return PromptBatch(self.ids.to(device), self.lengths.to(device))


class TokenTable(nn.Module):
    """The embedding rows of text and item tokens, which are the rows of the tied head as well.

    With an adapter, the text rows stay as they are and the item rows are parameters of their own;
    a gather touches only the rows it needs, never a copy of the matrix. ``learns_inputs``: whether
    rows learn from what they say as part of a prompt, besides what they answer.
    """

    learns_inputs = True

    def __init__(self, weight: nn.Parameter, base_size: int, items: nn.Parameter | None) -> None:
        super().__init__()
        self.base_size = base_size
        self.weight = weight
        self.items = items

    def rows(self, tokens: Tensor) -> Tensor:
        """Rows of tokens, ``float[*tokens.shape, d]``."""
        if self.items is None:
            return F.embedding(tokens, self.weight)
        is_item = tokens >= self.base_size
        text = F.embedding(tokens.masked_fill(is_item, 0), self.weight)
        item = F.embedding((tokens - self.base_size).clamp(min=0), self.items)
        return torch.where(is_item.unsqueeze(-1), item, text)

    def item_rows(self, first: int, codes: Tensor) -> Tensor:
        """Rows of the item tokens ``first + codes``, in one gather; for walks, not for training."""
        if self.items is None:
            return F.embedding(codes, self.weight[first:])
        return F.embedding(codes, self.items[first - self.base_size :])

    def positions(self, ids: Tensor) -> Tensor:
        """One vector a position: the sum of its tokens' rows over the root of their number."""
        if ids.shape[-1] == 1:
            return self.rows(ids.squeeze(-1).clamp(min=0))
        present = ids >= 0
        rows = self.rows(ids.clamp(min=0)) * present.unsqueeze(-1)
        count = present.sum(-1, keepdim=True).clamp(min=1).to(rows.dtype)
        return rows.sum(-2) / count.sqrt()

    def as_inputs(self, rows: Tensor) -> Tensor:
        """Rows as parts of a prompt, from which they learn or not."""
        return rows if self.learns_inputs else rows.detach()

    def text_rows(self) -> Tensor:
        """The rows of text tokens, ``float[base_size, d]``."""
        return self.weight[: self.base_size]


@dataclass
class WalkState:
    """What a backbone remembers between the steps of a batch of walks.

    Walks are branches of one sequence: each new token is one more position of its prompt's row.
    ``allowed`` (``bool[B, S, K]``) says which positions each open walk may look at, its ancestors;
    ``step`` counts the tokens of a walk. ``ahead`` (``float[1, A, d]``) holds the hidden states of
    first steps that were made beforehand, ``carried`` (``float[B, 1, d]``) what is added to states.
    """

    cache: Cache
    allowed: Tensor
    next_position: Tensor
    step: int = 0
    encoded: Tensor | None = None
    valid: Tensor | None = None
    step_of_key: Tensor | None = None
    cross: list[KeysAndValues] | None = None
    ahead: Tensor | None = None
    carried: Tensor | None = None

    def with_carried(self, hidden: Tensor) -> Tensor:
        """States after a step (``float[B, S, d]``) with what walks carry from their beginning."""
        return hidden if self.carried is None else hidden + self.carried

    def branch(self, parents: Tensor) -> None:
        """Give each walk one more position; it sees that and what its parent saw."""
        n_prompts, slots = parents.shape
        seen = self.allowed.shape[-1]
        inherited = self.allowed.gather(1, parents[..., None].expand(-1, -1, seen))
        itself = torch.eye(slots, dtype=torch.bool, device=parents.device)
        self.allowed = torch.cat([inherited, itself.expand(n_prompts, -1, -1)], dim=-1)
        self.step += 1

    def take_ahead(self, chosen: Tensor) -> Tensor:
        """Open walks with first steps that were made beforehand; their hidden states.

        :param chosen: places in ``ahead``, ``int[1, S]``.
        """
        assert self.ahead is not None
        itself = F.one_hot(chosen.to(torch.int64), self.ahead.shape[1]).to(torch.bool)
        seen = self.allowed.expand(-1, chosen.shape[1], -1)
        self.allowed = torch.cat([seen, itself], dim=-1)
        self.next_position = self.next_position.expand(-1, chosen.shape[1]) + 1
        self.step += 1
        hidden, self.ahead = self.ahead[:, chosen[0]], None
        return hidden


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


def _new_cache(model: PreTrainedModel) -> DynamicCache:
    """An empty cache; layers that keep every position get room to grow.

    Gradients do not flow through a room that is written over, so in training there is none.
    """
    cache = DynamicCache(config=model.config)
    if torch.is_grad_enabled():
        return cache
    cache.layers = [RoomyLayer() if type(one) is DynamicLayer else one for one in cache.layers]
    return cache


def _cache_after(model: PreTrainedModel, prefix: Prefix | None, n_prompts: int) -> DynamicCache:
    """A cache that holds a prefix that all prompts share."""
    cache = _new_cache(model)
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


class Backbone(nn.Module, ABC):
    """A language model as the walks see it. ``B`` prompts, ``S`` open walks (slots) a prompt."""

    one_pass: bool
    """Whether every position of a prompt can be a starting point (causal models)."""
    carries: bool
    """Whether the state after each step is added to the one that the walk began with.

    In a small model the last event's own row reaches the state at the prompt's end along the
    residual stream, but states after it by attention alone, which has to learn to copy it."""

    def __init__(self, model: PreTrainedModel, table: TokenTable) -> None:
        super().__init__()
        self.model = model
        self.table = table
        self.carries = False
        self._compiled = False

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.table.weight.device

    @abstractmethod
    def begin(
        self, prompts: PromptBatch, prefix: Prefix | None = None, ahead: Tensor | None = None
    ) -> tuple[WalkState, Tensor]:
        """Encode each prompt once; returns the state and its hidden state, ``float[B, 1, d]``.

        :param prefix: an encoded beginning that all prompts share, as :meth:`remember` gave it.
        :param ahead: tokens that the walks of a single prompt may begin with, ``int64[A]``: their
            steps are made in the same pass (see :meth:`makes_ahead`).
        """

    def makes_ahead(self, n_new: int, n_tokens: int) -> bool:
        """Whether first steps cost less beforehand than in a pass of their own.

        A pass over few tokens takes as long as reading the weights does, whatever their number.

        :param n_new: positions to encode, of all prompts.
        :param n_tokens: tokens that walks may begin with.
        """
        return False

    def remember(
        self, prompt: EncodedPrompt, state: WalkState, *, alone: bool = False
    ) -> Prefix | None:
        """What :meth:`begin` computed for a single prompt, to go on from; right after it.

        None where a prompt's beginning cannot be told from the rest (encoder-decoders).

        :param alone: nobody else goes on from it, so that what follows need not copy it.
        """
        return None

    @property
    def version(self) -> int:
        """Grows whenever weights are changed in place: what was computed before is then stale."""
        return sum(weight._version for weight in self.parameters())

    @abstractmethod
    def extend(self, state: WalkState, parents: Tensor, tokens: Tensor) -> Tensor:
        """Make one step: slot ``s`` is now old slot ``parents[b, s]`` and then ``tokens[b, s]``.

        :return: hidden states ``float[B, S, d]`` after the new tokens; ``state`` is brought up
            to date.
        """

    @abstractmethod
    def follow(
        self, prompts: PromptBatch, rows: Tensor, positions: Tensor, tokens: Tensor
    ) -> Tensor:
        """Walk known paths in one pass (teacher forcing).

        :param rows: the prompt of each path, ``int64[R]``.
        :param positions: the last position of the prompt that the path may look at, ``int64[R]``;
            an encoder-decoder always looks at the whole prompt.
        :param tokens: the path's tokens, ``int64[R, L]``.
        :return: hidden states before and after each token, ``float[R, L + 1, d]``.
        """

    def use_compiler(self) -> None:
        """Walk through Hugging Face's modules, feed-forward layers compiled, from now on.

        The first walks take seconds longer, and a C++ compiler. Off by default: on a CPU
        the lean passes are faster (``docs/log.md`` has figures).
        """
        self._compiled = True
        for module in self.model.modules():
            if type(module).__name__ in FEED_FORWARD:
                module.compile(dynamic=True)

    @property
    def _may_be_lean(self) -> bool:
        """Whether nothing asks for what only Hugging Face's modules know."""
        asked = self._compiled or self.model.training
        return torch.is_inference_mode_enabled() and not asked

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Logits of text tokens, ``float[..., base_size]``; item tokens are out of reach."""
        return hidden @ self.table.text_rows().T


class CausalBackbone(Backbone):
    """GPT-2 and Llama kinds; nothing is ever copied from beam to beam."""

    one_pass = True

    def __init__(self, model: PreTrainedModel, table: TokenTable) -> None:
        super().__init__(model, table)
        self._lean: tuple[int, LeanGPT2] | None = None

    def _run(
        self,
        embedded: Tensor,
        allowed: Tensor | None,
        positions: Tensor,
        cache: Cache | None,
        rows: Tensor | None = None,
    ) -> Tensor:
        """Hidden states of new positions (of ``rows``, ``int64[B, R]``, where they are given).

        Without ``allowed`` each looks at those before it.
        """
        if cache is not None and self._may_be_lean and LeanGPT2.knows(self.model):
            if self._lean is None or self._lean[0] != self.version:
                self._lean = (self.version, LeanGPT2(self.model))
            return self._lean[1].run(embedded, allowed, positions, cache, rows)
        if allowed is None:
            allowed = _lower(embedded.shape[1], embedded.device)[None].expand(len(embedded), -1, -1)
        output = self.model.base_model(
            inputs_embeds=embedded,
            attention_mask=allowed[:, None],
            position_ids=positions,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden: Tensor = output.last_hidden_state
        if rows is None:
            return hidden
        return hidden.gather(1, rows[..., None].expand(-1, -1, hidden.shape[2]))

    @override
    def begin(
        self, prompts: PromptBatch, prefix: Prefix | None = None, ahead: Tensor | None = None
    ) -> tuple[WalkState, Tensor]:
        n_prompts, longest, _ = prompts.ids.shape
        places = torch.arange(longest, device=prompts.ids.device)
        valid = places < prompts.lengths[:, None]
        known = 0 if prefix is None else len(prefix.ids)
        embedded = self.table.positions(prompts.ids[:, known:])
        positions = places[known:].expand(n_prompts, -1)
        rows = prompts.lengths[:, None] - 1 - known
        # Padding is on the right, where nothing that counts looks.
        allowed = _lower(longest, places.device)[known:] if known else None
        if ahead is not None:
            assert n_prompts == 1
            new, steps = longest - known, len(ahead)
            embedded = torch.cat([embedded, self.table.rows(ahead)[None]], dim=1)
            positions = torch.cat([positions, places.new_full((1, steps), longest)], dim=1)
            rows = torch.cat([rows, places.new_tensor(range(new, new + steps))[None]], dim=1)
            allowed = _with_steps(_lower(longest, places.device)[known:], steps)
        cache = _cache_after(self.model, prefix, n_prompts)
        hidden = self._run(
            embedded,
            None if allowed is None else allowed.expand(n_prompts, -1, -1),
            positions,
            cache,
            rows,
        )
        state = WalkState(cache, valid[:, None], prompts.lengths[:, None])
        state.carried = hidden[:, :1] if self.carries else None
        state.ahead = None if ahead is None else state.with_carried(hidden[:, 1:])
        return state, hidden[:, :1]

    @override
    def makes_ahead(self, n_new: int, n_tokens: int) -> bool:
        return n_new + n_tokens <= MOST_AHEAD

    @override
    def remember(
        self, prompt: EncodedPrompt, state: WalkState, *, alone: bool = False
    ) -> Prefix | None:
        length, layers = len(prompt), state.cache.layers
        held = tuple((one.keys[:, :, :length], one.values[:, :, :length]) for one in layers)
        return Prefix(prompt, held, tuple(one.room for one in layers) if alone else None)

    @override
    def extend(self, state: WalkState, parents: Tensor, tokens: Tensor) -> Tensor:
        state.branch(parents)
        positions = state.next_position.gather(1, parents)
        state.next_position = positions + 1
        hidden = self._run(self.table.rows(tokens), state.allowed, positions, state.cache)
        return state.with_carried(hidden)

    @override
    def follow(
        self, prompts: PromptBatch, rows: Tensor, positions: Tensor, tokens: Tensor
    ) -> Tensor:
        n_prompts, longest, _ = prompts.ids.shape
        n_paths, steps = tokens.shape
        device = tokens.device
        known, cache = self._shared(prompts, int(positions.min()))
        order = torch.argsort(rows, stable=True)
        counts = torch.bincount(rows, minlength=n_prompts)
        rank = torch.empty_like(rows)
        starts = counts.cumsum(0) - counts
        rank[order] = torch.arange(n_paths, device=device) - starts[rows[order]]
        branch = rank[:, None] * steps + torch.arange(steps, device=device)
        appended = int(counts.max()) * steps

        def spread(values: Tensor, empty: int) -> Tensor:
            grid = torch.full((n_prompts, appended), empty, dtype=torch.int64, device=device)
            grid[rows[:, None], branch] = values.expand(n_paths, steps)
            return grid

        owner = spread(torch.arange(n_paths, device=device)[:, None], -1)
        step = spread(torch.arange(steps, device=device), 0)
        start = spread(positions[:, None], -1)
        places = torch.arange(longest, device=device)
        valid = places < prompts.lengths[:, None]
        allowed = torch.zeros(
            n_prompts, longest + appended, longest + appended, dtype=torch.bool, device=device
        )
        allowed[:, :longest, :longest] = _causal(valid)
        allowed[:, longest:, :longest] = places <= start[..., None]
        same = (owner[:, :, None] == owner[:, None]) & (step[:, None] <= step[:, :, None])
        allowed[:, longest:, longest:] = same
        embedded = torch.cat(
            [self.table.positions(prompts.ids[:, known:]), self.table.rows(spread(tokens, 0))],
            dim=1,
        )
        embedded = self.table.as_inputs(embedded)
        at = torch.cat([places.expand(n_prompts, -1), (start + 1 + step).clamp(min=0)], dim=1)
        hidden = self._run(embedded, allowed[:, known:], at[:, known:], cache)
        start = hidden[rows, positions - known][:, None]
        after = hidden[rows[:, None], longest - known + branch]
        return torch.cat([start, after + start if self.carries else after], dim=1)

    def _shared(self, prompts: PromptBatch, most: int) -> tuple[int, Cache | None]:
        """Encode what all prompts begin with once: its length, at most ``most``, and its cache."""
        n_prompts = len(prompts.ids)
        same = (prompts.ids[:, :most] == prompts.ids[:1, :most]).all(dim=2).all(dim=0)
        known = int(same.cumprod(dim=0).sum()) if n_prompts > 1 else 0
        if known < LEAST_SHARED:
            return 0, None
        head = prompts.ids[:1, :known]
        once = DynamicCache(config=self.model.config)
        places = torch.arange(known, device=head.device)
        self._run(self.table.as_inputs(self.table.positions(head)), None, places[None], once)
        layers = tuple((one.keys, one.values) for one in once.layers)
        return known, _cache_after(self.model, Prefix(head[0].cpu().numpy(), layers), n_prompts)


class Seq2SeqBackbone(Backbone):
    """T5 kinds with a tied head: the prompt goes through the encoder, walks through the decoder."""

    one_pass = False

    def __init__(self, model: PreTrainedModel, table: TokenTable) -> None:
        super().__init__(model, table)
        self._scale = model.config.d_model**-0.5 if model.config.scale_decoder_outputs else 1.0
        self._start = int(model.config.decoder_start_token_id)
        self._lean: tuple[int, LeanT5] | None = None

    def _encode(self, prompts: PromptBatch, lean: LeanT5 | None = None) -> tuple[Tensor, Tensor]:
        places = torch.arange(prompts.ids.shape[1], device=prompts.ids.device)
        valid = places < prompts.lengths[:, None]
        embedded = self.table.positions(prompts.ids)
        if lean is not None:
            return lean.encode(embedded, valid), valid
        output = self.model.get_encoder()(inputs_embeds=embedded, attention_mask=valid)
        return output.last_hidden_state, valid

    def _decode(
        self,
        tokens: Tensor,
        encoded: Tensor,
        valid: Tensor,
        cache: Cache | None,
        mask: Tensor | None = None,
    ) -> Tensor:
        output = self.model.get_decoder()(
            inputs_embeds=self.table.rows(tokens),
            attention_mask=mask,
            encoder_hidden_states=encoded,
            encoder_attention_mask=valid,
            past_key_values=cache,
            use_cache=cache is not None,
        )
        hidden: Tensor = output.last_hidden_state * self._scale
        return hidden

    def _lean_now(self) -> LeanT5 | None:
        if not (self._may_be_lean and LeanT5.knows(self.model)):
            return None
        if self._lean is None or self._lean[0] != self.version:
            self._lean = (self.version, LeanT5(self.model))
        return self._lean[1]

    @override
    def begin(
        self, prompts: PromptBatch, prefix: Prefix | None = None, ahead: Tensor | None = None
    ) -> tuple[WalkState, Tensor]:
        lean = self._lean_now()
        encoded, valid = self._encode(prompts, lean)
        cache: Cache = _new_cache(self.model)
        if lean is None:
            cache = EncoderDecoderCache(cache, DynamicCache(config=self.model.config))
        state = WalkState(
            cache,
            torch.ones(len(encoded), 1, 1, dtype=torch.bool, device=encoded.device),
            prompts.lengths[:, None],
            encoded=encoded,
            valid=valid,
            step_of_key=torch.zeros(1, dtype=torch.int64, device=encoded.device),
            cross=None if lean is None else lean.cross(encoded),
        )
        start = torch.full((len(encoded), 1), self._start, device=encoded.device)
        hidden = self._step(state, start)
        state.carried = hidden if self.carries else None
        return state, hidden

    @override
    def extend(self, state: WalkState, parents: Tensor, tokens: Tensor) -> Tensor:
        assert state.step_of_key is not None
        state.branch(parents)
        new = torch.full(tokens.shape[1:], state.step, device=tokens.device)
        state.step_of_key = torch.cat([state.step_of_key, new])
        return state.with_carried(self._step(state, tokens))

    def _step(self, state: WalkState, tokens: Tensor) -> Tensor:
        assert state.encoded is not None
        assert state.valid is not None
        if state.cross is None:
            bias = None if state.step == 0 else self._branch_bias(state, tokens.shape[1])
            return self._decode(tokens, state.encoded, state.valid, state.cache, bias)
        lean = self._lean_now()
        assert lean is not None
        whole = bool(state.valid.all())
        hidden = lean.decode(
            self.table.rows(tokens),
            self._wanted_bias(state).masked_fill(~state.allowed[:, None], -torch.inf),
            state.cache,
            state.cross,
            None if whole else additive(state.valid[:, None]),
        )
        return hidden * self._scale

    def _wanted_bias(self, state: WalkState) -> Tensor:
        """T5's bias by distance for tokens of the present step, ``float[1, H, 1, K]``."""
        attention = self.model.get_decoder().block[0].layer[0].SelfAttention
        bias = attention.compute_bias(1, state.step + 1, past_seen_tokens=state.step)
        wanted: Tensor = bias[..., state.step_of_key]
        return wanted

    def _branch_bias(self, state: WalkState, slots: int) -> Tensor:
        """What to add to attention so that positions are those within a walk, ``[B, H, S, K]``.

        T5 adds a bias by the distance of two positions in the sequence; in a sequence of branches
        that is not the distance in the walk, so the difference of the two biases is added.
        """
        assert state.step_of_key is not None
        attention = self.model.get_decoder().block[0].layer[0].SelfAttention
        keys = len(state.step_of_key)
        added = attention.compute_bias(slots, keys, past_seen_tokens=keys - slots)
        difference: Tensor = self._wanted_bias(state) - added
        return difference.masked_fill(~state.allowed[:, None], -torch.inf)

    @override
    def follow(
        self, prompts: PromptBatch, rows: Tensor, positions: Tensor, tokens: Tensor
    ) -> Tensor:
        encoded, valid = self._encode(prompts)
        start = torch.full((len(tokens), 1), self._start, device=tokens.device)
        hidden = self._decode(torch.cat([start, tokens], 1), encoded[rows], valid[rows], None)
        if self.carries:
            hidden = torch.cat([hidden[:, :1], hidden[:, 1:] + hidden[:, :1]], dim=1)
        return hidden


def _lower(length: int, device: torch.device) -> Tensor:
    """Each position may look at itself and at those before it, ``bool[T, T]``."""
    return torch.ones(length, length, dtype=torch.bool, device=device).tril()


def _with_steps(allowed: Tensor, steps: int) -> Tensor:
    """Who may look at whom when steps are added that see the prompt and themselves."""
    new = torch.eye(steps, dtype=torch.bool, device=allowed.device)
    whole = new.new_ones(steps, allowed.shape[1])
    return torch.cat([F.pad(allowed, (0, steps)), torch.cat([whole, new], dim=1)], dim=0)


def _causal(valid: Tensor) -> Tensor:
    """Who may look at whom in right-padded prompts, ``bool[B, T, T]``; padding sees itself."""
    longest = valid.shape[1]
    itself = torch.eye(longest, dtype=torch.bool, device=valid.device)
    return (_lower(longest, valid.device) & valid[:, None]) | itself


def make_backbone(model: PreTrainedModel, table: TokenTable) -> Backbone:
    """The backbone for a Hugging Face model, by its own statement of what it is."""
    kind = Seq2SeqBackbone if model.config.is_encoder_decoder else CausalBackbone
    return kind(model, table)
