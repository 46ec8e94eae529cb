"""Laws of every tree of attributes, whatever the catalogue."""

from collections import Counter

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from p5rec.data.catalogue import Catalogue
from p5rec.ids.attributes import fit_attribute_ids
from p5rec.ids.semantic_ids import SemanticIDs, node_counts

words = st.sampled_from(["oat milk", "Oat  Milk", "green tea", "茶 tea", "egg", "crème", "Ⅷ", ""])
texts = st.one_of(st.none(), words, st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
items = st.fixed_dictionaries(
    {
        "title": texts,
        "brand": st.sampled_from(["Own", "OWN ", "Lux", None, "Ⅷ", "八"]),
        "categories": st.one_of(
            st.none(), st.lists(st.sampled_from(["Food", "food", "Tea", "Soap"]), max_size=3)
        ),
        "price": st.sampled_from([1.0, 2.5, None]),
        "colour": st.sampled_from(["red", None]),
    }
)
catalogues = st.lists(items, min_size=1, max_size=30)
choices = st.fixed_dictionaries(
    {
        "levels": st.lists(
            st.sampled_from(["brand", "categories[0]", "categories[-1]", "colour", "price"]),
            unique=True,
            max_size=3,
        ),
        "leaves": st.sampled_from(["unique", "shared"]),
        "max_width": st.sampled_from([2, 3, 5, 256]),
    }
)
SCHEMA = pa.schema(
    {
        "item_id": pa.string(),
        "title": pa.string(),
        "brand": pa.string(),
        "categories": pa.list_(pa.string()),
        "price": pa.float64(),
        "colour": pa.string(),
    }
)
few = settings(max_examples=60, deadline=None)


def catalogue_of(rows, ids=None):
    ids = ids or [f"i{n}" for n in range(len(rows))]
    named = [{"item_id": item_id, **row} for item_id, row in zip(ids, rows, strict=True)]
    return Catalogue.from_table(pa.Table.from_pylist(named, schema=SCHEMA))


def paths_by_content(catalogue, ids):
    """How often each (content, path) occurs: what remains when names are forgotten."""
    return Counter(
        (repr(catalogue.record(row)), tuple(path)) for row, path in enumerate(ids.codes.tolist())
    )


@few
@given(rows=catalogues, choice=choices)
def test_paths_are_unique_narrow_and_fully_labelled(rows, choice):
    ids = fit_attribute_ids(catalogue_of(rows), **choice)
    assert len(np.unique(ids.codes, axis=0)) == len(rows)
    assert max(node_counts(ids.codes)[1]) <= choice["max_width"]
    for column, labels in zip(ids.codes.T, ids.labels, strict=True):
        assert np.unique(column).tolist() == list(range(len(labels)))
        assert all(labels)
    if choice["leaves"] == "unique":
        assert ids.sizes[-1] == len(rows)


@few
@given(rows=catalogues, choice=choices, data=st.data())
def test_row_order_and_item_ids_do_not_matter(rows, choice, data):
    catalogue = catalogue_of(rows)
    ids = fit_attribute_ids(catalogue, **choice)
    order = data.draw(st.permutations(range(len(rows))))
    renamed = [f"new{n * 37 % 101}" for n in range(len(rows))]
    shuffled = catalogue_of([rows[i] for i in order], renamed)
    other = fit_attribute_ids(shuffled, **choice)
    assert (other.levels, other.labels, other.notes) == (ids.levels, ids.labels, ids.notes)
    assert paths_by_content(shuffled, other) == paths_by_content(catalogue, ids)


@few
@given(rows=catalogues, choice=choices)
def test_saved_and_read_back(rows, choice):
    ids = fit_attribute_ids(catalogue_of(rows), **choice)
    back = SemanticIDs.from_arrays(ids.to_arrays())
    assert (back.codes == ids.codes).all()
    assert (back.levels, back.labels, back.notes) == (ids.levels, ids.labels, ids.notes)


@given(count=st.integers(1, 40), max_width=st.integers(2, 5))
@settings(max_examples=20, deadline=None)
def test_identical_items_all_get_a_path(count, max_width):
    rows = [dict.fromkeys(SCHEMA.names[1:]) | {"title": "egg"}] * count
    ids = fit_attribute_ids(
        catalogue_of(rows), levels=["brand"], leaves="shared", max_width=max_width
    )
    assert len(np.unique(ids.codes, axis=0)) == count
    assert max(node_counts(ids.codes)[1]) <= max_width


def test_a_larger_catalogue_keeps_its_tree_when_shuffled():
    rng = np.random.default_rng(3)
    vocabulary = np.array([f"w{i}x" for i in range(400)])
    blank = dict.fromkeys(SCHEMA.names[1:])
    rows = [
        blank | {"title": " ".join(rng.choice(vocabulary, 5)), "brand": f"b{rng.integers(3)}"}
        for _ in range(1500)
    ]
    choice = {"levels": ["brand"], "leaves": "unique", "max_width": 40}
    catalogue = catalogue_of(rows)
    ids = fit_attribute_ids(catalogue, **choice)
    shuffled = catalogue_of([rows[i] for i in rng.permutation(len(rows))])
    other = fit_attribute_ids(shuffled, **choice)
    assert other.labels == ids.labels
    assert paths_by_content(shuffled, other) == paths_by_content(catalogue, ids)
