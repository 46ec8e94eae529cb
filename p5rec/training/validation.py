"""What training is measured by: which weights are kept, how much the network counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from p5rec.data.splits import Cases, Split
from p5rec.decoding.assembled import AssembledModel
from p5rec.evaluation.protocol import validation_figure

TRUSTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""What the network's logits may count for beside a prior that has learnt by itself."""


@dataclass(frozen=True)
class Validation:
    """The figure that training goes by: that of a model as it is on a fixed sample of users."""

    model: AssembledModel
    cases: Cases

    @classmethod
    def of(cls, model: AssembledModel, split: Split) -> Validation | None:
        """On as many users as the recipe says; None where the split has none to validate on."""
        cases = split.cases("validation", model.catalogue)
        if not len(cases):
            return None
        return cls(model, cases.sample(model.recipe.training.validation_users))

    def __call__(self) -> float:
        """The figure of the present weights."""
        return validation_figure(self.model.ranker(), self.cases)


def choose_trust(model: AssembledModel, validate: Callable[[], float]) -> None:
    """Let the network count for as much as validates best.

    Two models that have learnt apart know much of the same, and both in full would count it twice.
    """
    prior = model.scorer.prior
    if prior is None or prior.trust is None:
        return
    figures = {}
    for trust in TRUSTS:
        with torch.no_grad():
            prior.trust.fill_(trust)
        figures[trust] = validate()
    with torch.no_grad():
        prior.trust.fill_(max(figures, key=figures.__getitem__))
