"""The baselines of a suite: tuned on validation within a stated time, then measured."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from p5rec.benchmark.halving import Trial, halve
from p5rec.benchmark.records import Record, measure
from p5rec.benchmark.suite import Rival
from p5rec.data.events import Histories
from p5rec.data.splits import Cases
from p5rec.evaluation.baselines import Baseline, OwnFrequency, OwnRecent, Popularity
from p5rec.evaluation.collaborative import Factors, ItemNeighbours
from p5rec.evaluation.protocol import FIGURE, validation_figure
from p5rec.evaluation.sasrec import SASRec
from p5rec.evaluation.scored import ScoringModel
from p5rec.progress import Bar, Reporter

Settings = dict[str, Any]

VALIDATED = 4000
"""At most so many users validate a trial."""

PLAIN_RIVALS: dict[Rival, Callable[[], Baseline]] = {
    "popularity": Popularity,
    "own-frequency": OwnFrequency,
    "own-recent": OwnRecent,
}
TUNED: dict[Rival, type[ScoringModel]] = {"item-knn": ItemNeighbours, "ials": Factors}
EPOCHS = 10_000
"""Of SASRec: so many that the clock alone stops it."""
PREFIXES: Settings = {
    "examples": "prefix",
    "loss": "softmax",
    "batch": 512,
    "learning_rate": 4e-3,
    "heads": 2,
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
        # "every" is ahead in the first minutes, so one of it is enough for the first rung.
        {"examples": "every", "learning_rate": 2e-3, "dropout": 0.5, "blocks": 2, "heads": 2},
        PREFIXES | {"dropout": 0.5, "blocks": 2},
        PREFIXES | {"dropout": 0.5},
        PREFIXES | {"dropout": 0.2, "blocks": 2},
    ],
}


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
        return self.validation.take(chosen)


def fit_rival(
    name: Rival, world: World, *, minutes: float, trials: int | None, reporter: Reporter
) -> Record:
    """Tune a baseline on validation, fit the best settings, and measure it on test.

    :param minutes: the budget of a rival that learns by the clock, its tuning included: the
        settings go through successive halving. The others take what they need.
    :param trials: only the first so many settings are tried.
    """
    begun, cpu = time.monotonic(), time.process_time()
    model: Baseline
    facts: Settings = {}
    with reporter.bar(f"Baseline {name}") as bar:
        told = _Told(bar)
        if name in PLAIN_RIVALS:
            model = PLAIN_RIVALS[name]().fit(world.train, world.n_items)
        elif name == "sasrec":
            model, facts = _halved(world, GRIDS[name][:trials], minutes, told)
        else:
            model, facts = _tuned(name, world, GRIDS[name][:trials], told)
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


def _tuned(
    name: Rival, world: World, grid: Sequence[Settings], told: _Told
) -> tuple[ScoringModel, Settings]:
    """Each settings fitted once, and the best of them on validation fitted again."""
    tried: list[Trial] = []
    validated = world.validated
    for settings in grid:
        begun = time.monotonic()
        model = TUNED[name](**settings).fit(world.train, world.n_items)
        trial = {
            "settings": settings,
            f"validation {FIGURE}": round(validation_figure(model, validated), 5),
            "seconds": round(time.monotonic() - begun, 1),
        }
        tried.append(trial)
        told(trial, len(tried) / (len(grid) + 2))
    best = max(tried, key=lambda trial: float(trial[f"validation {FIGURE}"]))
    model = TUNED[name](**best["settings"])
    fitting = time.monotonic()
    model.fit(world.train, world.n_items)
    minutes = round((time.monotonic() - fitting) / 60, 3)
    return model, {"settings": model.settings, "fit_minutes": minutes, "trials": tried}


def _halved(
    world: World, grid: Sequence[Settings], minutes: float, told: _Told
) -> tuple[SASRec, Settings]:
    """SASRec with the settings that learn best within the budget."""
    begun = time.monotonic()
    candidates = []
    for settings in grid:
        model = SASRec(**settings, history=world.history, epochs=EPOCHS)
        model.validation = world.validated
        model.begin(world.train, world.n_items)
        candidates.append((settings, model))
    model, trials = halve(
        candidates,
        minutes=minutes - (time.monotonic() - begun) / 60,
        tell=lambda trial: told(trial, (time.monotonic() - begun) / (60 * minutes)),
    )
    return model, {
        "settings": model.settings,
        "fit_minutes": round(model.curve[-1]["seconds"] / 60, 3),
        "trials": trials,
        "budget_minutes": minutes,
        "curve": model.curve,
    }


@dataclass(frozen=True)
class _Told:
    """Shows a trial that is over on a bar; 0.9 of it is for the trials."""

    bar: Bar

    def __call__(self, trial: Trial, share: float) -> None:
        words = ", ".join(f"{key} {value}" for key, value in trial["settings"].items())
        figure = trial[f"validation {FIGURE}"]
        self.bar.update(0.9 * min(share, 1.0), f"{words}: {FIGURE} {figure:.4f}")
