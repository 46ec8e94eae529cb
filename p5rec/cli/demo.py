"""`p5rec demo`: the whole road on a real grocer's log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from p5rec.cli.options import AsJson, Quiet, Seed
from p5rec.progress import Reporter


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report and the recommender.")] = Path(
        "runs/demo"
    ),
    recipe: Annotated[str, typer.Option(help="A recipe's name or path.")] = "gpt2-mini",
    seed: Seed = 0,
    max_minutes: Annotated[float | None, typer.Option(help="Stop training after.")] = None,
    households: Annotated[
        int | None, typer.Option(help="Only so many households, for a quick look.", min=10)
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole road on a real grocer's log: fit, recommend, explain, ask, compare."""
    from p5rec.demo import run_demo

    summary = run_demo(
        out,
        recipe=recipe,
        seed=seed,
        reporter=Reporter(quiet=quiet),
        max_minutes=max_minutes,
        households=households,
    )
    if as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))  # noqa: T201
