"""`p5rec evaluate`: a fitted recommender beside baselines, or a whole suite."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from p5rec.cli.common import listed, load_bundle
from p5rec.cli.options import AsJson, MaxMinutes, Quiet
from p5rec.errors import RequestError
from p5rec.progress import Reporter

if TYPE_CHECKING:
    from p5rec.benchmark.suite import Rival

Number = TypeVar("Number", int, float)


def evaluate(
    bundle: Annotated[
        Path | None, typer.Argument(help="Folder that `p5rec fit --out` wrote.")
    ] = None,
    events: Annotated[
        Path | None, typer.Argument(help="Events with baskets that training never saw.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    suite: Annotated[
        str | None, typer.Option(help="Fit and measure a recipe on a suite: its name or path.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder with the data of the suite.")] = None,
    recipe: Annotated[
        str | None, typer.Option(help="A recipe's name or path [the suite's].")
    ] = None,
    seeds: Annotated[str, typer.Option(help="One fit a seed, with commas between.")] = "0,1,2",
    max_minutes: MaxMinutes = None,
    baselines: Annotated[
        str | None, typer.Option(help="In place of the suite's, with commas between.")
    ] = None,
    baseline_minutes: Annotated[
        float,
        typer.Option(help="Minutes of a baseline that learns by the clock, its tuning included."),
    ] = 90.0,
    trials: Annotated[
        int | None, typer.Option(help="Each baseline tries at most so many settings.", min=1)
    ] = None,
    budgets: Annotated[
        str, typer.Option(help="Minutes of further, shorter fits, with commas between.")
    ] = "",
    users: Annotated[
        int | None, typer.Option(help="Ask so many test users, drawn at random [all].", min=1)
    ] = None,
    work: Annotated[
        Path, typer.Option(help="Where finished fits are kept, so that none is made twice.")
    ] = Path("runs/suites"),
    out: Annotated[
        Path | None, typer.Option(help="Figures of the suite [eval/results/SUITE.json].")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure a recommender on each user's last basket, or a recipe on a suite."""
    reporter = Reporter(quiet=quiet)
    if suite is None:
        if bundle is None or events is None:
            raise RequestError("nothing to evaluate. Give BUNDLE and EVENTS, or --suite.")
        _evaluate_bundle(bundle, events, report, as_json, reporter)
        return
    if bundle is not None:
        raise RequestError(f"--suite fits its own models, so {bundle} has no place. Leave it out.")
    from p5rec.benchmark.machine import command_line
    from p5rec.benchmark.run import Run, run_suite
    from p5rec.benchmark.suite import Suite
    from p5rec.model.recipe import Recipe

    chosen = Suite.load(suite)
    found = run_suite(
        Run(
            suite=chosen,
            recipe=Recipe.load(recipe or chosen.recipe),
            work=work,
            data=data,
            seeds=_numbers("--seeds", seeds, int),
            max_minutes=max_minutes,
            baselines=None if baselines is None else _rivals(baselines),
            baseline_minutes=baseline_minutes,
            trials=trials,
            budgets=_numbers("--budgets", budgets, float),
            users=users,
        ),
        reporter=reporter,
        command=command_line(["p5rec", *sys.argv[1:]]),
    )
    _print_figures(found, out or Path("eval/results") / f"{chosen.name}.json", as_json, reporter)


def _evaluate_bundle(
    bundle: Path, events: Path, report: Path | None, as_json: bool, reporter: Reporter
) -> None:
    from rich.console import Console

    from p5rec.data.loading import load_events
    from p5rec.evaluation.assessment import assess
    from p5rec.evaluation.report import Sections, to_json, to_table, write_html

    recommender = load_bundle(bundle)
    log = load_events(events)
    cases = recommender.held_out(log)
    results = assess(
        recommender,
        cases,
        cases.histories,
        n_items=len(recommender.catalogue),
        reporter=reporter,
    )
    if report is not None:
        write_html(report, title="p5rec evaluation", results=results, sections=Sections())
    if as_json:
        print(json.dumps(to_json(results), indent=2))  # noqa: T201
    else:
        Console().print(to_table(results))


def _print_figures(found: dict[str, Any], out: Path, as_json: bool, reporter: Reporter) -> None:
    from rich.console import Console

    from p5rec.benchmark.tables import suite_table

    text = json.dumps(found, indent=2, ensure_ascii=False)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{out} cannot be written: {error}. Give another --out.") from error
    if as_json:
        print(text)  # noqa: T201
    else:
        Console().print(suite_table(found))
    reporter.say(f"Written: {out}")


def _numbers(option: str, text: str, kind: type[Number]) -> list[Number]:
    try:
        return [kind(part) for part in listed(text)]
    except ValueError:
        expected = "whole numbers" if kind is int else "numbers"
        raise RequestError(f"{option} {text!r}: expected {expected}, such as 0,1,2.") from None


def _rivals(text: str) -> list[Rival]:
    from typing import get_args

    from p5rec.benchmark.suite import Rival

    known = get_args(Rival)
    for name in listed(text):
        if name not in known:
            raise RequestError(f"there is no baseline {name!r}. Known: {', '.join(known)}.")
    return [name for name in known if name in listed(text)]
