"""The README does what it says.

Its ``python`` blocks run in order as one program; a ``sh`` block runs where ``<!-- run -->``
stands above it. Both run in a folder with a small shop's ``events.csv`` and ``items.csv``.
``console`` blocks are for reading, but the ``make`` targets and files that they name must exist.
"""

from __future__ import annotations

import csv
import os
import random
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

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

# item_id, title, brand, categories (root first), price
SHOP = [
    ("oats", "Rolled oats", "Mill Lane", "pantry|cereal", 2.1),
    ("granola", "Crunchy granola", "Mill Lane", "pantry|cereal", 3.9),
    ("honey", "Clear honey", "Bee Happy", "pantry|spread", 4.5),
    ("jam", "Strawberry jam", "Bee Happy", "pantry|spread", 2.8),
    ("milk", "Whole milk", "Hill Farm", "dairy|milk", 1.2),
    ("oat-drink", "Oat drink", "Mill Lane", "dairy|milk", 1.9),
    ("yoghurt", "Plain yoghurt", "Hill Farm", "dairy|yoghurt", 0.9),
    ("butter", "Salted butter", "Hill Farm", "dairy|butter", 2.4),
    ("rye-bread", "Dark rye bread", "Old Oven", "bakery|bread", 2.6),
    ("rolls", "Crusty rolls", "Old Oven", "bakery|bread", 1.5),
    ("chips", "Salted potato chips", "Crunchers", "snacks|chips", 1.7),
    ("nuts", "Roasted crunchy nuts", "Crunchers", "snacks|nuts", 3.2),
]


def write_shop(folder: Path) -> None:
    """A shop where breakfast people and bread people buy what goes together, basket by basket."""
    with (folder / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "title", "brand", "categories", "price"])
        writer.writerows(SHOP)
    kinds = [SHOP[:7], SHOP[6:]]
    draw = random.Random(0)
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "item_id", "timestamp", "session_id"])
        for user in range(40):
            for basket in range(5):
                day = f"2026-0{basket + 1}-{draw.randint(10, 28)}"
                for item in draw.sample(kinds[user % 2], k=3):
                    writer.writerow([f"u{user}", item[0], day, f"u{user}-{basket}"])


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
