"""A plain model answers through the front door's own call: filters, exclusions, notices, bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shop import SHOP, write_shop

from p5rec.decoding.wanted import Steer
from p5rec.errors import BundleError, NotFittedError, RequestError
from p5rec.fallback import KINDS, Fallback

ITEMS = {row[0]: row for row in SHOP}
SETTINGS = {
    "popularity": {},
    "item-knn": {"neighbours": 5},
    "ials": {"factors": 4, "iterations": 3},
    "sasrec": {"width": 8, "epochs": 3},
}
NEEDS = {"item-knn": "implicit", "ials": "implicit", "sasrec": "rectools"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    return folder


@pytest.fixture(scope="module", params=sorted(KINDS))
def fallback(request: pytest.FixtureRequest, shop: Path) -> Fallback:
    kind = request.param
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind], reason="the extra baselines is not installed")
    return Fallback(kind, **SETTINGS[kind]).fit(shop / "events.csv", shop / "items.csv")


def test_every_kind_is_tried() -> None:
    assert set(SETTINGS) == set(KINDS)


def test_a_list_is_full_ranked_and_of_the_catalogue(fallback: Fallback) -> None:
    found = fallback.recommend(["oats", "milk"], k=12)
    assert {one.item_id for one in found} == set(ITEMS)
    assert [one.rank for one in found] == list(range(1, 13))
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(one.path[-1] == ITEMS[one.item_id][1] for one in found)


def test_a_batch_equals_single_calls(fallback: Fallback) -> None:
    histories = [["oats"], [], ["milk", "honey", "nope"]]
    batch = fallback.recommend(histories, k=4)
    for history, found in zip(histories, batch, strict=True):
        single = fallback.recommend(history, k=4)
        assert list(single) == list(found)
        assert single.notices == found.notices


def test_filters_and_exclusions_hold(fallback: Fallback) -> None:
    found = fallback.recommend(
        ["oats", "milk"], k=5, filter="price <= 2", deny=["chips"], exclude_history=True
    )
    expected = {row[0] for row in SHOP if row[4] <= 2 and row[0] not in ("oats", "milk", "chips")}
    assert {one.item_id for one in found} == expected
    allowed = fallback.recommend(["oats"], k=3, allow=["jam", "rolls"])
    assert {one.item_id for one in allowed} == {"jam", "rolls"}


def test_filters_keep_the_order(fallback: Fallback) -> None:
    every = [one.item_id for one in fallback.recommend(["oats", "milk"], k=12)]
    cheap = [one.item_id for one in fallback.recommend(["oats", "milk"], k=12, filter="price <= 2")]
    assert cheap == [item for item in every if ITEMS[item][4] <= 2]


def test_notices_tell_what_happened(fallback: Fallback) -> None:
    assert "nope" in fallback.recommend(["nope"]).notices[0]
    assert "popular" in fallback.recommend(["nope"]).notices[1]
    steered = fallback.recommend(["oats"], k=3, steer=Steer(category="dairy", hard=True))
    assert {ITEMS[one.item_id][3].split("|")[0] for one in steered} == {"dairy"}
    assert any("steer" in notice for notice in steered.notices)
    empty = fallback.recommend(["oats"], k=3, allow=["oats"], exclude_history=True)
    assert not empty
    assert any("nothing is left" in notice for notice in empty.notices)


def test_a_saved_fallback_answers_alike(fallback: Fallback, tmp_path: Path) -> None:
    fallback.save_pretrained(tmp_path / "plain")
    loaded = Fallback.from_pretrained(tmp_path / "plain")
    assert loaded.kind == fallback.kind
    histories = [["oats", "milk"], [], ["chips"]]
    assert loaded.recommend(histories, k=6) == fallback.recommend(histories, k=6)
    names = {file.suffix for file in (tmp_path / "plain").iterdir()}
    assert names == {".json", ".parquet", ".safetensors"}


def test_a_changed_file_is_refused(fallback: Fallback, tmp_path: Path) -> None:
    fallback.save_pretrained(tmp_path / "plain")
    with (tmp_path / "plain" / "fallback.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="has changed"):
        Fallback.from_pretrained(tmp_path / "plain")


def test_mistakes_are_told(fallback: Fallback) -> None:
    with pytest.raises(RequestError, match="k is 0"):
        fallback.recommend(["oats"], k=0)
    with pytest.raises(RequestError, match="the history is the text"):
        fallback.recommend("oats")
    with pytest.raises(RequestError, match="colour"):
        fallback.recommend(["oats"], filter='colour == "red"')
    with pytest.raises(RequestError, match="no fallback 'magic'"):
        Fallback("magic")
    with pytest.raises(NotFittedError, match="fit"):
        Fallback(fallback.kind).recommend(["oats"])


def test_arrays_are_ranked_by_the_contract_of_baselines(fallback: Fallback) -> None:
    from p5rec.data.events import Histories

    histories, _ = Histories.from_events([["oats", "milk"]], fallback.catalogue)
    ranked = fallback.rank(histories, k=3)
    found = fallback.recommend(["oats", "milk"], k=3)
    assert np.array(fallback.catalogue.item_ids)[ranked[0]].tolist() == [
        one.item_id for one in found
    ]
