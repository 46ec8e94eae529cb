"""Shipped files: found by name, read as text, and never importable code."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from p5rec import resources

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = {"prompts": "prompts", "adapters": "adapters", "suites": "eval/suites"}


@pytest.mark.parametrize("kind", ["prompts", "adapters", "suites"])
def test_names_are_the_files_of_the_folder(kind: resources.Kind) -> None:
    found = resources.names(kind)
    assert found == sorted(path.stem for path in (ROOT / FOLDERS[kind]).glob("*.toml"))
    assert found, f"{FOLDERS[kind]}/ ships no .toml file"


@pytest.mark.parametrize("kind", ["prompts", "adapters", "suites"])
def test_every_shipped_file_is_toml(kind: resources.Kind) -> None:
    for name in resources.names(kind):
        assert tomllib.loads(resources.read(kind, name)), f"{kind}/{name}.toml is empty"


def test_a_name_that_is_not_there_is_said_so() -> None:
    with pytest.raises(FileNotFoundError, match="no-such-recipe"):
        resources.read("adapters", "no-such-recipe")


@pytest.mark.parametrize("folder", ["prompts", "adapters", "eval"])
def test_data_folders_hold_no_importable_code(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert list((ROOT / folder).rglob("__init__.py")) == []
