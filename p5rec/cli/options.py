"""The options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Bundle = Annotated[Path, typer.Argument(help="Folder that `p5rec fit --out` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notices.")]
K = Annotated[int, typer.Option("-k", help="How many items.")]
HistoryText = Annotated[
    str, typer.Option("--history", help="Item ids, oldest first, with commas between.")
]
ExcludeHistory = Annotated[
    bool, typer.Option("--exclude-history", help="Never an item of the history.")
]
MaxMinutes = Annotated[float | None, typer.Option(help="Stop training after so many minutes.")]
Seed = Annotated[int, typer.Option(help="Same seed, same model.")]
FilterText = Annotated[
    str | None, typer.Option("--filter", help="What items must be: 'price <= 20 and in_stock'.")
]
Allow = Annotated[
    str | None, typer.Option("--allow", help="The only item ids, with commas between.")
]
Deny = Annotated[str, typer.Option("--deny", help="Item ids never to print, with commas between.")]
StrategyName = Annotated[
    str | None,
    typer.Option(help="explorer, conservative, newcomer, regular, diverse, or auto."),
]
Beams = Annotated[int | None, typer.Option(help="Width of the search.")]
DrawSeed = Annotated[int, typer.Option("--seed", help="Same seed, same drawn items.")]
