"""`p5rec evaluate`: how good a recommender is, beside simple baselines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from p5rec.cli.common import load_bundle
from p5rec.cli.options import AsJson, Bundle, Quiet
from p5rec.progress import Reporter


def evaluate(
    bundle: Bundle,
    events: Annotated[Path, typer.Argument(help="Events with baskets that training never saw.")],
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure a recommender on each user's last basket, beside simple baselines."""
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
        reporter=Reporter(quiet=quiet),
    )
    if report is not None:
        write_html(report, title="p5rec evaluation", results=results, sections=Sections())
    if as_json:
        print(json.dumps(to_json(results), indent=2))  # noqa: T201
    else:
        Console().print(to_table(results))
