"""Encoded prompts, alone and side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

EncodedPrompt = NDArray[np.int64]
"""``int64[T, G]``: T positions, each the sum of the rows of its (up to G) tokens; -1 is none."""


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
