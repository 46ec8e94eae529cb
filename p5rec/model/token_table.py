"""The embedding rows of text and item tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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
