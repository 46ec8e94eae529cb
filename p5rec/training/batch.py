"""What a training step gets: prompts with items to reach, or prompts with text to write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.decoding.history_index import HistoryFeatures
from p5rec.model.prompt_batch import EncodedPrompt, PromptBatch


@dataclass
class WalkBatch:
    """Prompts and the items that walks off them should reach.

    ``rows``, ``positions``, ``items``, ``weights``, ``context``: for each of R walks its prompt,
    the last position it may look at, its item (catalogue row), its weight in the loss, and which
    context of ``features`` it has; ``features`` None leaves the history prior out.
    """

    prompts: PromptBatch
    rows: Tensor
    positions: Tensor
    items: Tensor
    weights: Tensor
    features: HistoryFeatures | None = None
    context: Tensor | None = None

    @classmethod
    def one_each(cls, prompts: list[EncodedPrompt], items: list[int]) -> WalkBatch:
        """One item a prompt, looked for from the prompt's end."""
        batch = PromptBatch.from_prompts(prompts)
        return cls(
            prompts=batch,
            rows=torch.arange(len(items)),
            positions=batch.lengths - 1,
            items=torch.tensor(items),
            weights=torch.ones(len(items)),
        )


@dataclass
class TextBatch:
    """Prompts and the text that should follow: ``tokens`` ``int64[B, L]``, -1 is none."""

    prompts: PromptBatch
    tokens: Tensor

    @classmethod
    def from_texts(cls, prompts: list[EncodedPrompt], texts: list[list[int]]) -> TextBatch:
        """Pad texts on the right to the longest."""
        tokens = np.full((len(texts), max(map(len, texts))), -1, dtype=np.int64)
        for row, text in enumerate(texts):
            tokens[row, : len(text)] = text
        return cls(PromptBatch.from_prompts(prompts), torch.from_numpy(tokens))


@dataclass
class PriorBatch:
    """Moments of histories and the items that came next, for the history prior alone.

    ``context``, ``items``, ``weights``: for each of R targets which context of ``features`` it has,
    its catalogue row and its weight in the loss.
    """

    features: HistoryFeatures
    context: Tensor
    items: Tensor
    weights: Tensor


Batch = WalkBatch | TextBatch | PriorBatch


@dataclass(frozen=True)
class Plan:
    """The examples of one epoch: what each costs (in positions), and how some become a batch.

    ``make(chosen, rng)`` is a function of its arguments alone.
    """

    lengths: NDArray[np.int64]
    make: Callable[[NDArray[np.int64], np.random.Generator], Batch]

    @classmethod
    def alike(
        cls,
        subjects: NDArray[np.int64],
        positions: int,
        make: Callable[[NDArray[np.int64], np.random.Generator], Batch],
    ) -> Plan:
        """Examples of some subjects (items or events), each of which costs as much.

        :param make: makes a batch of some of the subjects themselves.
        """
        lengths = np.full(len(subjects), positions, dtype=np.int64)
        return cls(lengths, lambda chosen, rng: make(subjects[chosen], rng))


class Examples(Protocol):
    """The examples of one task."""

    def plan(self, rng: np.random.Generator) -> Plan:
        """What to learn in an epoch; a function of ``rng`` alone."""
