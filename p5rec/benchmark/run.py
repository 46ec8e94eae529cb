"""Runs a suite: fits a recipe for each seed, measures it beside its rivals, tells both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from p5rec.benchmark.machine import circumstances
from p5rec.benchmark.outcome import outcome
from p5rec.benchmark.records import Record, measure
from p5rec.benchmark.rivals import World, fit_rival, rival_signature
from p5rec.benchmark.suite import Rival, Suite
from p5rec.data.fingerprint import fingerprint
from p5rec.data.sources import Source
from p5rec.data.splits import Cases, Split
from p5rec.errors import RequestError
from p5rec.evaluation.assessment import MODEL
from p5rec.model.recipe import Recipe
from p5rec.progress import Reporter
from p5rec.recommender import Recommender
from p5rec.training.checkpoint import forget


@dataclass(frozen=True)
class Run:
    """What to run.

    :param seeds: one fit each.
    :param max_minutes: a fit stops after so many.
    :param baselines: in place of those of the suite.
    :param baseline_minutes: the budget of a rival that learns by the clock, its tuning included.
    :param trials: each rival tries at most so many settings.
    :param budgets: further fits of the first seed, stopped after so many minutes each: accuracy
        against training time.
    :param users: so many test users are asked, drawn at random, alike for all models; all by
        default. For models that take long to answer.
    :param work: where finished fits are kept; a fit that is there is not made again.
    """

    suite: Suite
    recipe: Recipe
    work: Path
    data: Path | None = None
    seeds: Sequence[int] = (0, 1, 2)
    max_minutes: float | None = None
    baselines: Sequence[Rival] | None = None
    baseline_minutes: float = 90.0
    trials: int | None = None
    budgets: Sequence[float] = ()
    users: int | None = None


def run_suite(run: Run, *, reporter: Reporter, command: str = "") -> dict[str, Any]:
    """Fit and measure what has not been yet; the figures of all of it as plain values.

    Every model sees the same training events, and the same test events under both protocols.
    Whoever tunes looks at validation events alone.

    :raises RequestError: if there is no seed, or nothing is held out.
    :raises DataError: if the data of the suite cannot be read.
    """
    if not run.seeds:
        raise RequestError("there is no seed to fit with. Give at least one, such as 0.")
    # Read before the work: a checkout may move on while fits take their hours.
    around = circumstances()
    arena = _Arena.of(run)
    rivals: dict[str, Record] = {
        name: arena.rival(name, reporter)
        for name in (run.suite.baselines if run.baselines is None else run.baselines)
    }
    seeds = {seed: arena.fit(seed, run.max_minutes, reporter) for seed in run.seeds}
    budgets = [arena.fit(run.seeds[0], minutes, reporter) for minutes in run.budgets]
    figures = outcome(
        run.suite,
        arena.recipe.name,
        seeds=seeds,
        rivals=rivals,
        budgets=budgets,
        cases=arena.test,
        n_items=len(arena.source.catalogue),
    )
    return {**figures, **around, "command": command}


@dataclass(frozen=True)
class _Arena:
    """The data of a suite, read and split once."""

    run: Run
    recipe: Recipe
    source: Source
    split: Split
    test: Cases
    data: str

    @classmethod
    def of(cls, run: Run) -> _Arena:
        source = run.suite.read(run.data)
        recipe = run.suite.adapt(run.recipe)
        split = run.suite.parts(source.events, validation_users=recipe.training.validation_users)
        test = split.cases("test", source.catalogue).sample(run.users)
        if not len(test):
            raise RequestError(
                f"suite {run.suite.name} holds nothing out of these events: no user has enough of "
                "them. Give events with three or more a user."
            )
        data = fingerprint(source.events.table) + fingerprint(source.catalogue.table)
        return cls(run, recipe, source, split, test, data)

    def rival(self, name: Rival, reporter: Reporter) -> Record:
        """The record of a baseline, measured now unless it has been."""
        run, catalogue = self.run, self.source.catalogue
        history = self.recipe.prompting.history
        own = rival_signature(name, run.baseline_minutes, run.trials, history=history)
        # Who validates is not there to learn from, and the recipe says how many these are.
        signature = self._signature(f"{own}\n{fingerprint(self.split.train.table)}")
        folder = self._folder(f"baseline-{name}")
        found = Record.load(folder, signature)
        if found is not None:
            return found
        world = World(
            self.split.train.histories(catalogue),
            self.split.cases("validation", catalogue),
            self.test,
            len(catalogue),
            history,
        )
        record = fit_rival(
            name, world, minutes=run.baseline_minutes, trials=run.trials, reporter=reporter
        )
        record.save(folder, signature)
        return record

    def fit(self, seed: int, max_minutes: float | None, reporter: Reporter) -> Record:
        """The record of a fit, made now unless it has been; a stopped one goes on."""
        parts = [self.recipe.model_dump_json(), str(seed), str(max_minutes)]
        signature = self._signature("\n".join(parts))
        name = f"{self.recipe.name}-seed{seed}"
        if max_minutes is not None:
            name += f"-{max_minutes:g}min"
        folder = self._folder(name)
        found = Record.load(folder, signature)
        if found is not None:
            return found
        state = folder.with_name(f"{folder.name}.training")
        reporter.say(f"{self.run.suite.name}, {self.recipe.name}, seed {seed}")
        model = Recommender.from_base(self.recipe.name, recipe=self.recipe).fit(
            self.source.events,
            self.source.catalogue,
            users=self.source.users,
            hold_out=self.run.suite.split,
            seed=seed,
            folder=state,
            resume=True,
            max_minutes=max_minutes,
            reporter=reporter,
        )
        record = self._measured(model, seed, reporter)
        model.save_pretrained(folder.with_name(f"{folder.name}.bundle"))
        record.save(folder, signature)
        forget(state)
        return record

    def _measured(self, model: Recommender, seed: int, reporter: Reporter) -> Record:
        with reporter.bar(f"Test, seed {seed}") as bar:
            lists, seconds = measure(
                MODEL,
                model,
                self.test,
                n_items=len(self.source.catalogue),
                tell=lambda share: bar.update(share, "all users, both protocols"),
            )
        training = model.about["training"]
        weights = list(model.model.scorer.parameters())
        facts = {
            "seed": seed,
            "train_minutes": round(training["seconds"] / 60, 3),
            "train_cpu_minutes": round(training["cpu seconds"] / 60, 3),
            "steps": training["steps"],
            "validation ndcg@10": training["validation ndcg@10"],
            "eval_seconds": seconds,
            "parameters": sum(weight.numel() for weight in weights),
            "parameters_trained": sum(w.numel() for w in weights if w.requires_grad),
        }
        return Record(facts, lists)

    def _folder(self, name: str) -> Path:
        """Where a record is kept."""
        asked = "" if self.run.users is None else f"-{self.run.users}users"
        return self.run.work / self.run.suite.name / f"{name}{asked}"

    def _signature(self, parts: str) -> str:
        parts += "" if self.run.users is None else f"\n{self.run.users} users"
        # Which recipe a suite names matters to nobody who says which one was fitted.
        suite = self.run.suite.model_dump_json(exclude={"recipe"})
        told = json.dumps([suite, self.data, parts])
        return hashlib.sha256(told.encode()).hexdigest()
