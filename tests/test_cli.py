"""The command line, end to end: results on standard output, mistakes in one line and exit 2."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from shop import write_shop, write_small_recipe

from p5rec import cli


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    write_small_recipe(folder / "small.toml", "gpt2")
    return folder


def call(*words: object, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["p5rec", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert isinstance(left.value.code, int)
    return left.value.code


@pytest.fixture(scope="module")
def bundle(shop: Path) -> Path:
    patch = pytest.MonkeyPatch()
    out = shop / "bundle"
    words = ["fit", shop / "events.csv", shop / "items.csv", "--recipe", shop / "small.toml"]
    code = call(*words, "--hold-out", "last-basket", "--out", out, "-q", monkeypatch=patch)
    patch.undo()
    assert code == 0
    return out


def test_recommend_prints_a_line_an_item(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        call("recommend", bundle, "--history", "oats,milk", "-k", 3, monkeypatch=monkeypatch) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1", "2", "3"]


def test_json_everywhere(
    bundle: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[object]] = [
        ["recommend", bundle, "--history", "oats"],
        ["ask", bundle, "bread, not rolls", "-k", 2],
        ["explain", bundle, "--history", "oats", "--item", "honey"],
        ["evaluate", bundle, shop / "events.csv", "-q"],
        ["ids", "show", bundle, "honey"],
        ["ids", "report", bundle, "--events", shop / "events.csv", "-q"],
        ["ids", "compare", shop / "items.csv", "--events", shop / "events.csv", "-q"],
        ["ls", "prompts"],
    ]
    for words in commands:
        assert call(*words, "--json", monkeypatch=monkeypatch) == 0, words
        assert json.loads(capsys.readouterr().out), words


def test_notices_go_to_standard_error(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("recommend", bundle, "--history", "nope", monkeypatch=monkeypatch) == 0
    printed = capsys.readouterr()
    assert "popular" in printed.err
    assert "popular" not in printed.out


def test_evaluate_writes_a_report(
    bundle: Path, shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = shop / "report.html"
    words = ["evaluate", bundle, shop / "events.csv", "--report", page]
    assert call(*words, monkeypatch=monkeypatch) == 0
    assert "popularity" in capsys.readouterr().out
    assert "<html" in page.read_text(encoding="utf-8")


MISTAKES = {
    "missing file": (["fit", "nope.csv", "items.csv", "--out", "b"], "nope.csv"),
    "empty file": (["fit", "empty.csv", "items.csv", "--out", "b"], "empty.csv"),
    "unknown column": (["fit", "odd.csv", "items.csv", "--out", "b"], "user_id"),
    "unwritable out": (
        ["fit", "events.csv", "items.csv", "--out", "events.csv/b"],
        "cannot be written",
    ),
    "foreign out": (["fit", "events.csv", "items.csv", "--out", "foreign"], "not a bundle"),
    "unknown recipe": (
        ["fit", "events.csv", "items.csv", "--recipe", "gpt2mini", "--out", "b"],
        "gpt2-mini",
    ),
    "no bundle": (["recommend", "foreign"], "not a bundle"),
    "k": (["recommend", "bundle", "-k", "13"], "expected 1 to 12"),
    "empty request": (["ask", "bundle", " "], "request"),
    "unknown item": (["explain", "bundle", "--item", "nope"], "nope"),
    "unknown command": (["recomend"], "recommend"),
    "unknown option": (["recommend", "bundle", "--histroy", "a"], "--histroy"),
    "bad mapping": (
        ["fit", "events.csv", "items.csv", "--columns", "user", "--out", "b"],
        "user_id=customer",
    ),
    "mapping to a column that is not there": (
        ["fit", "events.csv", "items.csv", "--columns", "colour=farbe", "--out", "b"],
        "no column 'farbe'",
    ),
    "copy over a file": (["cp", "gpt2-mini", "events.csv"], "exists"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_message_and_exit_2(
    name: str,
    bundle: Path,
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (shop / "empty.csv").touch()
    (shop / "odd.csv").write_text("customer,item_id,timestamp\nu,oats,2026-01-01\n")
    (shop / "foreign").mkdir(exist_ok=True)
    (shop / "foreign" / "thesis.txt").write_text("keep me")
    before = (shop / "events.csv").read_bytes()
    monkeypatch.chdir(shop)
    words, expected = MISTAKES[name]
    assert call(*words, monkeypatch=monkeypatch) == 2
    printed = capsys.readouterr()
    assert expected in printed.err
    assert "Traceback" not in printed.err
    assert not printed.out
    assert (shop / "foreign" / "thesis.txt").read_text() == "keep me"
    assert (shop / "events.csv").read_bytes() == before


def test_bad_rows_are_set_aside(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    events = (shop / "events.csv").read_text() + "u1,,2026-01-01,x\nu1,nope,2026-01-01,y\n"
    (shop / "some-bad.csv").write_text(events)
    words = ["fit", shop / "some-bad.csv", shop / "items.csv", "--recipe", shop / "small.toml"]
    assert call(*words, "--out", shop / "refused", "-q", monkeypatch=monkeypatch) == 2
    aside = ["--on-bad-rows", "quarantine", "--out", shop / "aside", "-q", "--json"]
    capsys.readouterr()
    assert call(*words, *aside, monkeypatch=monkeypatch) == 0
    assert json.loads(capsys.readouterr().out)["events"] == 600
    kept = (shop / "aside.training" / "bad-events.jsonl").read_text().splitlines()
    assert len(kept) == 1


def test_ctrl_c_keeps_the_state_and_resume_goes_on(shop: Path) -> None:
    recipe = shop / "long.toml"
    text = write_small_recipe(recipe, "gpt2").read_text()
    recipe.write_text(text.replace("least_steps = 150", "least_steps = 1500"))
    out = shop / "resumed"
    command = [sys.executable, "-m", "p5rec", "fit", str(shop / "events.csv")]
    command += [str(shop / "items.csv"), "--recipe", str(recipe), "--out", str(out)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if line.startswith("Training"):
                break
        time.sleep(1.5)
        running.send_signal(signal.SIGINT)
        assert "--resume" in running.stderr.read()
    assert running.returncode == 130
    assert (shop / "resumed.training" / "training.safetensors").exists()
    subprocess.run([*command, "--resume", "-q"], env=environment, check=True, timeout=240)
    assert (out / "manifest.json").exists()
    assert not (shop / "resumed.training").exists()
