"""The figures of a comparison with their uncertainty: what table, JSON and page all show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from p5rec.errors import RequestError
from p5rec.evaluation.protocol import Result
from p5rec.evaluation.significance import Floats, Interval, interval_of, sampled_means

REFERENCE = "popularity"
SAMPLES = 10_000


@dataclass(frozen=True)
class Row:
    """One ranker under one protocol, as it is reported.

    ``ratios``: mean over that of popularity (only where popularity was measured and is not 0);
    ``lead``: for a baseline, the model's mean minus its own, paired by user.
    """

    name: str
    protocol: str
    is_model: bool
    users: int
    figures: dict[str, Interval]
    ratios: dict[str, float]
    lead: dict[str, Interval]
    coverage: float
    invalid_items: int

    @property
    def label(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ")


def summarise(results: Sequence[Result], *, model: str | None = None, seed: int = 0) -> list[Row]:
    """Means, 95% intervals, ratios to popularity and the model's lead, a row for each result.

    :param model: the name of the ranker that the others are baselines for; the first by default.
    :raises RequestError: if there is no result, or none of that name.
    """
    names = [result.name for result in results]
    model = model if model is not None else next(iter(names), None)
    if model not in names:
        raise RequestError(f"no result is called {model!r}. Results: {', '.join(names) or 'none'}.")
    rows = []
    for protocol in dict.fromkeys(result.protocol for result in results):
        group = [result for result in results if result.protocol == protocol]
        rows += _rows(group, str(model), seed)
    return rows


def shown_metrics(rows: Iterable[Row], wanted: Sequence[str]) -> list[str]:
    """Those of the wanted metrics that were measured; all measured ones if that leaves none."""
    measured = list(dict.fromkeys(metric for row in rows for metric in row.figures))
    return [metric for metric in wanted if metric in measured] or measured


def _rows(group: Sequence[Result], model: str, seed: int) -> list[Row]:
    """One protocol. All its rankers share each sample of users, so any two can be compared."""
    metrics = list(group[0].per_user)
    values = np.stack([np.stack([r.per_user[m] for m in metrics], axis=1) for r in group], axis=1)
    users = len(values)
    means = values.mean(axis=0) if users else np.zeros(values.shape[1:])
    samples = np.zeros((1, *means.shape))
    if users:
        flat = sampled_means(values.reshape(users, -1), samples=SAMPLES, seed=seed)
        samples = flat.reshape(-1, *means.shape)
    by_name = {result.name: number for number, result in enumerate(group)}
    first, reference = by_name.get(model), by_name.get(REFERENCE)
    rows = []
    for number, result in enumerate(group):
        lead: dict[str, Interval] = {}
        if first is not None and first != number:
            lead = _intervals(
                metrics, samples[:, first] - samples[:, number], means[first] - means[number]
            )
        rows.append(
            Row(
                name=result.name,
                protocol=result.protocol,
                is_model=first == number,
                users=users,
                figures=_intervals(metrics, samples[:, number], means[number]),
                ratios={}
                if reference is None
                else _ratios(metrics, means[number], means[reference]),
                lead=lead,
                coverage=result.coverage,
                invalid_items=result.invalid_items,
            )
        )
    return rows


def _intervals(metrics: Sequence[str], samples: Floats, means: Floats) -> dict[str, Interval]:
    return {
        metric: interval_of(samples[:, column], float(means[column]))
        for column, metric in enumerate(metrics)
    }


def _ratios(metrics: Sequence[str], means: Floats, reference: Floats) -> dict[str, float]:
    return {
        metric: float(mean / base)
        for metric, mean, base in zip(metrics, means, reference, strict=True)
        if base > 0
    }
