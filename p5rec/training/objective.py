"""The loss of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from p5rec.decoding.scorer import ItemScorer
from p5rec.training.batch import Batch, PriorBatch, TextBatch, WalkBatch


class Objective(nn.Module):
    """Negative log-likelihood: of items over the codes that can follow, of text over text tokens.

    :param precision: of the network's passes; the loss is always worked out in float32.

    Being a module with a ``forward``, it can be wrapped for training on several devices.
    """

    def __init__(self, scorer: ItemScorer, *, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.scorer = scorer
        self._precision = precision

    def forward(self, batch: Batch) -> Tensor:
        """Mean loss of the batch, in nats an item (walks) or a token (text)."""
        if isinstance(batch, PriorBatch):
            return self._prior(batch)
        return self._text(batch) if isinstance(batch, TextBatch) else self._walks(batch)

    def _prior(self, batch: PriorBatch) -> Tensor:
        prior, device = self.scorer.prior, self.scorer.backbone.device
        assert prior is not None
        log_probs = prior.log_probs(
            batch.features, batch.context.to(device), batch.items.to(device)
        )
        weights = batch.weights.to(device)
        return -(log_probs * weights).sum() / weights.sum()

    def _passes(self) -> torch.autocast:
        kind = self.scorer.backbone.device.type
        return torch.autocast(kind, self._precision, enabled=self._precision != torch.float32)

    def _walks(self, batch: WalkBatch) -> Tensor:
        scorer, device = self.scorer, self.scorer.backbone.device
        items = batch.items.to(device)
        contexts = None
        if scorer.prior is not None and batch.features is not None:
            contexts = scorer.prior.contexts(batch.features)
        context = None if batch.context is None else batch.context.to(device)
        with self._passes():
            hidden = scorer.states(
                batch.prompts.to(device), batch.rows.to(device), batch.positions.to(device), items
            )
        log_probs = scorer.log_probs(hidden.float(), items, context=context, contexts=contexts)
        weights = batch.weights.to(device)
        return -(log_probs * weights).sum() / weights.sum()

    def _text(self, batch: TextBatch) -> Tensor:
        backbone = self.scorer.backbone
        tokens = batch.tokens.to(backbone.device)
        prompts = batch.prompts.to(backbone.device)
        rows = torch.arange(len(tokens), device=backbone.device)
        written = tokens >= 0
        with self._passes():
            hidden = backbone.follow(
                prompts, rows, prompts.lengths - 1, tokens[:, :-1].clamp(min=0)
            )
            logits = backbone.text_logits(hidden[written])
        return nn.functional.cross_entropy(logits.float(), tokens[written])
