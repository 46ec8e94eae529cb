"""A model of one shop over the catalogue of another."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from shop import write_shop, write_small_recipe
from tiny_worlds import grocery_world, tiny_recipe

from p5rec import Recommender
from p5rec.data.catalogue import Catalogue
from p5rec.errors import DataError
from p5rec.model.vocabulary import rows_from_text
from p5rec.prompting.tokenizing import TextTokenizer
from p5rec.training.transfer import GENTLY, LEAST_STEPS, carry_over, tuning_recipe

TOYS = pa.table(
    {
        "item_id": [f"t{row}" for row in range(12)],
        "title": [
            *("red wooden train", "blue wooden train", "wooden train tracks", "train station"),
            *("paint brush", "finger paint", "paint pots", "paper for paint"),
            *("teddy bear", "brown bear", "bear cave", "bear book"),
        ],
        "categories": [["toys", kind] for kind in ("trains", "paint", "bears") for _ in range(4)],
    }
)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A shop's recommender, with companions."""
    place = tmp_path_factory.mktemp("shop")
    write_shop(place)
    recipe = write_small_recipe(place / "small.toml", "gpt2")
    recipe.write_text(recipe.read_text() + "\n[prior]\ncompanions = 5\n", encoding="utf-8")
    return Recommender.from_base(recipe).fit(place / "events.csv", place / "items.csv")


def weights_of(model):
    """What is learnt, by name."""
    found = [*model.scorer.named_parameters(), *model.scorer.prior.named_buffers()]
    return {name: value.cpu() for name, value in found}


def test_what_is_not_of_the_items_stays(fitted):
    made = carry_over(fitted.model, Catalogue.from_table(TOYS))
    before, after = weights_of(fitted.model), weights_of(made)
    of_items = ("wte", "of_item", "log_share", "leaf", "lent")
    of_levels = ("prior.history", "prior.popularity")
    kept = [name for name in before if not any(part in name for part in of_items + of_levels)]
    assert any("near.layers" in name for name in kept)
    assert any("again.mean" in name for name in kept)
    assert [name for name in kept if not torch.equal(before[name], after[name])] == []


def test_nothing_that_is_known_of_the_old_items_stays(fitted):
    """There are as many toys as there were groceries, so that shapes tell nothing."""
    made = carry_over(fitted.model, Catalogue.from_table(TOYS))
    prior = made.scorer.prior
    assert (prior.near.of_item[:, 1] == 0).all()
    assert torch.allclose(prior.log_share_1.exp().sum(), torch.tensor(1.0))
    last = prior.get_buffer(f"log_share_{made.scorer.depth}")
    assert torch.allclose(last, last.mean())
    assert prior.companions.lent.all()


@pytest.mark.parametrize("other", [True, False])
def test_item_rows_start_from_the_words_as_the_model_learnt_them(fitted, other):
    catalogue = Catalogue.from_table(TOYS) if other else fitted.catalogue
    made = carry_over(fitted.model, catalogue)
    table, old = made.scorer.backbone.table, fitted.model.scorer.cpu().backbone.table
    assert torch.equal(table.text_rows(), old.text_rows())
    tokenizer = TextTokenizer(fitted.model.base.tokenizer)
    expected = rows_from_text(old.text_rows().detach(), made.ids.labels, tokenizer, seed=0)
    assert torch.allclose(table.weight[table.base_size :], expected)


def test_without_companions_it_is_text_and_language_alone():
    model = grocery_world("gpt2").model
    made = carry_over(model, Catalogue.from_table(TOYS))
    assert made.scorer.prior.companions is None


def test_a_shop_of_another_kind_is_served_at_once_and_the_first_stays(fitted, tmp_path):
    before = fitted.recommend(["oats"], k=5)
    toys = fitted.transfer(TOYS)
    found = toys.recommend(["t0", "t3"], k=12)
    assert sorted(one.item_id for one in found) == sorted(TOYS["item_id"].to_pylist())
    toys.save_pretrained(tmp_path / "toys")
    again = Recommender.from_pretrained(tmp_path / "toys")
    assert again.recommend(["t0", "t3"], k=12) == found
    assert toys.ask("finger paint", k=1)[0].item_id == "t5"
    assert fitted.recommend(["oats"], k=5) == before


def test_events_tune_it(fitted):
    users = [
        (f"u{user}", kind, place) for user in range(12) for kind in [user % 3] for place in range(4)
    ]
    events = pa.table(
        {
            "user_id": [user for user, _, _ in users],
            "item_id": [f"t{4 * kind + place}" for _, kind, place in users],
            "position": list(range(len(users))),
        }
    )
    tuned = fitted.transfer(TOYS, events)
    assert tuned.about["training"]["events"] == len(users)
    known = tuned.model.scorer.prior.near.of_item
    assert (known[:, 1] > 0).sum() == 9  # the last event of each user validates
    histories = np.array([4 * kind for kind in range(3)])
    for first in histories.tolist():
        best = tuned.recommend([f"t{first}"], k=4)
        same = {f"t{first + place}" for place in range(4)}
        assert len(same & {one.item_id for one in best}) >= 2


def test_events_of_other_items_are_refused(fitted):
    events = pa.table({"user_id": ["u"], "item_id": ["oats"], "position": [0]})
    with pytest.raises(DataError, match="oats"):
        fitted.transfer(TOYS, events)


def test_a_few_events_are_learnt_gently_and_nothing_else_of_a_recipe_changes():
    recipe = tiny_recipe("gpt2", language_learning_rate=2e-3)
    tuned = tuning_recipe(recipe)
    for name in ("learning_rate", "language_learning_rate", "prior_learning_rate"):
        before, after = (getattr(one.training, name) for one in (recipe, tuned))
        assert after == pytest.approx(GENTLY * before)
    assert tuned.training.writing_learning_rate is None
    same = {name: value for name, value in tuned.training if not name.endswith("learning_rate")}
    assert same == {
        name: LEAST_STEPS if name == "least_steps" else value
        for name, value in recipe.training
        if not name.endswith("learning_rate")
    }
