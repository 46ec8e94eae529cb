"""The front door, on a small shop and a real (tiny) model of each family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shop import SHOP, write_shop, write_small_recipe

from p5rec import (
    BundleError,
    DataError,
    Event,
    NotFittedError,
    RecipeError,
    Recommender,
    RequestError,
)

IDS = [item[0] for item in SHOP]


@pytest.fixture(scope="module", params=["gpt2", "llama", "t5"])
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    folder = tmp_path_factory.mktemp(request.param)
    write_shop(folder)
    recipe = write_small_recipe(folder / "small.toml", request.param)
    recommender = Recommender.from_base(recipe)
    return recommender.fit(
        folder / "events.csv", folder / "items.csv", hold_out="last-basket", seed=1
    )


def test_recommends_what_the_catalogue_has(fitted: Recommender) -> None:
    found = fitted.recommend(["oats", "milk"], k=5)
    assert [one.rank for one in found] == [1, 2, 3, 4, 5]
    assert len({one.item_id for one in found} & set(IDS)) == 5
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert found[0].path[0] in {"pantry", "dairy", "bakery", "snacks"}


def test_probabilities_of_the_whole_catalogue_sum_to_one(fitted: Recommender) -> None:
    found = fitted.recommend(["oats", "milk"], k=len(IDS))
    assert sum(np.exp(one.score) for one in found) == pytest.approx(1, abs=1e-4)


def test_learns_who_buys_what(fitted: Recommender) -> None:
    bread = fitted.recommend(["rolls", "chips", "nuts"] * 3, k=6)
    assert len({one.item_id for one in bread} & set(IDS[6:])) >= 5


def test_a_batch_gives_what_single_calls_give(fitted: Recommender) -> None:
    histories = [["oats"], ["rolls", "chips", "nuts", "butter"], []]
    together = fitted.recommend(histories, k=4)
    for history, batched in zip(histories, together, strict=True):
        alone = fitted.recommend(history, k=4)
        assert [one.item_id for one in alone] == [one.item_id for one in batched]
        assert [one.score for one in alone] == pytest.approx(
            [one.score for one in batched], abs=1e-4
        )


def test_exclude_history(fitted: Recommender) -> None:
    found = fitted.recommend(["oats", "milk"], k=12, exclude_history=True)
    assert {one.item_id for one in found} == set(IDS) - {"oats", "milk"}


def test_history_with_times_and_sessions(fitted: Recommender) -> None:
    day = 86_400.0
    recent = [Event("oats", 10 * day, "a"), Event("rolls", 300 * day, "b")]
    assert fitted.recommend(recent, k=3) != fitted.recommend(["oats", "rolls"], k=3)


def test_unknown_items_are_left_out_with_a_notice(fitted: Recommender) -> None:
    found = fitted.recommend(["oats", "nope"], k=3)
    assert "nope" in found.notices[0]
    assert list(found) == list(fitted.recommend(["oats"], k=3))


def test_cold_start_is_answered_with_a_notice(fitted: Recommender) -> None:
    found = fitted.recommend(["nope"], k=3)
    assert len(found) == 3
    assert any("no known item" in notice for notice in found.notices)


@pytest.mark.parametrize("k", [0, -1, 13, 10_000])
def test_k_out_of_range_is_refused(fitted: Recommender, k: int) -> None:
    with pytest.raises(RequestError, match="expected 1 to 12"):
        fitted.recommend(["oats"], k=k)


def test_a_bare_text_is_not_a_history(fitted: Recommender) -> None:
    with pytest.raises(RequestError, match=r"\['oats'\]"):
        fitted.recommend("oats")


def test_explains_with_checked_facts(fitted: Recommender) -> None:
    explanation = fitted.explain(["oats", "milk", "oats"], "granola")
    assert explanation.text
    assert all(claim.supported for claim in explanation.claims)
    assert explanation.to_dict(fitted.catalogue)["item_id"] == "granola"


def test_explaining_an_unknown_item_is_refused(fitted: Recommender) -> None:
    with pytest.raises(RequestError, match="'nope' is not in the catalogue"):
        fitted.explain(["oats"], "nope")


def test_asks_within_limits(fitted: Recommender) -> None:
    found = fitted.ask("something crunchy, not chips, under $3.50", k=12)
    prices = {item[0]: item[4] for item in SHOP}
    assert found
    assert all(prices[one.item_id] < 3.5 and one.item_id != "chips" for one in found)
    assert found.notices


def test_asks_within_limits_whatever_filter_is_given(fitted: Recommender) -> None:
    prices = {item[0]: item[4] for item in SHOP}
    under = {item for item, price in prices.items() if price < 3.5}
    for given in (None, [None], "price > 2", ["price > 2"]):
        found = fitted.ask("something crunchy, under $3.50", k=12, filter=given)
        least = 2 if given and given[0] is not None else 0
        assert {one.item_id for one in found} == {item for item in under if prices[item] > least}


@pytest.mark.parametrize("text", ["", "   ", "\x00\u200b"])
def test_an_empty_request_is_refused(fitted: Recommender, text: str) -> None:
    with pytest.raises(RequestError):
        fitted.ask(text)


def test_a_huge_request_is_refused_with_the_limit(fitted: Recommender) -> None:
    with pytest.raises(RequestError, match="64 KiB"):
        fitted.ask("oats " * 200_000)


def test_saved_and_loaded_is_the_same(fitted: Recommender, tmp_path: Path) -> None:
    fitted.save_pretrained(tmp_path / "bundle")
    loaded = Recommender.from_pretrained(tmp_path / "bundle")
    loaded.to(fitted.model.scorer.backbone.device)
    histories = [["oats", "milk"], ["rolls"]]
    assert loaded.recommend(histories, k=12) == fitted.recommend(histories, k=12)
    assert loaded.ask("bread", k=3) == fitted.ask("bread", k=3)
    assert loaded.explain(["oats"], "milk") == fitted.explain(["oats"], "milk")


def test_a_changed_byte_is_refused_by_name(fitted: Recommender, tmp_path: Path) -> None:
    fitted.save_pretrained(tmp_path / "bundle")
    file = tmp_path / "bundle" / "adapter" / "adapter.safetensors"
    changed = bytearray(file.read_bytes())
    changed[-1] ^= 1
    file.write_bytes(changed)
    with pytest.raises(BundleError, match=r"adapter/adapter\.safetensors has changed"):
        Recommender.from_pretrained(tmp_path / "bundle")


def test_figures_on_seen_events_are_refused(tmp_path: Path) -> None:
    write_shop(tmp_path)
    recipe = write_small_recipe(tmp_path / "small.toml", "gpt2")
    recommender = Recommender.from_base(recipe).fit(tmp_path / "events.csv", tmp_path / "items.csv")
    with pytest.raises(RequestError, match="hold_out"):
        recommender.held_out(tmp_path / "events.csv")


def test_same_seed_same_model(tmp_path: Path) -> None:
    write_shop(tmp_path)
    recipe = write_small_recipe(tmp_path / "small.toml", "gpt2")
    one, two, other = (
        Recommender.from_base(recipe).fit(
            tmp_path / "events.csv", tmp_path / "items.csv", seed=seed
        )
        for seed in (3, 3, 4)
    )
    assert one.recommend(["oats"], k=12) == two.recommend(["oats"], k=12)
    assert one.recommend(["oats"], k=12) != other.recommend(["oats"], k=12)


def test_unfitted_says_what_to_do() -> None:
    with pytest.raises(NotFittedError, match="fit"):
        Recommender.from_base("gpt2-mini").recommend(["oats"])


def test_a_mini_takes_no_base() -> None:
    with pytest.raises(RecipeError, match="makes its own small model"):
        Recommender.from_base("some-folder", recipe="gpt2-mini")


def test_all_problems_of_bad_events_are_told_at_once(tmp_path: Path) -> None:
    write_shop(tmp_path)
    (tmp_path / "bad.csv").write_text("user_id,item_id,timestamp\n,oats,2026-01-01\nu,,yesterday\n")
    with pytest.raises(DataError) as caught:
        Recommender.from_base("gpt2-mini").fit(tmp_path / "bad.csv", tmp_path / "items.csv")
    assert len(caught.value.problems) >= 3


def test_items_that_say_what_is_asked_for_come_first(fitted: Recommender) -> None:
    found = fitted.ask("something crunchy, not chips", k=11)
    assert {one.item_id for one in found[:2]} == {"granola", "nuts"}
    assert {one.item_id for one in found} == set(IDS) - {"chips"}
