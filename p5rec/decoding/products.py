"""Products of states with the vectors of children, as a CPU likes them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx


def row_products(rows: Tensor, hidden: Tensor) -> Tensor:
    """The product of each row's vectors ``float[R, W, d]`` with its state ``float[R, d]``.

    On a CPU a state as a row times the vectors laid across is 3 to 20 times as fast as the vectors
    times a column, which torch's own product comes down to there or in its gradient.

    :return: ``float[R, W]``, differentiable.
    """
    found: Tensor = _Products.apply(rows, hidden)  # type: ignore[no-untyped-call]
    return found


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor, hidden: Tensor) -> Tensor:
        ctx.save_for_backward(rows, hidden)
        return torch.bmm(hidden.unsqueeze(1), rows.transpose(1, 2)).squeeze(1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:  # noqa: ANN401 (torch's own)
        rows, hidden = ctx.saved_tensors
        of_hidden = torch.bmm(gradient.unsqueeze(1), rows).squeeze(1)
        return gradient.unsqueeze(2) * hidden.unsqueeze(1), of_hidden
