"""The baselines of a suite: tuned on validation within a stated time, then measured."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from p5rec.benchmark.records import Record, measure
from p5rec.benchmark.suite import Rival
from p5rec.data.events import Histories
from p5rec.data.splits import Cases
from p5rec.evaluation.baselines import Baseline, OwnFrequency, OwnRecent, Popularity
from p5rec.evaluation.collaborative import Factors, ItemNeighbours
from p5rec.evaluation.metrics import evaluate_ranking
from p5rec.evaluation.sasrec import SASRec
from p5rec.evaluation.scored import ScoringModel
from p5rec.progress import Reporter

Settings = dict[str, Any]

VALIDATED = 4000
"""At most so many users validate a trial."""
FIGURE = "ndcg@10"

PLAIN_RIVALS: dict[Rival, Callable[[], Baseline]] = {
    "popularity": Popularity,
    "own-frequency": OwnFrequency,
    "own-recent": OwnRecent,
}
TUNED: dict[Rival, type[ScoringModel]] = {
    "item-knn": ItemNeighbours,
    "ials": Factors,
    "sasrec": SASRec,
}
GRIDS: dict[Rival, list[Settings]] = {
    "item-knn": [
        {"similarity": similarity, "neighbours": neighbours, "decay": decay}
        for similarity in ("cosine", "bm25")
        for neighbours in (50, 500)
        for decay in (0.7, 1.0)
    ],
    "ials": [
        {"factors": 64, "alpha": 10.0, "regularisation": 0.01},
        {"factors": 128, "alpha": 10.0, "regularisation": 0.1},
        {"factors": 128, "alpha": 40.0, "regularisation": 0.1},
        {"factors": 256, "alpha": 10.0, "regularisation": 0.1},
    ],
    "sasrec": [
        {"loss": "sampled", "dropout": 0.2},
        {"loss": "sampled", "dropout": 0.5},
        {"loss": "softmax", "dropout": 0.2},
        {"loss": "softmax", "dropout": 0.5},
        {"loss": "sampled", "dropout": 0.5, "blocks": 2, "heads": 2},
        {"loss": "softmax", "dropout": 0.5, "width": 128},
    ],
}
TRIAL_SHARE = 0.5
"""Of the time of a rival that learns by the clock, so much goes into the trials."""


@dataclass(frozen=True)
class World:
    """What a rival learns from and is measured on; ``history``: at most so many events count."""

    train: Histories
    validation: Cases
    test: Cases
    n_items: int
    history: int

    @cached_property
    def validated(self) -> Cases:
        """The users that validate trials: a sample that does not depend on their order."""
        users = self.validation.histories.user_ids
        keys = [hashlib.blake2b(user.encode()).digest() for user in users]
        chosen = np.array(sorted(range(len(keys)), key=keys.__getitem__)[:VALIDATED], dtype=int)
        targets = [self.validation.targets[user] for user in chosen.tolist()]
        return Cases(self.validation.histories.take(chosen), targets)


def fit_rival(
    name: Rival, world: World, *, minutes: float, trials: int | None, reporter: Reporter
) -> Record:
    """Tune a baseline on validation, fit the best settings, and measure it on test.

    :param minutes: the budget of a rival that learns by the clock: half for trials, which share
        it evenly, half for the fit that counts. The others take what they need.
    :param trials: only the first so many settings are tried.
    """
    begun, cpu = time.monotonic(), time.process_time()
    model: Baseline
    facts: Settings = {}
    with reporter.bar(f"Baseline {name}") as bar:
        if name in TUNED:
            tried: list[Settings] = []
            grid = GRIDS[name][:trials]
            for trial in _trials(name, world, grid, minutes):
                tried.append(trial)
                bar.update(len(tried) / (len(grid) + 2), _told(trial))
            best = max(tried, key=lambda trial: float(trial[f"validation {FIGURE}"]))
            model = _made(name, world, best["settings"], minutes * (1 - TRIAL_SHARE))
            fitting = time.monotonic()
            model.fit(world.train, world.n_items)
            facts = {
                "settings": model.settings,
                "fit_minutes": round((time.monotonic() - fitting) / 60, 3),
                "trials": tried,
            }
            if isinstance(model, SASRec):
                facts |= {"budget_minutes": minutes, "curve": model.curve}
        else:
            model = PLAIN_RIVALS[name]().fit(world.train, world.n_items)
        facts |= {
            "train_minutes": round((time.monotonic() - begun) / 60, 3),
            "train_cpu_minutes": round((time.process_time() - cpu) / 60, 3),
        }
        bar.update(0.9, "test")
        lists, seconds = measure(name, model, world.test, n_items=world.n_items)
    return Record({**facts, "eval_seconds": seconds}, lists)


def rival_signature(name: Rival, minutes: float, trials: int | None, *, history: int) -> str:
    """What a record of this rival depends on, besides the events that it learns from."""
    told = {"name": name, "grid": GRIDS.get(name, [])[:trials]}
    clocked = {"minutes": minutes, "history": history} if name == "sasrec" else {}
    return json.dumps(told | clocked, sort_keys=True)


def _trials(
    name: Rival, world: World, grid: Iterable[Settings], minutes: float
) -> Iterator[Settings]:
    settings = list(grid)
    each = minutes * TRIAL_SHARE / max(len(settings), 1)
    validated = world.validated
    for one in settings:
        begun = time.monotonic()
        model = _made(name, world, one, each)
        model.fit(world.train, world.n_items)
        if isinstance(model, SASRec):
            figure = model.best
        else:
            ranked = model.rank(validated.histories, k=10)
            values = evaluate_ranking(ranked, validated.targets, ks=(10,))
            figure = float(values[FIGURE].mean())
        yield {
            "settings": one,
            f"validation {FIGURE}": round(figure, 5),
            "seconds": round(time.monotonic() - begun, 1),
        }


def _made(name: Rival, world: World, settings: Settings, minutes: float) -> ScoringModel:
    model = TUNED[name](**settings)
    if isinstance(model, SASRec):
        model = SASRec(**settings, history=world.history, minutes=minutes)
        model.validation = world.validated
    return model


def _told(trial: Settings) -> str:
    words = ", ".join(f"{key} {value}" for key, value in trial["settings"].items())
    return f"{words}: {FIGURE} {trial[f'validation {FIGURE}']:.4f}"
