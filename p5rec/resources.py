"""Finds the prompts, recipes, trained adapters and suites that ship with p5rec.

In a wheel they lie inside the package; in a checkout they lie in the folders beside it.
"""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal

Kind = Literal["prompts", "adapters", "suites"]

_CHECKOUT = Path(__file__).resolve().parent.parent
_FOLDERS: dict[str, str] = {"prompts": "prompts", "adapters": "adapters", "suites": "eval/suites"}


def folder(kind: Kind) -> Traversable:
    """The folder that holds the shipped files of ``kind``."""
    packaged = files("p5rec") / "_data" / kind
    return packaged if packaged.is_dir() else _CHECKOUT / _FOLDERS[kind]


def names(kind: Kind) -> list[str]:
    """The names (without ``.toml``) of the shipped files of ``kind``, sorted.

    >>> "gpt2-mini" in names("adapters")
    True
    """
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in folder(kind).iterdir()
        if entry.name.endswith(".toml")
    )


def read(kind: Kind, name: str) -> str:
    """The text of a shipped file, by its name without ``.toml``.

    :raises FileNotFoundError: if there is no such file.
    """
    return (folder(kind) / f"{name}.toml").read_text(encoding="utf-8")


def trained() -> list[str]:
    """The names of the trained adapters that ship, sorted: folders with a manifest."""
    return sorted(
        entry.name
        for entry in folder("adapters").iterdir()
        if entry.is_dir() and (entry / "manifest.json").is_file()
    )


def trained_folder(name: str) -> Path:
    """Where a trained adapter lies.

    :raises FileNotFoundError: if none of this name ships, or p5rec runs from within an archive.
    """
    place = folder("adapters") / name
    if name not in trained() or not isinstance(place, Path):
        raise FileNotFoundError(f"no trained adapter {name!r} lies in {folder('adapters')}")
    return place
