"""Imports go one way: each room may use the rooms below it, and says so here."""

from __future__ import annotations

import ast
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import p5rec

PACKAGE = Path(p5rec.__file__).parent

# Room -> the rooms that it may import, or single modules of them. A room is a folder or a file
# directly under p5rec/. What is not said is not allowed, and a new room needs a line.
FLOOR = {"errors", "hints", "resources", "progress"}
GROUND = FLOOR | {"data", "ids", "prompting"}
MIDDLE = GROUND | {"model", "decoding"}
UPPER = MIDDLE | {"training", "language", "evaluation"}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "hints": {"errors"},
    "resources": {"errors"},
    "progress": set(),
    "data": FLOOR,
    "ids": FLOOR | {"data.catalogue", "data.events"},
    "prompting": FLOOR,
    "model": GROUND,
    "decoding": GROUND | {"model"},
    "evaluation": MIDDLE,
    # Validation during training uses the metrics; what teaches words is made by language.
    "training": MIDDLE | {"evaluation", "language"},
    # Evidence is drawn with what all reports are drawn with.
    "language": MIDDLE | {"evaluation.drawing", "evaluation.page"},
    "recommendations": MIDDLE,
    "answering": MIDDLE | {"language", "recommendations"},
    "askable": MIDDLE | {"language", "recommendations", "answering"},
    "recommender": UPPER | {"askable"},
    # Plain models behind the same call as the recommender.
    "fallback": UPPER | {"recommendations"},
    "benchmark": UPPER | {"recommender"},
    "demo": UPPER | {"recommender", "benchmark.suite"},
    "demo_llm": UPPER | {"recommender"},
    "cli": UPPER | {"recommendations", "recommender", "demo", "demo_llm", "benchmark"},
    "__main__": {"cli"},
    # The front door. All but the errors is loaded on first use; the rest is for the type checker.
    "__init__": UPPER | {"recommendations", "recommender"},
}

TORCH_FREE_ROOMS = ("errors", "hints", "resources", "data", "ids", "prompting")
TORCH_FREE_MODULES = (
    *("evaluation.metrics", "evaluation.protocol", "evaluation.baselines"),
    *("evaluation.significance", "evaluation.ids_assessment", "evaluation.ids_report"),
)
TORCH = {"torch", "accelerate", "peft", "safetensors.torch"}


def module_of(path: Path) -> str:
    """``p5rec/data/events.py`` -> ``data.events``; a package's ``__init__.py`` -> its own name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


SOURCES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    return module.split(".")[0]


def absolute(node: ast.ImportFrom, path: Path) -> str:
    """The module that a ``from … import`` names, with leading dots resolved."""
    if not node.level:
        return node.module or ""
    folder = ("p5rec", *path.relative_to(PACKAGE).parent.parts)
    base = folder[: len(folder) - node.level + 1]
    return ".".join([*base, node.module] if node.module else base)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of every import in a file: at the top, in functions, for types."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = absolute(node, path)
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def target_of(name: str) -> str | None:
    """The module inside p5rec that an imported name lies in; None for the world outside.

    ``p5rec.Recommender`` counts as the module that defines it; the version counts as the floor.
    """
    package, _, inside = name.partition(".")
    if package != "p5rec":
        return None
    if inside == "__version__":
        return "resources"
    if inside in p5rec._LOADED_ON_FIRST_USE:
        return p5rec._LOADED_ON_FIRST_USE[inside].partition(".")[2]
    if inside in p5rec.__all__:
        return "errors"
    return inside or "__init__"


def may_import(room: str, target: str) -> bool:
    allowed = ALLOWED[room]
    return (
        room_of(target) in allowed | {room}
        or target in allowed
        or any(target.startswith(f"{module}.") for module in allowed)
    )


@pytest.mark.parametrize("module", SOURCES)
def test_imports_go_one_way(module: str) -> None:
    room = room_of(module)
    assert room in ALLOWED, f"p5rec/{room} is a new room: say in ALLOWED what it may import"
    path = SOURCES[module]
    steps_back = [
        f"{path}:{line}: p5rec.{module} may not import p5rec.{target}"
        for line, name in imports(path)
        if (target := target_of(name)) is not None and not may_import(room, target)
    ]
    assert not steps_back, "\n".join(steps_back)


@pytest.mark.parametrize("module", SOURCES)
def test_torch_free_rooms_name_no_torch(module: str) -> None:
    if room_of(module) not in TORCH_FREE_ROOMS and module not in TORCH_FREE_MODULES:
        pytest.skip("this room may use torch")
    found = [
        f"{SOURCES[module]}:{line}: imports {name}"
        for line, name in imports(SOURCES[module])
        if any(name == heavy or name.startswith(f"{heavy}.") for heavy in TORCH)
    ]
    assert not found, "\n".join(found)


def loads_torch(*arguments: str) -> bool:
    """Whether a fresh interpreter has torch loaded when it has done what the arguments say."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return any(line.split("|")[-1].strip() == "torch" for line in done.stderr.splitlines())


def test_the_probe_sees_torch() -> None:
    assert loads_torch("-c", "import torch")


def test_torch_free_rooms_load_no_torch() -> None:
    modules = ["p5rec", "p5rec.evaluation"]
    modules += [
        f"p5rec.{name.removesuffix('.__init__')}"
        for name in SOURCES
        if room_of(name) in TORCH_FREE_ROOMS or name in TORCH_FREE_MODULES
    ]
    assert not loads_torch("-c", "\n".join(f"import {module}" for module in modules))


def test_help_loads_no_torch() -> None:
    assert not loads_torch("-m", "p5rec", "--help")


def test_every_room_can_be_imported() -> None:
    rooms = [module.name for module in pkgutil.iter_modules([str(PACKAGE)])]
    assert all(find_spec(f"p5rec.{room}") for room in rooms)
