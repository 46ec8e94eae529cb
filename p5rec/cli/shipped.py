"""`p5rec ls` and `p5rec cp`: the recipes, trained adapters, prompts and suites that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from p5rec import resources
from p5rec.cli.common import print_answer
from p5rec.cli.options import AsJson
from p5rec.errors import RequestError

_KINDS: dict[str, resources.Kind] = {
    "recipes": "adapters",
    "prompts": "prompts",
    "suites": "suites",
}


def list_shipped(
    kind: Annotated[
        Literal["recipes", "adapters", "prompts", "suites"], typer.Argument(help="What to list.")
    ] = "recipes",
    as_json: AsJson = False,
) -> None:
    """List the recipes, trained adapters, prompts or suites that ship."""
    names = resources.trained() if kind == "adapters" else resources.names(_KINDS[kind])
    print_answer(names, as_json, names)


def copy_shipped(
    name: Annotated[str, typer.Argument(help="A name that `p5rec ls` prints.")],
    target: Annotated[Path, typer.Argument(help="Where to write the copy.")],
    kind: Annotated[
        Literal["recipes", "prompts", "suites"], typer.Option(help="What it is.")
    ] = "recipes",
) -> None:
    """Copy a recipe (or prompts, or a suite) that ships, to edit it."""
    names = resources.names(_KINDS[kind])
    if name not in names:
        raise RequestError(f"there is no {kind} {name!r}. Known: {', '.join(names)}.")
    if target.exists():
        raise RequestError(f"{target} exists and is left alone. Give a new name.")
    try:
        target.write_text(resources.read(_KINDS[kind], name), encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{target} cannot be written: {error}. Give another place.") from error
