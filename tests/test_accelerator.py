"""A recommender that learns and answers on an accelerator answers as on the CPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from shop import write_shop, write_small_recipe

from p5rec import Event, Recommender, RequestError

HISTORIES = [["oats", "milk"], ["rolls", "chips", "nuts", "butter"], []]
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture(scope="module", params=["gpt2", "t5", "llama"])
def fitted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recommender:
    folder = tmp_path_factory.mktemp(request.param)
    write_shop(folder)
    recipe = write_small_recipe(folder / "small.toml", request.param)
    return Recommender.from_base(recipe).fit(folder / "events.csv", folder / "items.csv", seed=1)


def answers(recommender: Recommender) -> list[tuple[list[str], list[float]]]:
    lists = [
        *recommender.recommend(HISTORIES, k=5),
        recommender.recommend(["oats"], k=5, filter="price <= 4", exclude_history=True),
        recommender.ask("something crunchy, not chips", history=["oats"], k=3),
    ]
    return [([one.item_id for one in found], [one.score for one in found]) for found in lists]


@pytest.mark.gpu
@needs_gpu
def test_it_learns_and_answers_on_the_accelerator_as_on_the_cpu(
    fitted: Recommender, tmp_path: Path
) -> None:
    device = fitted.model.scorer.backbone.device
    assert device.type == "cuda"
    there = answers(fitted)
    reasons = fitted.explain(["oats", "milk"], "granola")
    fitted.save_pretrained(tmp_path / "bundle")
    here = Recommender.from_pretrained(tmp_path / "bundle")
    assert here.model.scorer.backbone.device.type == "cpu"
    for (items, scores), (same_items, same_scores) in zip(there, answers(here), strict=True):
        assert items == same_items
        np.testing.assert_allclose(scores, same_scores, atol=1e-3)
    assert reasons.text == here.explain(["oats", "milk"], "granola").text
    again = answers(here.to(device))
    assert here.model.scorer.backbone.device == device
    assert [items for items, _ in again] == [items for items, _ in there]


@pytest.mark.gpu
@needs_gpu
def test_a_catalogue_that_changes_stays_where_it_is(fitted: Recommender) -> None:
    muesli = {"item_id": "muesli", "title": "Muesli", "brand": "Mill Lane", "price": 2.0}
    fitted.add_items(pa.Table.from_pylist([{**muesli, "categories": ["pantry", "cereal"]}]))
    assert fitted.model.scorer.prior.near.of_item.device.type == "cuda"
    found = fitted.recommend(["oats", Event("milk")], k=13)
    assert "muesli" in {one.item_id for one in found}
    fitted.retire_items(["muesli"])
    assert fitted.model.scorer.backbone.device.type == "cuda"
    assert len(fitted.recommend(["oats"], k=12)) == 12


def test_a_device_that_is_not_there_is_refused(fitted: Recommender) -> None:
    before = answers(fitted)
    for device in ("cuda:99", "abacus"):
        with pytest.raises(RequestError, match=f"device '{device}' cannot be used"):
            fitted.to(device)
    assert answers(fitted) == before


def test_on_the_device_where_it_is_already_nothing_changes(fitted: Recommender) -> None:
    before = answers(fitted)
    assert fitted.to(fitted.model.scorer.backbone.device) is fitted
    assert answers(fitted) == before
