"""`p5rec ids fit` and `p5rec ids diff`, end to end, without a model."""

import json
import sys

import numpy as np
import pytest

from p5rec import cli
from p5rec.model.fitted_ids import load_ids


def call(*words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["p5rec", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


def write_items(path, count):
    brands = ["Own", "Lux", "Alpo"]
    lines = [f"i{n},thing {n % 7} {brands[n % 3]},{brands[n % 3]}" for n in range(count)]
    path.write_text("\n".join(["item_id,title,brand", *lines]))
    return path


def write_events(path, count):
    lines = [f"u{n % 5},i{n * 7 % count},{n}" for n in range(60)]
    path.write_text("\n".join(["user_id,item_id,position", *lines]))
    return path


@pytest.mark.parametrize("scheme", ["attributes", "residual", "hybrid"])
def test_a_refit_that_keeps_and_one_that_does_not(scheme, tmp_path, monkeypatch, capsys):
    items, more = write_items(tmp_path / "a.csv", 30), write_items(tmp_path / "b.csv", 33)
    events = write_events(tmp_path / "events.csv", 30)
    plan = ["--scheme", scheme, "--events", events]
    assert call("ids", "fit", items, *plan, "--out", tmp_path / "old", monkeypatch=monkeypatch) == 0
    assert "30 items" in capsys.readouterr().out
    grown = ["ids", "fit", more, *plan, "--keep", tmp_path / "old", "--out", tmp_path / "new"]
    assert call(*grown, "--json", monkeypatch=monkeypatch) == 0
    about = json.loads(capsys.readouterr().out)
    assert about["items"] == 33
    assert about["notes"][-1] == "since the fit: 3 items were placed, 0 have gone"
    compared = ["ids", "diff", tmp_path / "old", tmp_path / "new"]
    assert call(*compared, "--json", monkeypatch=monkeypatch) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["kept"], found["changed"], found["gone"]) == (30, [], [])
    assert found["added"] == ["i30", "i31", "i32"]
    assert call(*compared, "--examples", 1, monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "added\t3\ti30"


def test_vectors_of_ones_own(tmp_path, monkeypatch, capsys):
    items = write_items(tmp_path / "a.csv", 12)
    vectors = np.eye(4, dtype=np.float32)[np.arange(12) % 4]
    np.save(tmp_path / "v.npy", vectors)
    plan = ["ids", "fit", items, "--scheme", "residual", "--out", tmp_path / "ids", "--vectors"]
    assert call(*plan, tmp_path / "v.npy", monkeypatch=monkeypatch) == 0
    cluster = load_ids(tmp_path / "ids").ids.codes[:, 0]
    assert all(len(set(cluster[k::4].tolist())) == 1 for k in range(4))
    capsys.readouterr()
    assert call(*plan, items, monkeypatch=monkeypatch) == 2
    assert "Write them with numpy.save" in capsys.readouterr().err
    np.save(tmp_path / "short.npy", vectors[:5])
    assert call(*plan, tmp_path / "short.npy", monkeypatch=monkeypatch) == 2
    assert "5 vectors for 12 items" in capsys.readouterr().err


def test_a_report_on_what_was_made_without_the_last_baskets(tmp_path, monkeypatch, capsys):
    items, events = write_items(tmp_path / "a.csv", 30), write_events(tmp_path / "events.csv", 30)
    plan = ["ids", "fit", items, "--scheme", "residual"]
    called = {
        "held": [*plan, "--events", events, "--hold-out", "last-basket"],
        "all": [*plan, "--events", events],
        "none": plan,
        "attributes": ["ids", "fit", items, "--events", events],
    }
    for folder, words in called.items():
        call(*words, "--out", tmp_path / folder, monkeypatch=monkeypatch)
    capsys.readouterr()
    for folder in called:
        report = ["ids", "report", tmp_path / folder, "--events", events, "--json"]
        assert call(*report, monkeypatch=monkeypatch) == 0
        said = capsys.readouterr()
        assert json.loads(said.out)["leaks"] is False
        assert ("may have been fitted on all events" in said.err) == (folder == "all")
    changed = load_ids(tmp_path / "held").ids.codes != load_ids(tmp_path / "all").ids.codes
    assert changed.any()


def test_ids_are_no_recommender(tmp_path, monkeypatch, capsys):
    items = write_items(tmp_path / "a.csv", 3)
    call("ids", "fit", items, "--out", tmp_path / "ids", monkeypatch=monkeypatch)
    capsys.readouterr()
    assert call("recommend", tmp_path / "ids", monkeypatch=monkeypatch) == 2
    assert "holds semantic IDs and no model" in capsys.readouterr().err
