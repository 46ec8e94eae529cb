"""Items come, go and come back; one user is followed; all of it survives saving."""

import shutil

import numpy as np
import pyarrow as pa
import pytest
import torch
from shop import SHOP, write_shop, write_small_recipe
from test_storage import stir
from tiny_worlds import FAMILIES, grocery_world, histories_of, item_model, tiny_recipe

from p5rec import Recommender
from p5rec.data.catalogue import Catalogue
from p5rec.decoding import growing
from p5rec.decoding.growing import grow
from p5rec.decoding.storage import load_model, save_model
from p5rec.errors import BundleError, RequestError

NEW = pa.table(
    {
        "item_id": ["n0", "n1", "n2"],
        "title": ["almond milk", "sour bread", "orange squash"],
        "categories": [["food", "milk"], ["food", "bread"], ["food", "squash"]],
        "brand": ["Acme", "Core", "Bell"],
    }
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Fitted recommenders of two families, on disk."""
    place = tmp_path_factory.mktemp("shop")
    write_shop(place)
    for family in ("gpt2", "t5"):
        recipe = write_small_recipe(place / f"{family}.toml", family)
        made = Recommender.from_base(recipe).fit(place / "events.csv", place / "items.csv")
        made.save_pretrained(place / family)
    return place


@pytest.fixture(params=["gpt2", "t5"])
def shop(request, folder):
    return Recommender.from_pretrained(folder / request.param)


def items_of(found):
    return [one.item_id for one in found]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_grown_model_knows_what_it_knew_and_where_new_items_belong(family):
    model = stir(grocery_world(family).model)
    histories = histories_of([[0, 1, 2], [5]], [[0, 1, 2], [0]])
    before = model.ranker().score(histories, np.array([3, 4]))
    grown = grow(model, Catalogue.from_table(NEW))
    assert model.ranker().score(histories, np.array([3, 4])) == pytest.approx(before, abs=1e-6)
    assert grown.catalogue.item_ids == [*model.catalogue.item_ids, "n0", "n1", "n2"]
    assert grown.ids.codes[:12].tolist() == model.ids.codes.tolist()
    # A new item of a known category lies beside the others of it; a new category has one item.
    assert grown.ids.codes[12, 0] == model.ids.codes[0, 0]
    assert grown.ids.codes[14, 0] >= model.ids.sizes[0]
    old, new = model.scorer, grown.scorer
    items = torch.arange(12)
    assert torch.equal(
        new.backbone.table.rows(new.path_tokens(items)),
        old.backbone.table.rows(old.path_tokens(items)),
    )
    assert torch.equal(new.backbone.table.text_rows(), old.backbone.table.text_rows())
    found = grown.ranker().search(histories, k=15)
    assert sorted(found.items[0].tolist()) == list(range(15))
    assert np.isfinite(found.scores).all()


def test_a_new_code_starts_beside_its_siblings_as_far_off_as_its_text():
    model = stir(grocery_world("gpt2").model)
    grown = grow(model, Catalogue.from_table(NEW))
    start = grow_without_weights(model)
    rows, first = grown.scorer.backbone.table, start.scorer.backbone.table
    tokens = grown.scorer.path_tokens(torch.tensor([0, 1, 2, 12]))[:, 1]
    learned, text = rows.rows(tokens), first.rows(tokens)
    expected = learned[:3].mean(0) + text[3] - text[:3].mean(0)
    assert torch.allclose(learned[3], expected, atol=1e-6)


def grow_without_weights(model):
    """What growing starts from: rows as texts give them."""
    kept = growing._set_rows
    growing._set_rows = lambda *_: None
    try:
        return grow(model, Catalogue.from_table(NEW))
    finally:
        growing._set_rows = kept


@pytest.mark.parametrize("family", FAMILIES)
def test_a_grown_and_thinned_model_is_the_same_after_saving(family, tmp_path):
    model = grow(stir(grocery_world(family).model), Catalogue.from_table(NEW))
    growing.retire(model, ["i03", "n1"])
    save_model(model, tmp_path / "bundle", {})
    again, _ = load_model(tmp_path / "bundle")
    histories = histories_of([[0, 1, 2], [5]], [[0, 1, 2], [0]])
    one, other = (made.ranker().search(histories, k=14) for made in (model, again))
    assert one.items.tolist() == other.items.tolist()
    assert one.scores == pytest.approx(other.scores, abs=1e-6)
    assert not set(one.items.ravel().tolist()) & {3, 13}
    once_more = grow(again, Catalogue.from_table(pa.table({"item_id": ["n9"], "title": ["tea"]})))
    assert len(once_more.catalogue) == 16
    assert not once_more.scorer.trie.live.all()


def test_growth_with_an_adapter_keeps_the_adapter():
    """LoRA's item rows are parameters of their own, and grow as well."""
    made = item_model("gpt2", "lora", rows=6)
    rows = torch.randn(9, 16)
    table = made.backbone.table
    with pytest.raises(RuntimeError), torch.no_grad():
        growing._set_rows(table, table.text_rows(), rows)
    with torch.no_grad():
        growing._set_rows(table, table.text_rows(), rows[:6])
    assert torch.equal(table.items.detach(), rows[:6])


def test_new_items_are_recommended_asked_for_and_filtered(shop):
    lentils = {"item_id": ["lentils"], "title": ["Red lentils"], "brand": ["Mill Lane"]}
    lentils |= {"categories": ["pantry|cereal"], "price": [1.0]}
    shop.add_items(pa.table(lentils))
    found = shop.recommend(["oats", "milk"], k=13)
    assert sorted(items_of(found)) == sorted([*(row[0] for row in SHOP), "lentils"])
    only = shop.recommend(["lentils", "milk"], k=3, filter="price <= 1 and brand == 'Mill Lane'")
    assert items_of(only) == ["lentils"]
    assert "lentils" in items_of(shop.ask("red lentils", k=3))


def test_retired_items_are_never_returned_until_they_are_restored(shop, tmp_path):
    before = shop.recommend(["oats", "milk"], k=12)
    gone = items_of(before)[:2]
    shop.retire_items(gone)
    left = shop.recommend(["oats", "milk"], k=12)
    assert items_of(left) == items_of(before)[2:]
    assert [one.score for one in left] == pytest.approx([one.score for one in before][2:])
    shop.save_pretrained(tmp_path / "thinned")
    again = Recommender.from_pretrained(tmp_path / "thinned")
    assert items_of(again.recommend(["oats", "milk"], k=12)) == items_of(left)
    again.restore_items(gone)
    assert items_of(again.recommend(["oats", "milk"], k=12)) == items_of(before)


def test_a_shop_without_a_live_item_says_so(shop):
    shop.retire_items([row[0] for row in SHOP])
    found = shop.recommend(["oats"], k=3)
    assert found == []
    assert any("retired" in notice for notice in found.notices)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda shop: shop.retire_items(["oat"]), "item 'oat' is not in the catalogue"),
        (lambda shop: shop.restore_items(["oat"]), "Did you mean 'oats'"),
        (lambda shop: shop.add_items(pa.table({"item_id": ["oats"]})), "in the catalogue already"),
        (
            lambda shop: shop.add_items(Catalogue(pa.table({"item_id": ["x"], "price": ["dear"]}))),
            "do not fit the catalogue",
        ),
    ],
)
def test_changes_that_cannot_be_are_refused_and_leave_all_as_it_was(shop, change, told):
    with pytest.raises(RequestError) as error:
        change(shop)
    assert told in str(error.value)
    assert len(shop.recommend(["oats"], k=12)) == 12


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"k": 0}, "k is 0; expected 1 to 12"),
        ({"k": 13}, "k is 13"),
        ({"beams": 0}, "beams is 0; expected 1 to 10,000"),
        ({"beams": 10_001}, "beams is 10001"),
        ({"filter": "price < 1 and price > 2"}, "contradicts itself"),
        ({"filter": "cost < 1"}, "no attribute 'cost'"),
        ({"filter": "price < 'cheap'"}, "cannot be compared"),
        ({"filter": "item in ['oat']"}, "item 'oat' is not in the catalogue"),
        ({"allow": ["oat"]}, "item 'oat' is not in the catalogue"),
        ({"deny": ["oat"]}, "Did you mean 'oats'"),
        ({"allow": ["oats"], "deny": ["oats"]}, "contradict each other"),
    ],
)
def test_what_cannot_be_wanted_is_told_before_any_model_work(folder, monkeypatch, wanted, told):
    shop = Recommender.from_pretrained(folder / "gpt2")

    def never(*_, **__):
        raise AssertionError("the model was asked")

    monkeypatch.setattr(type(shop.model.scorer.backbone), "begin", never)
    for ask in (lambda: shop.recommend(["oats"], **wanted), lambda: shop.ask("milk", **wanted)):
        with pytest.raises(RequestError) as error:
            ask()
        assert told in str(error.value)
    with pytest.raises(RequestError) as error:
        shop.follow(["oats"]).recommend(**wanted)
    assert told in str(error.value)


@pytest.mark.parametrize("name", ["code_0.npy", "leaf_start_1.npy", "trie.json"])
def test_a_changed_byte_of_the_trie_is_refused_by_name_before_any_model_work(
    folder, tmp_path, monkeypatch, name
):
    shutil.copytree(folder / "gpt2", tmp_path / "copy")
    file = tmp_path / "copy" / "trie" / name
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)

    def never(*_):
        raise AssertionError("the model was made")

    monkeypatch.setattr("p5rec.decoding.storage.make_mini", never)
    with pytest.raises(BundleError, match=f"trie/{name}"):
        Recommender.from_pretrained(tmp_path / "copy")


def test_the_trie_of_a_bundle_is_opened_by_memory_map(folder):
    trie = Recommender.from_pretrained(folder / "gpt2").model.scorer.trie
    for array in (*trie.code, *trie.child_start, trie.item_of_leaf):
        assert isinstance(array.base, np.memmap) or isinstance(array, np.memmap)


def test_one_user_is_followed_from_event_to_event(folder):
    shop = Recommender.from_pretrained(folder / "gpt2")
    user = shop.follow(["oats"])
    events = ["oats"]
    for item in ["milk", "honey", "milk", "jam", "rolls"]:
        followed = user.recommend(k=5, exclude_history=True)
        anew = shop.recommend(events, k=5, exclude_history=True)
        assert items_of(followed) == items_of(anew)
        assert [one.score for one in followed] == pytest.approx(
            [one.score for one in anew], abs=1e-5
        )
        assert user.add(item) is user
        events.append(item)
    assert user.history == events
    wanted = {"filter": "price <= 2", "strategy": "regular"}
    assert items_of(user.recommend(k=3, **wanted)) == items_of(
        shop.recommend(events, k=3, **wanted)
    )


def test_who_is_followed_sees_changes_of_the_catalogue(folder):
    shop = Recommender.from_pretrained(folder / "gpt2")
    user = shop.follow()
    best = items_of(user.add("oats").recommend(k=1))
    shop.retire_items(best)
    assert best[0] not in items_of(user.recommend(k=11))
    shop.add_items(pa.table({"item_id": ["x"], "title": ["Rye flakes"]}))
    assert "x" in items_of(user.add("x").recommend(k=12))


def test_an_encoder_decoder_cannot_be_followed(folder):
    shop = Recommender.from_pretrained(folder / "t5")
    with pytest.raises(RequestError, match="reads each history anew"):
        shop.follow(["oats"])


def test_recipes_without_a_prior_grow_too():
    recipe = tiny_recipe("gpt2", prior=False)
    assert not recipe.prior.enabled
    grown = grow(grocery_world("gpt2", prior=False).model, Catalogue.from_table(NEW))
    assert grown.scorer.prior is None
    assert len(grown.ranker().search(histories_of([[0]]), k=15).items[0]) == 15
