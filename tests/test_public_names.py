"""What ``p5rec`` offers: exact, sorted, importable, and light to import."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import p5rec
from p5rec import errors

ROOT = Path(__file__).resolve().parent.parent


def test_all_is_exact_and_sorted() -> None:
    error_names = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == errors.__name__
    }
    expected = error_names | set(p5rec._LOADED_ON_FIRST_USE) | {"__version__"}
    assert p5rec.__all__ == sorted(expected)
    assert dir(p5rec) == sorted(expected)


@pytest.mark.parametrize("name", p5rec.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(p5rec, name) is not None


@pytest.mark.parametrize(("name", "module"), sorted(p5rec._LOADED_ON_FIRST_USE.items()))
def test_a_name_is_defined_where_the_table_says(name: str, module: str) -> None:
    assert getattr(importlib.import_module(module), name).__module__ == module


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'Recomender'"):
        p5rec.Recomender  # noqa: B018


def test_import_is_light() -> None:
    heavy = "{'torch', 'transformers', 'pyarrow', 'sklearn', 'pydantic'}"
    code = f"import sys, p5rec; print(*sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_changelog_and_package_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+)", changelog, flags=re.MULTILINE)
    assert newest is not None, "CHANGELOG.md has no version heading"
    assert newest[1] == project["version"]
    assert p5rec.__version__ == project["version"], "stale install: pip install -e ."
