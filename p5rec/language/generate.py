"""Writes text with the language model: text tokens alone, item tokens are out of its reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from p5rec.errors import DecodingError
from p5rec.language.statement_walk import StatementWalk
from p5rec.model.backbone import Backbone
from p5rec.model.prompt_batch import PromptBatch
from p5rec.prompting.tokenizing import TextTokenizer

LONGEST_FREE = 48
"""Tokens of a text that keeps to nothing."""
LONGEST_KEPT = 256
"""Tokens that sentences of a walk may take together; the walk ends before."""
BROKEN = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer puts in the place of bytes that are no whole character."""


def write(
    backbone: Backbone,
    prompts: PromptBatch,
    *,
    tokenizer: TextTokenizer,
    end: int,
    longest: int = LONGEST_FREE,
    walks: Sequence[StatementWalk] | None = None,
    on_token: Callable[[int, int], None] | None = None,
) -> list[str]:
    """What the model writes after each prompt, side by side, until its end token.

    Reserved tokens other than ``end`` cannot be written. A batch gives what single calls give,
    up to rounding.

    :param longest: at most so many tokens, fewer where the model has no positions left.
    :param walks: for each prompt the sentences to keep to; the model chooses among them. One is
        used up by this call.
    :param on_token: called with the number of the prompt and each of its tokens, as they come.
    :raises DecodingError: if the model's scores are not finite.
    """
    written: list[list[int]] = [[] for _ in range(len(prompts.lengths))]
    for tokens in _written(backbone, prompts, tokenizer, end, longest, walks):
        for row, token in enumerate(tokens):
            if not written[row] or written[row][-1] != end:
                written[row].append(token)
                if on_token is not None:
                    on_token(row, token)
    return [tokenizer.decode(_until(row, end)) for row in written]


def stream(
    backbone: Backbone,
    prompt: PromptBatch,
    *,
    tokenizer: TextTokenizer,
    end: int,
    longest: int = LONGEST_FREE,
) -> Iterator[str]:
    """What :func:`write` gives for a single prompt, piece by piece as its tokens come.

    Bytes of a character that is not whole yet wait for the rest of it.

    :raises DecodingError: if the model's scores are not finite.
    """
    tokens: list[int] = []
    told = ""
    for (token,) in _written(backbone, prompt, tokenizer, end, longest, None):
        if token == end:
            break
        tokens.append(token)
        text = tokenizer.decode(tokens)
        if not text.endswith(BROKEN) and len(text) > len(told):
            yield text[len(told) :]
            told = text
    text = tokenizer.decode(tokens)
    if len(text) > len(told):
        yield text[len(told) :]


def walk_along(
    backbone: Backbone,
    prompt: PromptBatch,
    walk: StatementWalk,
    *,
    tokenizer: TextTokenizer,
    end: int,
    longest: int,
) -> Iterator[None]:
    """Write along the sentences of a walk for a single prompt, one token a step."""
    for (token,) in _written(backbone, prompt, tokenizer, end, longest, [walk]):
        if token != end:
            yield


@torch.inference_mode()
def _written(
    backbone: Backbone,
    prompts: PromptBatch,
    tokenizer: TextTokenizer,
    end: int,
    longest: int,
    walks: Sequence[StatementWalk] | None,
) -> Iterator[list[int]]:
    """One token a prompt, step by step, until all have ended; ``end`` after a prompt's own end."""
    state, hidden = backbone.begin(prompts)
    forbidden = _forbidden(backbone, tokenizer, end)
    parents = torch.zeros(len(hidden), 1, dtype=torch.int64, device=hidden.device)
    ended = torch.zeros(len(hidden), dtype=torch.bool, device=hidden.device)
    for step in range(steps := _steps(backbone, prompts, longest)):
        logits = backbone.text_logits(hidden[:, 0])
        if not torch.isfinite(logits).all():
            raise DecodingError(
                "the model gave a score that is not finite while writing. Its weights are damaged "
                "or training diverged; load another bundle or train again."
            )
        logits = logits.masked_fill(forbidden, -torch.inf)
        if walks is not None:
            logits = _kept_to(logits, walks)
        tokens = logits.argmax(-1).masked_fill(ended, end)
        for row, token in enumerate(tokens.tolist()):
            if walks is not None and not ended[row]:
                walks[row].push(token)
        ended |= tokens == end
        yield tokens.tolist()
        if bool(ended.all()) or step + 1 == steps:
            break
        hidden = backbone.extend(state, parents, tokens[:, None])


def _kept_to(logits: Tensor, walks: Sequence[StatementWalk]) -> Tensor:
    """The logits of the tokens that each walk allows."""
    kept = torch.full_like(logits, -torch.inf)
    for row, walk in enumerate(walks):
        allowed = torch.tensor(walk.allowed(), dtype=torch.int64, device=logits.device)
        kept[row, allowed] = logits[row, allowed]
    return kept


def _forbidden(backbone: Backbone, tokenizer: TextTokenizer, end: int) -> Tensor:
    """Which text tokens may not be written, ``bool[base_size]``."""
    size = backbone.table.base_size
    forbidden = torch.arange(size, device=backbone.device) >= tokenizer.size
    reserved = [token for token in tokenizer.reserved if token < size]
    forbidden[torch.tensor(reserved, dtype=torch.int64, device=backbone.device)] = True
    forbidden[end] = False
    return forbidden


def _steps(backbone: Backbone, prompts: PromptBatch, longest: int) -> int:
    """How many tokens there is room for: models with learnt positions have no more of them."""
    positions = getattr(backbone.model.config, "n_positions", None)
    if positions is None or backbone.model.config.is_encoder_decoder:
        return longest
    return max(0, min(longest, int(positions) + 1 - int(prompts.lengths.max())))


def _until(tokens: list[int], end: int) -> list[int]:
    return tokens[: tokens.index(end)] if end in tokens else tokens
