"""Encoder-decoders (T5)."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, EncoderDecoderCache, PreTrainedModel
from typing_extensions import override

from p5rec.model.backbone import Backbone, Version
from p5rec.model.key_value_cache import Prefix, new_cache
from p5rec.model.lean import additive
from p5rec.model.lean_t5 import LeanT5
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.token_table import TokenTable
from p5rec.model.walk_state import WalkState


class Seq2SeqBackbone(Backbone):
    """T5 kinds with a tied head: the prompt goes through the encoder, walks through the decoder."""

    one_pass = False

    def __init__(self, model: PreTrainedModel, table: TokenTable) -> None:
        super().__init__(model, table)
        self._scale = model.config.d_model**-0.5 if model.config.scale_decoder_outputs else 1.0
        self._start = int(model.config.decoder_start_token_id)
        self._lean: tuple[Version, LeanT5] | None = None

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
        cache: Cache = new_cache(self.model)
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
