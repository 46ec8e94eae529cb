"""The figures of language that are kept: all of them, each with the run that gave it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "eval"))
import bench_common

RESULTS = json.loads(bench_common.LANGUAGE.read_text(encoding="utf-8"))
FIGURES = [
    "claim_precision_verifier",
    "claim_precision_read",
    "verifier_precision",
    "verifier_recall",
    *(f"faithfulness.{data}" for data in ("beauty", "complete-journey")),
    *(
        f"xrec.{data}.{who}.{figure}"
        for data in ("books", "yelp")
        for who in ("ours", "xrec")
        for figure in ("rougeL", "claim_precision", "unique_sentences")
    ),
    *(
        f"requests.{data}.{who}"
        for data in ("yelp", "amazon-games", "complete-journey")
        for who in ("ours", "bm25", "minilm")
    ),
    "filter_cases_passed",
    "unseen_templates_loss",
    "zero_shot.beauty-sports.events_0",
    *(f"cold.amazon-beauty.{name}" for name in ("ours_cold", "content_cold", "warm_loss")),
    "explain_per_second",
]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_there(name: str) -> None:
    found = RESULTS
    for part in name.split("."):
        found = found[part]
    assert isinstance(found, int | float)


def test_every_run_says_what_it_was() -> None:
    assert all({"command", "commit", "machine"} <= run.keys() for run in RESULTS["runs"].values())


def test_figures_of_one_data_set_leave_those_of_others(tmp_path: Path) -> None:
    file = tmp_path / "language.json"
    for data, value in (("a", 1), ("b", 2), ("a", 3)):
        found = {"requests": {data: {"ours": value}}, "passed": value}
        bench_common.add_language_results(found, f"requests {data}", {"commit": value}, file)
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "requests": {"a": {"ours": 3}, "b": {"ours": 2}},
        "passed": 3,
        "runs": {"requests a": {"commit": 3}, "requests b": {"commit": 2}},
    }
