"""Decoder-only models (GPT-2, Llama kinds, BERT as a decoder)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Cache, DynamicCache, PreTrainedModel
from typing_extensions import override

from p5rec.model.backbone import Backbone, Version
from p5rec.model.key_value_cache import Prefix, cache_after
from p5rec.model.lean_gpt2 import LeanGPT2
from p5rec.model.prompt_batch import EncodedPrompt, PromptBatch
from p5rec.model.token_table import TokenTable
from p5rec.model.walk_state import WalkState

LEAST_SHARED = 3
"""Positions that all prompts of a batch must begin with to be encoded once: fewer save nothing."""
MOST_AHEAD = 48
"""Tokens up to which a pass through a model takes about as long as for a few."""


class CausalBackbone(Backbone):
    """Models that look back alone; nothing is ever copied from beam to beam."""

    one_pass = True

    def __init__(self, model: PreTrainedModel, table: TokenTable) -> None:
        super().__init__(model, table)
        self._lean: tuple[Version, LeanGPT2] | None = None

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
        cache = cache_after(self.model, prefix, n_prompts)
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
        return known, cache_after(self.model, Prefix(head[0].cpu().numpy(), layers), n_prompts)


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
