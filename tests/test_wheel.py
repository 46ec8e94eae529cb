"""The wheel: what is in it, and that it works in a clean environment away from the checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGED = {"prompts": "prompts", "adapters": "adapters", "eval/suites": "suites"}


def run(*command: str | Path, cwd: Path) -> str:
    """What a command prints; its error output is shown when it fails."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def files_under(folder: Path) -> list[Path]:
    return [
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    ]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_p5rec_is_the_only_top_level_name(contents: set[str]) -> None:
    tops = {name.split("/")[0] for name in contents}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"p5rec"}


def test_every_file_of_the_package_is_in_it(contents: set[str]) -> None:
    expected = {f"p5rec/{path.as_posix()}" for path in files_under(ROOT / "p5rec")}
    assert "p5rec/py.typed" in expected
    assert expected <= contents


@pytest.mark.parametrize("folder", PACKAGED)
def test_every_shipped_file_is_in_it(contents: set[str], folder: str) -> None:
    shipped = files_under(ROOT / folder)
    assert shipped, f"{folder}/ is empty"
    assert {f"p5rec/_data/{PACKAGED[folder]}/{path.as_posix()}" for path in shipped} <= contents


def test_nothing_else_is_in_it(contents: set[str]) -> None:
    sources = {f"p5rec/{path.as_posix()}" for path in files_under(ROOT / "p5rec")}
    data = tuple(f"p5rec/_data/{kind}/" for kind in PACKAGED.values())
    strangers = {
        name
        for name in contents - sources
        if not name.startswith(data) and ".dist-info/" not in name
    }
    assert strangers == set()


def test_licence_and_command_are_in_it(contents: set[str], wheel: Path) -> None:
    assert any(name.endswith("licenses/LICENSE") for name in contents)
    (entry_points,) = (name for name in contents if name.endswith("entry_points.txt"))
    with zipfile.ZipFile(wheel) as archive:
        assert "p5rec = p5rec.cli:main" in archive.read(entry_points).decode()


@pytest.fixture(scope="module")
def clean_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a new environment: the wheel, and this environment's dependencies.

    They are lent by a plain path entry, below which no ``.pth`` file is read: an editable install
    of the checkout stays out.
    """
    home = tmp_path_factory.mktemp("clean")
    venv.create(home / "env", symlinks=True, with_pip=False)
    python = home / "env" / "bin" / "python"
    site = Path(
        run(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home
        ).strip()
    )
    install = ("install", "--quiet", "--no-deps", "--no-index", "--target", site, wheel)
    run(sys.executable, "-m", "pip", *install, cwd=home)
    lent = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "lent.pth").write_text("\n".join(sorted(lent)) + "\n", encoding="utf-8")
    return python


PROBE = """
import json, sys
import p5rec
from p5rec import resources
print(json.dumps({
    "file": p5rec.__file__,
    "version": p5rec.__version__,
    "path": sys.path,
    "names": {kind: resources.names(kind) for kind in ("prompts", "adapters", "suites")},
    "recipe": resources.read("adapters", "gpt2-mini"),
}))
"""


def test_it_works_away_from_the_checkout(clean_python: Path, tmp_path: Path) -> None:
    said = json.loads(run(clean_python, "-c", PROBE, cwd=tmp_path))
    environment = clean_python.parent.parent
    assert Path(said["file"]).is_relative_to(environment)
    assert str(ROOT) not in said["path"]
    for folder, kind in PACKAGED.items():
        assert said["names"][kind] == sorted(path.stem for path in (ROOT / folder).glob("*.toml"))
    assert said["recipe"] == (ROOT / "adapters" / "gpt2-mini.toml").read_text(encoding="utf-8")


def test_its_command_answers(clean_python: Path, tmp_path: Path) -> None:
    said = run(clean_python, "-m", "p5rec", "--help", cwd=tmp_path)
    assert "Usage" in said
    assert "recommend" in said
