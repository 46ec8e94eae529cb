"""The README does what it says.

Its ``python`` blocks run in order as one program; a ``sh`` block runs where ``<!-- run -->``
stands above it. Both run in a folder with a small shop's ``events.csv`` and ``items.csv``.
``console`` blocks are for reading, but the ``make`` targets and files that they name must exist.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from shop import write_shop

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?P<run><!-- run -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)


class Block(NamedTuple):
    language: str
    code: str
    line: int
    run: bool


BLOCKS = [
    Block(
        language=found["language"],
        code=found["code"],
        line=README.count("\n", 0, found.start("code")) + 1,
        run=found["language"] == "python" or found["run"] is not None,
    )
    for found in BLOCK.finditer(README)
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    return folder


def python_program() -> str:
    """All Python blocks as one program, each line where the README has it."""
    program = ""
    for block in BLOCKS:
        if block.language == "python":
            program += "\n" * (block.line - 1 - program.count("\n")) + block.code
    return program


def run(command: list[str], folder: Path) -> None:
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": programs},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def test_python_blocks_run(shop: Path) -> None:
    (shop / "README.py").write_text(python_program(), encoding="utf-8")
    run([sys.executable, "README.py"], shop)


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language == "sh" and b.run], ids=lambda b: f"line {b.line}"
)
def test_shell_blocks_run(shop: Path, block: Block) -> None:
    run(["bash", "-euo", "pipefail", "-c", block.code], shop)


def test_there_are_blocks_to_run() -> None:
    assert {block.language for block in BLOCKS if block.run} == {"python", "sh"}


def test_the_first_commands_are_demo_and_test() -> None:
    first = next(block for block in BLOCKS if block.language == "console")
    assert re.findall(r"^\$ (make \S+)", first.code, flags=re.MULTILINE) == [
        "make demo",
        "make test",
    ]


def test_ci_runs_the_readme_test_command() -> None:
    commands = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert commands[-2:] == ["make check", "make test"]


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"\bmake ([a-z][\w-]*)", README)) <= targets


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_recipes_are_those_that_ship() -> None:
    table = README.split("## Recipes")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    named = {name for cell in rows for name in re.findall(r"`([^`]+)`", cell)}
    assert named == {path.stem for path in (ROOT / "adapters").glob("*.toml")}


def test_extras_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name for group in re.findall(r"\.\[([\w,]+)\]", README) for name in group.split(",")}
    assert extras <= set(project["optional-dependencies"])
