"""Whether an explanation names what moved the model: the score without the events that it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.decoding.next_item import NextItemRanker
from p5rec.language.evidence import score_without
from p5rec.language.explanation import Evidence

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Faithfulness:
    """By how many nats each item's log-probability drops, ``float64[N]``.

    ``named``: without the items of the evidence; ``random``: without as many items of the history
    drawn at random, on average.
    """

    named: FloatArray
    random: FloatArray

    @property
    def ratio(self) -> float:
        """The mean drop without what was named, over the mean drop without random items."""
        return float(self.named.mean() / max(self.random.mean(), 1e-9))

    def interval(self, *, draws: int = 1000, seed: int = 0) -> tuple[float, float]:
        """A 95% bootstrap interval of the ratio, over cases."""
        rng = np.random.default_rng(seed)
        chosen = rng.integers(len(self.named), size=(draws, len(self.named)))
        ratios = self.named[chosen].mean(1) / np.maximum(self.random[chosen].mean(1), 1e-9)
        low, high = np.quantile(ratios, [0.025, 0.975])
        return float(low), float(high)


def measure_faithfulness(
    ranker: NextItemRanker,
    histories: Histories,
    evidence: Sequence[Evidence],
    *,
    draws: int = 5,
    seed: int = 0,
) -> Faithfulness:
    """Score each item again without what its evidence names, and without as many random items.

    Cases without evidence, or whose evidence is the whole history, say nothing and are left out.
    Random items are drawn from all distinct items of the history, the named ones too, ``draws``
    times a case.

    :param evidence: one a history, as ``measure_evidence`` gives it.
    """
    rng = np.random.default_rng(seed)
    users: list[int] = []
    removed: list[IntArray] = []
    for user, one in enumerate(evidence):
        named = np.array([event.item for event in one.events], dtype=np.int64)
        distinct = np.unique(histories.items[histories.slice(user)])
        if not 0 < len(named) < len(distinct):
            continue
        drawn = [rng.choice(distinct, len(named), replace=False) for _ in range(draws)]
        users += [user] * (draws + 2)
        removed += [np.empty(0, np.int64), named, *drawn]
    items = np.array([one.item for one in evidence], dtype=np.int64)
    scores = score_without(ranker, histories, items, np.array(users, dtype=np.int64), removed)
    table = scores.reshape(-1, draws + 2)
    drops = table[:, :1] - table[:, 1:]
    return Faithfulness(drops[:, 0], drops[:, 1:].mean(1))
