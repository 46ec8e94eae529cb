"""`p5rec demo` and `p5rec demo-llm`: the whole road on a real grocer's log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from p5rec.cli.options import AsJson, MaxMinutes, Quiet, Seed
from p5rec.progress import Reporter


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report and the recommender.")] = Path(
        "runs/demo"
    ),
    recipe: Annotated[str, typer.Option(help="A recipe's name or path.")] = "gpt2-mini",
    seed: Seed = 0,
    max_minutes: MaxMinutes = None,
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


def demo_llm(
    out: Annotated[Path, typer.Option(help="Folder for the figures and the recommender.")] = Path(
        "runs/demo-llm"
    ),
    adapter: Annotated[
        str, typer.Option(help="A trained adapter's name or folder (`p5rec ls adapters`).")
    ] = "smollm2-groceries",
    seed: Seed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Recommend, explain and answer with a real pretrained model and an adapter that ships."""
    from p5rec.demo_llm import run_demo_llm

    summary = run_demo_llm(out, adapter=adapter, seed=seed, reporter=Reporter(quiet=quiet))
    if as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))  # noqa: T201
