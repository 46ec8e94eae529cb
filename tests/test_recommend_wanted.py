"""Filters, lists, strategies and steering through the front door and the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shop import SHOP, write_shop, write_small_recipe
from typer.testing import CliRunner

from p5rec import Recommender, RequestError
from p5rec.cli import app
from p5rec.decoding.strategies import Quota, Strategy
from p5rec.decoding.wanted import Steer

PRICE = {item[0]: item[4] for item in SHOP}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wanted")
    write_shop(folder)
    recommender = Recommender.from_base(write_small_recipe(folder / "small.toml", "gpt2"))
    recommender.fit(folder / "events.csv", folder / "items.csv", seed=1)
    recommender.save_pretrained(folder / "bundle")
    return folder / "bundle"


@pytest.fixture(scope="module")
def fitted(bundle: Path) -> Recommender:
    return Recommender.from_pretrained(bundle)


def ids(found) -> list[str]:
    return [one.item_id for one in found]


def test_a_filter_keeps_scores_and_order_and_takes_items_out(fitted: Recommender) -> None:
    every = fitted.recommend(["oats"], k=12)
    cheap = fitted.recommend(["oats"], k=12, filter="price < 2")
    expected = [one for one in every if PRICE[one.item_id] < 2]
    assert ids(cheap) == ids(expected)
    assert [one.score for one in cheap] == pytest.approx([one.score for one in expected])


def test_lists_filters_and_histories_go_together(fitted: Recommender) -> None:
    found = fitted.recommend(
        [["oats"], ["milk"]],
        k=12,
        filter=['categories under "dairy"', None],
        deny=["milk"],
        allow=["milk", "butter", "oats", "yoghurt"],
        exclude_history=True,
    )
    assert sorted(ids(found[0])) == ["butter", "yoghurt"]
    assert sorted(ids(found[1])) == ["butter", "oats", "yoghurt"]


def test_a_keyword_that_nobody_knows_is_refused(fitted: Recommender) -> None:
    with pytest.raises(RequestError, match=r"no keyword 'exclude'.*'exclude_history'"):
        fitted.recommend(["oats"], exclude=["milk"])  # type: ignore[call-overload]
    with pytest.raises(RequestError, match=r"no keyword 'zebra'\. Expected"):
        fitted.ask("something crunchy", zebra=1)  # type: ignore[call-arg]


def test_an_empty_list_tells_why(fitted: Recommender) -> None:
    found = fitted.recommend(["oats"], filter='brand == "Crunchers" and price > 50')
    assert list(found) == []
    assert found.notices[-1] == (
        'nothing is left: no item that passes brand == "Crunchers" passes price > 50'
    )


def test_strategies_and_steering(fitted: Recommender) -> None:
    drawn = {
        tuple(ids(fitted.recommend(["oats"], k=4, strategy="newcomer", seed=seed)))
        for seed in range(9)
    }
    assert len(drawn) > 1
    quota = fitted.recommend(["oats"], k=4, strategy=Strategy(quota=Quota(1)))
    assert len({one.path[0] for one in quota}) == len(quota) == 4
    steer = Steer(category="bakery", price=(2, None), hard=True)
    assert ids(fitted.recommend(["oats"], k=3, steer=steer)) == ["rye-bread"]
    assert len(fitted.recommend(["oats"], k=3, steer=Steer(style="crunchy"))) == 3


def test_ask_takes_filters_too(fitted: Recommender) -> None:
    found = fitted.ask("bread, under $2", k=5, filter='not brand == "Mill Lane"', deny=["milk"])
    assert ids(found)
    assert all(PRICE[item] < 2 and item not in ("milk", "oat-drink") for item in ids(found))
    with pytest.raises(RequestError, match="ask takes no steer"):
        fitted.ask("bread", steer=Steer(style="dark"))


def test_the_shell_has_the_same_words(bundle: Path, fitted: Recommender) -> None:
    options = ["--history", "oats", "-k", "3", "--filter", "price <= 2", "--deny", "milk,rolls"]
    done = CliRunner().invoke(
        app, ["recommend", str(bundle), *options, "--strategy", "regular", "--json", "-q"]
    )
    found = fitted.recommend(
        ["oats"], k=3, filter="price <= 2", deny=["milk", "rolls"], strategy="regular"
    )
    assert [item["item_id"] for item in json.loads(done.stdout)["items"]] == ids(found)
    steered = CliRunner().invoke(
        app,
        [
            "recommend",
            str(bundle),
            "--category",
            "bakery",
            "--price",
            "2-",
            "--hard",
            "--json",
            "-q",
        ],
    )
    assert [item["item_id"] for item in json.loads(steered.stdout)["items"]] == ["rye-bread"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--price", "cheap"], "expected LOW-HIGH"),
        (["--hard"], "goes with --category or --price"),
        (["--filter", "pric < 2"], "Did you mean 'price'"),
        (["--beams", "0"], "beams is 0"),
    ],
)
def test_wrong_options_are_refused(bundle: Path, options: list[str], told: str) -> None:
    done = CliRunner().invoke(app, ["recommend", str(bundle), *options])
    assert isinstance(done.exception, RequestError)
    assert told in str(done.exception)
