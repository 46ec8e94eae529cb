import numpy as np
import pyarrow as pa
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.ids.attributes import fit_attribute_ids
from p5rec.ids.semantic_ids import node_counts


def shop(rows):
    """A catalogue of dicts; ids run from the last row to the first, so that they sort otherwise."""
    ids = [f"id{len(rows) - i:04d}" for i in range(len(rows))]
    names = sorted({name for row in rows for name in row})
    columns = {name: [row.get(name) for row in rows] for name in names}
    return Catalogue.from_table(pa.table({"item_id": ids, **columns}))


def fit(rows, levels, *, leaves="unique", max_width=256, seed=0):
    return fit_attribute_ids(
        shop(rows), levels=levels, leaves=leaves, max_width=max_width, seed=seed
    )


GROCER = [
    {"title": "Oat drink", "brand": "Alpo", "categories": ["Food", "Dairy", "Milk"]},
    {"title": "Whole milk", "brand": None, "categories": ["Food", "Dairy", "Milk"]},
    {"title": "Greek yogurt", "brand": "Alpo", "categories": ["Food", "Dairy"]},
    {"title": "Green tea", "brand": "Teavo", "categories": ["Food", "Drinks"]},
    {"title": "Black tea", "brand": "Teavo", "categories": ["Food", "Drinks"]},
    {"title": "Gift card", "brand": None, "categories": None},
]


def test_a_known_tree_with_a_leaf_for_each_item():
    ids = fit(GROCER, ["categories[1]", "brand"])
    assert ids.levels == ("categories[1]", "brand", "item")
    assert ids.labels[0] == ("(no further category)", "Dairy", "Drinks")
    assert ids.labels[1] == ("(no brand)", "Alpo", "Teavo")
    assert ids.codes.tolist() == [[1, 1, 3], [1, 0, 1], [1, 1, 2], [2, 2, 5], [2, 2, 4], [0, 0, 0]]
    assert ids.labels[2][4] == "Black tea, Teavo, Drinks, Food"
    assert ids.notes == (
        "level 'categories[1]': items without a value, which share the code "
        "'(no further category)': 1",
        "level 'brand': items without a value, which share the code '(no brand)': 2",
    )


def test_a_known_tree_with_numbered_siblings():
    ids = fit(GROCER, ["categories[1]", "brand"], leaves="shared")
    assert ids.codes.tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0], [2, 2, 1], [2, 2, 0], [0, 0, 0]]
    assert ids.labels[2] == ("1", "2")


def test_the_last_category_is_the_one_that_the_item_has():
    ids = fit(GROCER, ["categories[-1]"])
    assert ids.labels[0] == ("(no category)", "Dairy", "Drinks", "Milk")


def test_spellings_of_one_value_are_one_code_under_its_commonest_spelling():
    brands = [
        "L'Oreal",
        "L'OREAL ",
        "L'OREAL",
        "l'oreal",
        "Ｌ'Oreal",
        " L'Oreal",
        "Nivéa",
        "Nive\u0301a",
    ]
    rows = [{"title": f"cream {i}", "brand": brand} for i, brand in enumerate(brands)]
    ids = fit(rows, ["brand"])
    assert ids.labels[0] == ("L'OREAL", "Nivéa")
    assert ids.codes[:, 0].tolist() == [0] * 6 + [1] * 2
    # Accents that are composed otherwise are the same spelling.
    assert ids.notes == (
        "level 'brand': spellings read as the same value as another: 4, such as "
        + repr("L'Oreal")
        + " as "
        + repr("L'OREAL"),
    )


def test_brands_that_differ_in_marks_and_entities_alone_are_one():
    brands = ["L&#39;Oreal Paris", "L'OREAL-PARIS", "l oreal paris", "L&amp;M", "L & M"]
    ids = fit(
        [{"title": f"cream {i}", "brand": brand} for i, brand in enumerate(brands)], ["brand"]
    )
    assert ids.labels[0] == ("L & M", "L'OREAL-PARIS")
    assert ids.codes[:, 0].tolist() == [1, 1, 1, 0, 0]
    sizes = fit([{"size": "1.5 oz"}, {"size": "15 oz"}], ["size"])
    assert sizes.labels[0] == ("1.5 oz", "15 oz")


def test_thousands_of_brands_are_grouped_and_a_family_stays_together():
    rows = [
        {"title": f"{kind} no {i}", "brand": f"{kind}er{i} {tail}".strip()}
        for i in range(400)
        for kind in ("soap", "tea", "oil")
        for tail in ("", "Paris", "New York")[: 1 + i % 3]
    ]
    random = np.random.default_rng(0)
    for row in rows:
        row["title"] = f"{random.choice(['soap', 'tea', 'oil'])} no {random.integers(99)}"
    ids = fit(rows, ["brand"], max_width=64)
    assert ids.levels[:2] == ("brand group", "brand")
    assert max(node_counts(ids.codes)[1]) <= 64
    group = {row["brand"]: code for row, code in zip(rows, ids.codes[:, 0].tolist(), strict=True)}
    families = [brand for brand in group if f"{brand} Paris" in group]
    together = [group[brand] == group[f"{brand} Paris"] for brand in families]
    assert len(families) == 798
    assert np.mean(together) > 0.9


def test_messy_attributes_of_one_to_six_category_levels():
    paths = [["Beauty", "Hair", "Care", "Dry", "Oils", "Argan"][:depth] for depth in range(1, 7)]
    rows = [
        {"title": None if i % 5 == 0 else f"oil no {i % 7}", "brand": brand, "categories": path}
        for i, (path, brand) in enumerate(
            (path, brand) for path in paths for brand in ("L'Oreal", "L'OREAL ", " ", None)
        )
    ]
    levels = ["categories[0]", "categories[1]", "categories[5]", "categories[-1]", "brand"]
    ids = fit(rows, levels, max_width=3)
    assert ids.levels[:3] == ("categories[1]", "categories[5]", "categories[-1] group")
    assert "Argan" in ids.labels[1]
    assert ids.notes[0].startswith("level 'categories[0]' was dropped")
    assert ids.labels[ids.levels.index("brand")] == ("(no brand)", "L'OREAL")
    assert max(node_counts(ids.codes)[1]) <= 3


def test_a_value_under_two_parents_is_one_code():
    rows = [
        {"title": "a", "brand": "Own", "categories": ["Food"]},
        {"title": "b", "brand": "Own", "categories": ["Toys"]},
        {"title": "c", "brand": "Lux", "categories": ["Toys"]},
    ]
    ids = fit(rows, ["categories[0]", "brand"])
    assert ids.codes[0, 1] == ids.codes[1, 1]
    assert ids.sizes == (2, 2, 3)


def test_numbers_are_levels_too():
    ids = fit([{"size": 2.0}, {"size": 10.5}, {"size": None}, {"size": float("nan")}], ["size"])
    assert ids.labels[0] == ("(no size)", "10.5", "2")
    assert ids.codes[2, 0] == ids.codes[3, 0] == 0


def test_a_wide_node_is_split_by_words():
    kinds = {"yogurt": ["greek", "vanilla"], "laptop": ["gaming", "office"]}
    rows = [
        {"title": f"{kind} {'  '.join(words)} model {i}", "brand": "Own"}
        for i in range(6)
        for kind, words in kinds.items()
    ] + [{"title": "pen", "brand": "Lux"}]
    ids = fit(rows, ["brand"], leaves="shared", max_width=8)
    assert ids.levels == ("brand", "item group", "item")
    groups = ids.codes[:, 1]
    assert len(set(groups[0:12:2])) == len(set(groups[1:12:2])) == 1
    assert sorted(ids.labels[1]) == ["(all)", "gaming, laptop, office", "greek, vanilla, yogurt"]
    assert ids.labels[1][groups[12]] == "(all)"
    assert ids.notes == (
        "level 'item group' was inserted: nodes with more than 8 children at level 'item' were "
        "split (1 into 2 groups)",
    )


def test_groups_that_would_be_too_many_are_grouped_again():
    rows = [{"title": f"word{i % 5} word{i % 11} word{i}"} for i in range(60)]
    ids = fit(rows, [], max_width=4)
    assert ids.levels == ("item group", "item group 2", "item")
    assert max(node_counts(ids.codes)[1]) <= 4


def test_an_inserted_level_never_takes_the_name_of_a_configured_one():
    rows = [{"title": f"t{i}", "item group": f"g{i % 2}"} for i in range(9)]
    ids = fit(rows, ["item group"], max_width=3)
    assert ids.levels == ("item group", "item group 2", "item")


def test_a_level_of_one_value_is_dropped_and_told():
    rows = [{"title": f"t{i}", "brand": "Own"} for i in range(3)]
    ids = fit(rows, ["brand"])
    assert ids.levels == ("item",)
    assert ids.notes == ("level 'brand' was dropped: every item has the same value 'Own'",)


def test_one_item():
    ids = fit([{"title": "pen"}], ["title"])
    assert ids.codes.tolist() == [[0]]
    assert ids.labels == (("pen",),)


def test_items_without_any_text():
    ids = fit([{"price": 1.0}, {"price": 2.0}, {"price": None}], [], max_width=2)
    assert ids.levels == ("item group", "item")
    assert ids.labels == (("(no words)", "(no words) (2)"), ("(no text)",) * 3)
    assert ids.codes[:, 1].tolist() == [1, 2, 0]


def test_identical_items_are_siblings():
    rows = [{"title": "egg", "brand": "Own"}] * 5 + [{"title": "ham", "brand": "Lux"}]
    ids = fit(rows, ["brand", "title"], leaves="shared")
    assert sorted(ids.codes[:5, 2].tolist()) == [0, 1, 2, 3, 4]
    assert len(np.unique(ids.codes[:5, :2], axis=0)) == 1


def test_the_empty_catalogue_is_refused():
    empty = Catalogue.from_table(pa.table({"item_id": pa.array([], pa.string())}))
    with pytest.raises(SemanticIDError, match="empty"):
        fit_attribute_ids(empty, levels=[], leaves="unique", max_width=4)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (["brnad"], r"'brnad' is not in the catalogue\. Known: title, brand, categories\[0\]"),
        (["brnad"], "Did you mean 'brand'"),
        (["brand", "colour", "sice"], "'colour'[^\n]*\n[^\n]*'sice'"),
        (["categories"], r"Did you mean 'categories\[\d\]'"),
        (["categories[x]"], "Did you mean"),
        (["item_id"], "must not depend on item ids"),
        (["item"], "name of the last level"),
        (["brand", "brand"], "more than once"),
        ("brand", "expected a list"),
    ],
)
def test_levels_that_cannot_be_read(levels, message):
    with pytest.raises(SemanticIDError, match=message):
        fit(GROCER, levels)


def test_categories_of_a_catalogue_without_any():
    with pytest.raises(SemanticIDError, match="Known: title"):
        fit([{"title": "pen"}], ["categories[0]"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"leaves": "own"}, "'own'"), ({"max_width": 1}, "max_width is 1")],
)
def test_arguments_that_cannot_be_used(arguments, message):
    with pytest.raises(SemanticIDError, match=message):
        fit(GROCER, ["brand"], **arguments)
