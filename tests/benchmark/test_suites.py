"""Suites: read from TOML, run whole, and never fit twice what is there."""

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from shop import write_shop, write_small_recipe

from p5rec import cli, resources
from p5rec.benchmark import run as run_module
from p5rec.benchmark.run import Run, run_suite
from p5rec.benchmark.suite import Suite
from p5rec.errors import RecipeError, RequestError
from p5rec.model.recipe import Recipe
from p5rec.progress import SILENT

METRICS = ("recall@5", "recall@10", "ndcg@5", "ndcg@10")
SHOP_SUITE = """
source = "folder"
split = "leave-one-out"
metrics = ["recall@5", "recall@10", "ndcg@5", "ndcg@10"]
baselines = ["popularity", "item-knn", "sasrec"]

[reference]
name = "TIGER"
metric = "recall@10"
value = 0.1

[prompting]
history = 4
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A small shop as a folder of Parquet files, a suite over it, and a recipe of seconds."""
    folder = tmp_path_factory.mktemp("suite")
    write_shop(folder)
    items = pyarrow.csv.read_csv(folder / "items.csv")
    pq.write_table(items, folder / "items.parquet")
    events = pyarrow.csv.read_csv(folder / "events.csv").drop_columns(["session_id"])
    pq.write_table(events, folder / "interactions.parquet")
    write_small_recipe(folder / "small.toml", "gpt2")
    suite = f"recipe = {str(folder / 'small.toml')!r}\n{SHOP_SUITE}"
    (folder / "shop.toml").write_text(suite, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(world):
    return Run(
        suite=Suite.load(world / "shop.toml"),
        recipe=Recipe.load(world / "small.toml"),
        work=world / "work",
        data=world,
        seeds=(0, 1),
        baselines=("popularity",),
        budgets=(0.02,),
    )


@pytest.fixture(scope="module")
def found(run):
    return run_suite(run, reporter=SILENT, command="p5rec evaluate")


@pytest.mark.parametrize("name", resources.names("suites"))
def test_every_suite_that_ships_fits_every_recipe(name):
    suite = Suite.load(name)
    assert suite.metrics == METRICS
    for recipe in resources.names("adapters"):
        adapted = suite.adapt(Recipe.load(recipe))
        assert adapted.name == recipe
        assert suite.split == "last-basket" or adapted.prompting.history == 50


def test_all_keys_are_there(found):
    for protocol in ("plain", "unseen"):
        assert set(found[protocol]) == set(METRICS)
        assert all(set(value) == {"mean", "sd"} for value in found[protocol].values())
        assert set(found["baselines"]["popularity"][protocol]) == set(METRICS)
        lead = found["vs_popularity"][protocol]["ndcg@10"]
        assert lead["low"] <= lead["difference"] <= lead["high"]
    assert found["baselines"]["popularity"]["train_minutes"] >= 0
    assert found["seeds"] == [0, 1]
    assert found["invalid_items"] == 0
    assert found["seconds_to_tiger"] <= 60 * max(run["train_minutes"] for run in found["runs"])
    for key in ("suite", "recipe", "train_minutes", "eval_seconds", "machine", "versions"):
        assert found[key]
    assert found["command"] == "p5rec evaluate"
    json.dumps(found)


def test_means_are_those_of_the_seeds(found):
    for metric in METRICS:
        each = [run["plain"][metric] for run in found["runs"]]
        assert found["plain"][metric]["mean"] == pytest.approx(sum(each) / 2, abs=2e-5)
        assert found["plain"][metric]["sd"] == pytest.approx(
            abs(each[0] - each[1]) / 2**0.5, abs=3e-5
        )


def test_what_is_finished_is_not_fitted_again(run, found, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("fitted again")

    monkeypatch.setattr(run_module.Recommender, "fit", refuse)
    monkeypatch.setattr(run_module, "fit_rival", refuse)
    suite = run.suite.model_copy(update={"recipe": "another-default"})
    again = run_suite(replace(run, suite=suite), reporter=SILENT, command="p5rec evaluate")
    assert {k: v for k, v in again.items() if k not in ("machine", "commit")} == {
        k: v for k, v in found.items() if k not in ("machine", "commit")
    }


def test_a_sample_of_users_is_asked(run, found):
    short = replace(run, seeds=(0,), budgets=())
    assert run_suite(replace(short, users=30), reporter=SILENT)["users"] == 30 < found["users"]
    assert run_suite(replace(short, users=10**6), reporter=SILENT)["users"] == found["users"]


def test_other_settings_are_another_fit(run, found, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("fitted")

    monkeypatch.setattr(run_module.Recommender, "fit", refuse)
    other = run.recipe.model_copy(
        update={"training": run.recipe.training.model_copy(update={"learning_rate": 0.5})}
    )
    with pytest.raises(AssertionError, match="fitted"):
        run_suite(Run(**{**vars(run), "recipe": other}), reporter=SILENT)


MISTAKES = {
    "unknown suite": ("nope", "no suite 'nope'"),
    "unknown key": ("colour = 1\n" + SHOP_SUITE, "colour"),
    "not TOML": ("source = ", "TOML"),
    "unknown split": (SHOP_SUITE.replace("leave-one-out", "by-colour"), "split"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_wrong_suite_says_what_is_wrong(name, tmp_path):
    given, expected = MISTAKES[name]
    if "\n" in given or "=" in given:
        (tmp_path / "mine.toml").write_text(given, encoding="utf-8")
        given = str(tmp_path / "mine.toml")
    with pytest.raises(RequestError, match=expected):
        Suite.load(given)


def test_a_setting_that_recipes_lack_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(SHOP_SUITE.replace("history = 4", "colour = 4"), encoding="utf-8")
    with pytest.raises(RecipeError, match="colour: Extra inputs are not permitted"):
        Suite.load(path).adapt(Recipe.load("gpt2-mini"))


def test_a_folder_suite_without_a_folder_is_refused():
    with pytest.raises(RequestError, match="--data"):
        Suite.load("yelp").read(None)


def test_nothing_held_out_is_refused(run, world, tmp_path):
    events = pq.read_table(world / "interactions.parquet").slice(0, 2)
    pq.write_table(events, tmp_path / "interactions.parquet")
    pq.write_table(pq.read_table(world / "items.parquet"), tmp_path / "items.parquet")
    with pytest.raises(RequestError, match="holds nothing out"):
        run_suite(Run(**{**vars(run), "data": Path(tmp_path)}), reporter=SILENT)


def call(*words, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["p5rec", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return left.value.code


def test_the_command_line_gives_the_same_figures(found, world, tmp_path, monkeypatch, capsys):
    words = ["evaluate", "--suite", world / "shop.toml", "--data", world, "--seeds", "0,1"]
    words += ["--baselines", "popularity", "--budgets", "0.02"]
    words += ["--work", world / "work", "--out", tmp_path / "new" / "shop.json", "-q"]
    assert call(*words, "--recipe", world / "small.toml", "--json", monkeypatch=monkeypatch) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads((tmp_path / "new" / "shop.json").read_text(encoding="utf-8"))
    assert told["plain"] == found["plain"]
    assert told["command"].startswith("p5rec evaluate --suite")
    assert call(*words, monkeypatch=monkeypatch) == 0
    assert "popularity" in capsys.readouterr().out  # the suite's recipe is the same one


@pytest.mark.parametrize(
    ("name", "recipe"), [("yelp", "bert-mini-ranking"), ("complete-journey", "gpt2-mini")]
)
def test_a_suite_names_its_recipe(name, recipe):
    assert Suite.load(name).recipe == recipe


SHELL_MISTAKES = {
    "nothing": ([], "--suite"),
    "bundle and suite": (["bundle", "--suite", "yelp"], "Leave it out"),
    "no data": (["--suite", "yelp"], "--data"),
    "unknown suite": (["--suite", "yelb"], "yelp"),
    "seeds": (["--suite", "yelp", "--seeds", "one"], "--seeds"),
    "half a seed": (["--suite", "yelp", "--seeds", "0.5"], "expected whole numbers"),
    "no seed": (["--suite", "shop.toml", "--data", ".", "--seeds", ""], "no seed"),
    "baseline": (["--suite", "yelp", "--baselines", "magic"], "item-knn"),
    "empty folder": (["--suite", "yelp", "--data", "nope"], "interactions.parquet"),
}


@pytest.mark.parametrize("name", SHELL_MISTAKES)
def test_a_mistake_is_told_and_exits_with_2(name, world, monkeypatch, capsys):
    words, expected = SHELL_MISTAKES[name]
    monkeypatch.chdir(world)
    assert call("evaluate", *words, "-q", monkeypatch=monkeypatch) == 2
    printed = capsys.readouterr()
    assert expected in printed.err
    assert not printed.out


def test_the_results_page_shows_the_figures(found, tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="the extra report is not installed")
    script = Path(resources.__file__).parent.parent / "eval" / "results_page.py"
    spec = importlib.util.spec_from_file_location("results_page", script)
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    (tmp_path / "shop.json").write_text(json.dumps(found), encoding="utf-8")
    (tmp_path / "other.json").write_text("[]", encoding="utf-8")
    monkeypatch.setattr(page, "RESULTS", tmp_path)
    monkeypatch.setattr(page, "PAGE", tmp_path / "README.md")
    page.main()
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    for protocol in ("plain", "unseen"):
        assert f"{found[protocol]['ndcg@10']['mean']:.4f}" in text
        assert f"{found['baselines']['popularity'][protocol]['recall@10']:.4f}" in text
    assert (tmp_path / "shop.png").stat().st_size > 1000


def test_published_figures_name_suites_and_protocols():
    script = Path(resources.__file__).parent.parent / "eval" / "published.toml"
    import tomllib

    methods = tomllib.loads(script.read_text(encoding="utf-8"))["method"]
    for method in methods:
        assert method["protocol"] in ("plain", "unseen")
        assert method["read"] in ("own", "other")
        rows = {name: row for name, row in method.items() if isinstance(row, list)}
        assert rows
        assert set(rows) <= set(resources.names("suites"))
        assert all(len(row) == 4 and max(row) < 0.2 for row in rows.values())
