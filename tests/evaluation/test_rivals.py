"""Rivals are tuned on validation, and their records say how."""

import numpy as np
import pytest
from evaluation_worlds import N_ITEMS, chains, make_histories

from p5rec.benchmark.rivals import EPOCHS, GRIDS, World, fit_rival
from p5rec.data.splits import Cases
from p5rec.progress import SILENT


def cases(*last):
    asked = make_histories(*([item - 2, item - 1] for item in last))
    return Cases(asked, [np.array([item]) for item in last])


def record_of(name, *, trials=None):
    world = World(chains(), cases(4, 6, 9), cases(5, 8), N_ITEMS, history=50)
    return fit_rival(name, world, minutes=0.05, trials=trials, reporter=SILENT)


def test_a_rival_that_takes_what_it_needs_tries_each_setting_once():
    pytest.importorskip("implicit", reason="the extra baselines is not installed")
    facts = record_of("item-knn", trials=3).facts
    assert [trial["settings"] for trial in facts["trials"]] == GRIDS["item-knn"][:3]
    best = max(facts["trials"], key=lambda trial: trial["validation ndcg@10"])
    assert best["settings"].items() <= facts["settings"].items()


def test_sasrec_goes_through_halving():
    pytest.importorskip("rectools", reason="RecTools is not installed")
    record = record_of("sasrec")
    facts = record.facts
    assert [trial["rung"] for trial in facts["trials"]] == [1, 1, 1, 1, 2, 2, 3]
    won = facts["trials"][-1]
    assert won["settings"].items() <= facts["settings"].items()
    assert facts["budget_minutes"] == 0.05
    # Far below the budget would mean that a rung was left out.
    assert facts["train_minutes"] > 0.04
    assert facts["settings"]["epochs"] == EPOCHS, "a bound on epochs would leave time over"
    assert record.lists["plain"].shape == (2, 10)
