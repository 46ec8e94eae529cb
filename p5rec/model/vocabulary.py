"""Item tokens: the rows that semantic IDs add to a language model's vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.prompting.tokenizing import TextTokenizer


@dataclass(frozen=True)
class Vocabulary:
    """Numbers the item tokens after the ``base_size`` rows of the base model.

    The token of code ``c`` at level ``l`` is ``base_size + offset of l + c``. The text tokenizer
    does not know these tokens: only numbers reach the model, so no text can become one.

    >>> vocabulary = Vocabulary(base_size=100, sizes=(3, 5))
    >>> vocabulary.n_item_tokens, vocabulary.size
    (8, 108)
    >>> vocabulary.token_ids(1, np.array([0, 4])).tolist()
    [103, 107]
    """

    base_size: int
    sizes: tuple[int, ...]

    @classmethod
    def from_semantic_ids(cls, base_size: int, ids: SemanticIDs) -> Vocabulary:
        """One token for each code of each level."""
        return cls(base_size=base_size, sizes=tuple(ids.sizes))

    @property
    def n_item_tokens(self) -> int:
        """How many rows the semantic IDs add."""
        return sum(self.sizes)

    @property
    def size(self) -> int:
        """Rows of the base model and of the item tokens together."""
        return self.base_size + self.n_item_tokens

    def token_ids(self, level: int, codes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Token ids of codes of one level."""
        return self.base_size + sum(self.sizes[:level]) + codes.astype(np.int64)

    def item_tokens(self, ids: SemanticIDs) -> NDArray[np.int64]:
        """Token ids of each item's path, ``int64[n_items, depth]``."""
        columns = [self.token_ids(level, ids.codes[:, level]) for level in range(ids.depth)]
        return np.stack(columns, axis=1)


def rows_from_items(
    vectors: NDArray[np.float32],
    weights: NDArray[np.int64],
    tokens: NDArray[np.int64],
    *,
    n_tokens: int,
) -> Tensor:
    """One unit row a token: the direction of the weighted mean of its items' vectors.

    :param vectors: one vector an item, ``float32[n_items, d]``; zero where nothing is known.
    :param weights: how much each item counts, ``int64[n_items]``.
    :param tokens: each item's path, counted from the first item token, ``int64[n_items, depth]``.
    :param n_tokens: how many item tokens there are, those included that no item has.
    :return: ``float[n_tokens, d]``; zero for a token that no vector says anything about.
    """
    weighted = torch.from_numpy(vectors) * (1 + torch.from_numpy(weights))[:, None]
    rows = torch.zeros(n_tokens, vectors.shape[1])
    for level in tokens.T:
        rows.index_add_(0, torch.from_numpy(level), weighted.to(torch.float32))
    return torch.nn.functional.normalize(rows, dim=1, eps=1e-8)


def rows_from_text(
    embedding: Tensor, labels: Sequence[Sequence[str]], tokenizer: TextTokenizer, *, seed: int
) -> Tensor:
    """First values of the item tokens' rows, from the base model's embedding of their words.

    Each row is the mean of the rows of its label's text tokens, brought to the typical length of
    a base row, with a hundredth of noise so that equal labels can part in training.

    :param embedding: rows of the base model, ``float[base_size, d]``.
    :param labels: the text of each code of each level.
    :return: ``float[number of labels, d]``, level by level.
    """
    encoded = [tokenizer.encode_untrusted(label, 32) for level in labels for label in level]
    usual = embedding.mean(0)
    lengths = torch.tensor([len(ids) for ids in encoded])
    flat = torch.tensor([token for ids in encoded for token in ids], dtype=torch.int64)
    owner = torch.repeat_interleave(lengths)
    sums = torch.zeros(len(encoded), embedding.shape[1]).index_add_(0, owner, embedding[flat])
    rows = torch.where(lengths[:, None] > 0, sums / lengths.clamp(min=1)[:, None], usual)
    length = embedding.norm(dim=1).median()
    rows = rows / rows.norm(dim=1, keepdim=True).clamp(min=1e-6) * length
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(seed))
    started: Tensor = rows + 0.01 * length * noise / embedding.shape[1] ** 0.5
    return started
