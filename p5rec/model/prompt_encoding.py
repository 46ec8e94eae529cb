"""Prompts as the numbers that a backbone reads."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from p5rec.model.prompt_batch import EncodedPrompt
from p5rec.prompting.segments import Control, ItemRef, Prompt
from p5rec.prompting.tokenizing import TextTokenizer


class PromptEncoder:
    """Turns typed segments into positions of token ids.

    Text goes through a tokenizer that knows no item tokens; items are put in as integers.

    :param item_tokens: token ids of each item's path, ``int64[n_items, depth]``.
    :param one_position: whether an item takes one position (the sum of its tokens' rows) or one
        for each code.
    :param end: the base model's end-of-text token, for ``Control("end")``.
    :param longest_text: at most so many tokens of one piece of untrusted text.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        item_tokens: NDArray[np.int64],
        *,
        one_position: bool,
        end: int,
        longest_text: int,
    ) -> None:
        self.tokenizer = tokenizer
        self.end = end
        self._item_tokens = item_tokens
        self._group = item_tokens.shape[1] if one_position else 1
        self._longest_text = longest_text

    def encode(self, prompt: Prompt) -> EncodedPrompt:
        """The positions of a prompt; an empty prompt is one end-of-text token."""
        parts = []
        text: list[int] = []
        for segment in prompt:
            if isinstance(segment, ItemRef):
                parts += [self.text(text), self.items(np.array([segment.row]))]
                text = []
            elif isinstance(segment, Control):
                text.append(self.end)
            else:
                text += self.tokenizer.encode_segment(segment, self._longest_text)
        parts.append(self.text(text))
        encoded = np.concatenate(parts)
        return encoded if len(encoded) else self.text([self.end])

    def items(self, rows: NDArray[np.int64]) -> EncodedPrompt:
        """The positions of catalogue rows."""
        return self._item_tokens[rows].reshape(-1, self._group)

    def text(self, ids: list[int]) -> EncodedPrompt:
        """The positions of text token ids, one each."""
        positions = np.full((len(ids), self._group), -1, dtype=np.int64)
        positions[:, 0] = ids
        return positions
