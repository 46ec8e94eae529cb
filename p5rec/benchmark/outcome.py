"""The figures of a suite as plain values: means over seeds, and paired tests against rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from p5rec.benchmark.records import Record
from p5rec.benchmark.suite import Suite
from p5rec.data.splits import Cases
from p5rec.evaluation.metrics import invalid_slots
from p5rec.evaluation.protocol import PLAIN
from p5rec.evaluation.significance import interval_of, permutation_tests, sampled_means

Values = dict[str, Any]

DIGITS = 5


def outcome(
    suite: Suite,
    recipe: str,
    *,
    seeds: Mapping[int, Record],
    rivals: Mapping[str, Record],
    budgets: Sequence[Record],
    cases: Cases,
    n_items: int,
) -> Values:
    """What ``eval/results/<suite>.json`` holds.

    ``plain`` and ``unseen`` hold a mean and a standard deviation over seeds for each metric. The
    tests against a rival pair each user's mean over seeds with the rival's value. Minutes are
    those of the clock; ``train_cpu_minutes`` counts every core, which differs on a busy machine.
    ``seconds_to_<reference>`` is the shortest training, among all fits, that reached the published
    figure; None where none did.
    """
    records = list(seeds.values())
    figures = [record.per_user(cases) for record in records]
    theirs = {name: record.per_user(cases) for name, record in rivals.items()}
    ours = _mean_values(figures)
    told: Values = {
        "suite": suite.name,
        "recipe": recipe,
        "seeds": list(seeds),
        "users": len(cases),
        "items": n_items,
        "train_minutes": _mean([record.facts["train_minutes"] for record in records]),
        "train_cpu_minutes": _mean([record.facts["train_cpu_minutes"] for record in records]),
        "eval_seconds": _mean([r.facts["eval_seconds"][PLAIN.name] for r in records]),
        "parameters": records[0].facts["parameters"],
        "parameters_trained": records[0].facts["parameters_trained"],
        "invalid_items": sum(
            int(invalid_slots(rows, n_items).sum()) for r in records for rows in r.lists.values()
        ),
    }
    for protocol in figures[0]:
        told[protocol] = {
            metric: _over_seeds([float(one[protocol][metric].mean()) for one in figures])
            for metric in suite.metrics
        }
    told["runs"] = [
        {**record.facts, **_means(one, suite)} for record, one in zip(records, figures, strict=True)
    ]
    told["baselines"] = {
        name: {**rivals[name].facts, **_means(one, suite)} for name, one in theirs.items()
    }
    for name, one in theirs.items():
        told[f"vs_{name}"] = _against(ours, one, suite)
    points = [{**record.facts, **_means(record.per_user(cases), suite)} for record in budgets]
    told["budgets"] = points
    if suite.reference is not None:
        told["reference"] = suite.reference.model_dump()
        reached = [
            60 * point["train_minutes"]
            for point in [*points, *told["runs"]]
            if point[PLAIN.name][suite.reference.metric] >= suite.reference.value
        ]
        told[f"seconds_to_{suite.reference.name.lower()}"] = (
            round(min(reached), 1) if reached else None
        )
    return told


def _means(figures: Values, suite: Suite) -> Values:
    return {
        protocol: {metric: round(float(values[metric].mean()), DIGITS) for metric in suite.metrics}
        for protocol, values in figures.items()
    }


def _mean_values(figures: Sequence[Values]) -> Values:
    """Protocol -> metric -> the mean over seeds of each user's value."""
    return {
        protocol: {
            metric: np.mean([one[protocol][metric] for one in figures], axis=0)
            for metric in figures[0][protocol]
        }
        for protocol in figures[0]
    }


def _against(ours: Values, theirs: Values, suite: Suite) -> Values:
    """How far the model is ahead: mean difference, 95% interval, p of the permutation test."""
    told: Values = {}
    for protocol, values in ours.items():
        columns = np.stack([values[m] - theirs[protocol][m] for m in suite.metrics], axis=1)
        means, chances = sampled_means(columns, seed=0), permutation_tests(columns, seed=0)
        told[protocol] = {}
        for number, metric in enumerate(suite.metrics):
            lead = interval_of(means[:, number], float(columns[:, number].mean()))
            told[protocol][metric] = {
                "difference": round(lead.mean, DIGITS),
                "low": round(lead.low, DIGITS),
                "high": round(lead.high, DIGITS),
                "p": round(float(chances[number]), DIGITS),
            }
    return told


def _over_seeds(means: Sequence[float]) -> Values:
    spread = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
    return {"mean": round(float(np.mean(means)), DIGITS), "sd": round(spread, DIGITS)}


def _mean(values: Sequence[float]) -> float:
    return round(float(np.mean(values)), 3)
