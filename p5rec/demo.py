"""The whole road on a real grocer's log: fit, recommend, explain, ask, compare."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table

from p5rec.benchmark.suite import Suite
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.data.sources import Source, complete_journey
from p5rec.data.splits import Cases, leave_last_basket
from p5rec.evaluation.assessment import MODEL, assess
from p5rec.evaluation.protocol import Result
from p5rec.evaluation.report import (
    Example,
    Sections,
    Suggestion,
    TrainingPoint,
    to_json,
    to_table,
    write_html,
)
from p5rec.language.explanation import Explanation
from p5rec.model.bundle import check_writable
from p5rec.model.recipe import Recipe
from p5rec.progress import Reporter
from p5rec.recommender import Recommender

SUITE = "complete-journey"
TITLE = "A year of groceries"
HISTORY_SHOWN = 8
HOUSEHOLDS_SHOWN = 4
SHOWN = 5
EXPLAINED = 40
REQUESTS = (
    "crunchy snack for a kids' party, not chips",
    "something for breakfast under $4",
    "frozen pizza",
)


def run_demo(
    out: Path,
    *,
    recipe: str,
    seed: int,
    reporter: Reporter,
    max_minutes: float | None = None,
    households: int | None = None,
) -> dict[str, Any]:
    """Fit on the log, print what comes out, write ``summary.json``, ``report.html`` and a bundle.

    :param households: only so many of them and what they bought, for a quick look.
    :raises DataError: if the package with the data is not installed.
    :raises BundleError: if ``out`` cannot be written.
    """
    begun = time.monotonic()
    check_writable(out / "bundle")
    suite = Suite.load(SUITE)
    with reporter.bar("Reading a year of groceries"):
        source = complete_journey()
        if households is not None:
            source = _slice(source, households, seed)
    recommender = Recommender.from_base(recipe, recipe=suite.adapt(Recipe.load(recipe))).fit(
        source.events,
        source.catalogue,
        users=source.users,
        hold_out="last-basket",
        seed=seed,
        max_minutes=max_minutes,
        reporter=reporter,
    )
    recommender.save_pretrained(out / "bundle")
    split = leave_last_basket(source.events, validation_users=0)
    cases = split.cases("test", source.catalogue)
    train = split.train.histories(source.catalogue)
    results = assess(recommender, cases, train, n_items=len(source.catalogue), reporter=reporter)
    with reporter.bar("Reasons"):
        shown = _Shown.of(recommender, cases, seed)
    _print_all(Console(), shown, results)
    summary = {
        **_facts(recommender, source, cases),
        **to_json(results, model=MODEL),
        "explanations": shown.counts(),
        "examples": [_plain(example) for example in shown.examples],
        "seconds": round(time.monotonic() - begun, 1),
        "peak_rss_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    (out / "summary.json").write_text(
        json.dumps(summary, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    sections = _sections(recommender, summary, shown)
    write_html(out / "report.html", title=TITLE, results=results, sections=sections, model=MODEL)
    reporter.say(f"Written: {out / 'report.html'}, {out / 'summary.json'}, {out / 'bundle'}")
    return summary


def _slice(source: Source, households: int, seed: int) -> Source:
    """Some households, drawn by the seed, and the items that they bought."""
    users = np.random.default_rng(seed).permutation(source.events.user_ids)[:households]
    chosen = pc.is_in(source.events.table["user_id"], value_set=pa.array(users))
    events = source.events.select(np.asarray(chosen))
    bought = pc.is_in(
        source.catalogue.table["item_id"], value_set=pc.unique(events.table["item_id"])
    )
    catalogue = Catalogue.from_table(source.catalogue.table.filter(bought))
    return replace(source, events=events, catalogue=catalogue)


@dataclass(frozen=True)
class _Shown:
    """Households and requests that are shown, chosen by the seed alone, and every explanation."""

    examples: list[Example]
    explanations: list[Explanation]

    @classmethod
    def of(cls, recommender: Recommender, cases: Cases, seed: int) -> _Shown:
        chosen = np.random.default_rng(seed).permutation(len(cases))[:EXPLAINED]
        histories = cases.histories.take(chosen)
        ranked = recommender.rank(histories, k=SHOWN)
        user = np.repeat(np.arange(len(chosen)), SHOWN)
        explanations = recommender.explain_rows(histories.take(user), ranked.flatten())
        examples = []
        for number in range(min(HOUSEHOLDS_SHOWN, len(chosen))):
            reasons = explanations[number * SHOWN : (number + 1) * SHOWN]
            target = cases.targets[chosen[number]]
            examples.append(_household(recommender, histories, number, ranked, target, reasons))
        examples += [_answer(recommender, request) for request in REQUESTS]
        return cls(examples, explanations)

    def counts(self) -> dict[str, int]:
        """How many explanations there are, where they come from, and what the check refused."""
        generated = [one for one in self.explanations if one.source == "generated"]
        claims = [claim for one in self.explanations for claim in one.claims]
        return {
            "shown": len(self.explanations),
            "generated": len(generated),
            "from_evidence": len(self.explanations) - len(generated),
            "sentences_refused": sum(len(one.refused) for one in self.explanations),
            "claims": len(claims),
            "claims_unsupported": sum(not claim.supported for claim in claims),
        }


def _household(
    recommender: Recommender,
    histories: Histories,
    number: int,
    ranked: np.ndarray,
    target: np.ndarray,
    reasons: list[Explanation],
) -> Example:
    name = recommender.catalogue.name
    history = histories.items[histories.slice(number)][-HISTORY_SHOWN:]
    return Example(
        user=f"Household {histories.user_ids[number]}",
        history=[name(row) for row in history.tolist()],
        suggestions=[
            Suggestion(name(row), reason.text, bought=bool(row in target))
            for row, reason in zip(ranked[number].tolist(), reasons, strict=True)
        ],
    )


def _answer(recommender: Recommender, request: str) -> Example:
    found = recommender.ask(request, k=SHOWN)
    rows = recommender.catalogue.rows_of([one.item_id for one in found]).tolist()
    suggestions = [Suggestion(recommender.catalogue.name(row)) for row in rows]
    return Example(user="Anyone", request=request, suggestions=suggestions)


def _facts(recommender: Recommender, source: Source, cases: Cases) -> dict[str, Any]:
    training = recommender.about["training"]
    return {
        "recipe": training["recipe"],
        "seed": training["seed"],
        "households": len(cases),
        "items": len(source.catalogue),
        "events": len(source.events),
        "train_seconds": round(training["seconds"], 1),
        "validation_ndcg@10": training["validation ndcg@10"],
    }


def _plain(example: Example) -> dict[str, Any]:
    return {key: value for key, value in asdict(example).items() if value not in (None, [], ())}


def _sections(recommender: Recommender, summary: dict[str, Any], shown: _Shown) -> Sections:
    facts = {key: value for key, value in summary.items() if isinstance(value, str | int | float)}
    prior = recommender.model.scorer.prior
    levels = recommender.model.ids.levels
    curve = recommender.about["training"]["curve"]
    counts = shown.counts()
    return Sections(
        facts={key: value for key, value in facts.items() if "@" not in key},
        training=[
            TrainingPoint(point["step"], point.get("loss"), point.get("ndcg@10")) for point in curve
        ],
        prior={levels[level]: row for level, row in prior.weights().items()} if prior else {},
        examples=shown.examples,
        notes=[_verdict(counts)],
    )


def _verdict(counts: dict[str, int]) -> str:
    return (
        f"{counts['shown']} reasons were given: {counts['generated']} written by the model, "
        f"{counts['from_evidence']} taken from the evidence; the check refused "
        f"{counts['sentences_refused']} generated sentences and let "
        f"{counts['claims_unsupported']} unsupported claims through."
    )


def _print_all(console: Console, shown: _Shown, results: Sequence[Result]) -> None:
    for example in shown.examples:
        if example.request is not None:
            title = f"“{example.request}”"
        else:
            title = f"{example.user}, who last bought {', '.join(example.history[-3:])}"
        table = Table("recommended", "because", title=title, title_justify="left", box=None)
        for suggestion in example.suggestions:
            mark = " ✓" if suggestion.bought else ""
            table.add_row(f"{suggestion.name}{mark}", suggestion.reason)
        console.print(table)
        console.print()
    console.print("✓: was in the basket that was held out.")
    console.print(_verdict(shown.counts()))
    console.print(to_table(results, model=MODEL))
