"""The figures of a tree that one can count by hand, and their laws."""

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.ids.attributes import fit_attribute_ids
from p5rec.ids.neighbours import Neighbours, Sampling, text_neighbours, vector_neighbours
from p5rec.ids.quality import agreement, collisions, measure, prefix_nodes, usage_entropy
from p5rec.ids.semantic_ids import SemanticIDs

few = settings(max_examples=50, deadline=None)


@pytest.fixture
def shop():
    titles = ["oat milk", "Oat  milk", "rice milk", "soap", "tofu", "oat milk"]
    brands = ["Alpo", "ALPO", "Alpo", None, None, "Zen"]
    return Catalogue.from_table(
        pa.table({"item_id": list("abcdef"), "title": titles, "brand": brands})
    )


@pytest.fixture
def ids():
    codes = np.int32([[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [2, 0]])
    labels = (("Alpo", "(no brand)", "Zen", "Gone"), ("1", "2", "3"))
    return SemanticIDs(("brand", "item"), codes, labels, notes=("a note",))


def test_the_shape_of_the_tree(ids, shop):
    brand, item = measure(ids, shop, {}).levels
    assert (brand.name, brand.codes, brand.nodes) == ("brand", 4, 3)
    assert (brand.items, brand.most_items, brand.width, brand.widest) == (2, 3, 3, 3)
    assert brand.balance == pytest.approx((6 / 4) / 3)
    shares = np.array([3, 2, 1]) / 6
    assert brand.entropy == pytest.approx(-(shares * np.log(shares)).sum() / np.log(4))
    assert (item.codes, item.nodes, item.items, item.most_items) == (3, 6, 1, 1)
    assert (item.width, item.widest) == (2, 3)


def test_the_whole(ids, shop):
    quality = measure(ids, shop, {}, leaks=False)
    assert (quality.items, quality.depth, quality.vocabulary, quality.collisions) == (6, 2, 7, 0)
    assert quality.notes == ("a note",)
    assert quality.leaks is False


def test_near_identical_items_are_counted_and_whether_they_are_siblings(ids, shop):
    found = measure(ids, shop, {}).near_identical
    assert (found.items, found.groups, found.siblings) == (2, 1, 2)
    apart = SemanticIDs(ids.levels, ids.codes[[0, 3, 1, 2, 4, 5]], ids.labels)
    assert measure(apart, shop, {}).near_identical.siblings == 0


def test_items_without_words_are_not_alike():
    shop = Catalogue.from_table(pa.table({"item_id": ["a", "b"]}))
    ids = SemanticIDs(("item",), np.int32([[0], [1]]), (("1", "2"),))
    found = measure(ids, shop, {}).near_identical
    assert (found.items, found.groups, found.siblings) == (0, 0, 0)


def test_agreement_of_each_level(ids, shop):
    nearest = np.array([[1, 2], [0, 5], [0, 3], [4, -1], [0, 1]])
    near = {"text": Neighbours(np.arange(5), nearest, np.arange(6))}
    brand, item = measure(ids, shop, near).levels
    assert brand.agreement["text"].share == pytest.approx((1 + 1 / 2 + 1 / 2 + 1 + 0) / 5)
    # Of five others, an item of the first brand meets two of its own, one of the second one.
    assert brand.agreement["text"].random == pytest.approx((3 * 2 + 2 * 1) / 5 / 5)
    assert brand.agreement["text"].lift == pytest.approx(0.6 / 0.32)
    assert item.agreement["text"].share == 0
    assert item.agreement["text"].lift is None


def test_json(ids, shop):
    near = {"text": text_neighbours(shop, Sampling.of(shop, k=2))}
    plain = json.loads(json.dumps(measure(ids, shop, near).as_dict()))
    assert plain["tokens_an_item"] == 2
    assert plain["vocabulary"] == 7
    assert plain["neighbours"] == {"text": 6}
    assert set(plain["levels"][0]["agreement"]["text"]) == {"share", "random", "lift"}


def test_ids_of_another_catalogue(ids):
    other = Catalogue.from_table(pa.table({"item_id": ["x"]}))
    with pytest.raises(RequestError, match="those of 6 items, the catalogue has 1"):
        measure(ids, other, {})


@few
@given(codes=arrays(np.int32, (8, 3), elements=st.integers(0, 2)))
def test_collisions_are_items_minus_distinct_paths(codes):
    assert collisions(codes) == len(codes) - len(np.unique(codes, axis=0))
    for depth, nodes in enumerate(prefix_nodes(codes), start=1):
        same = (codes[:, None, :depth] == codes[None, :, :depth]).all(axis=2)
        assert (same == (nodes[:, None] == nodes[None, :])).all()


@few
@given(codes=arrays(np.int64, 30, elements=st.integers(0, 5)))
def test_entropy_is_a_share_and_full_only_when_even(codes):
    entropy = usage_entropy(codes, 6)
    assert -1e-9 <= entropy <= 1 + 1e-9
    assert (entropy > 1 - 1e-9) == (np.bincount(codes, minlength=6) == 5).all()


@few
@given(nodes=arrays(np.int64, 12, elements=st.integers(0, 3)), seed=st.integers(0, 99))
def test_random_is_what_random_neighbours_agree_on(nodes, seed):
    every = np.arange(12)
    others = np.array([[other for other in every if other != item] for item in every])
    among = np.sort(np.random.default_rng(seed).permutation(12)[:9])
    allowed = np.where(np.isin(others, among), others, -1)
    # With everything as neighbours, the share is that of random ones.
    found = agreement(nodes, Neighbours(every, allowed, among))
    assert found.share == pytest.approx(found.random)


def test_no_neighbours_at_all():
    none = vector_neighbours(np.zeros((3, 2), np.float32), Sampling(np.arange(3)))
    assert agreement(np.zeros(3, np.int64), none).share == 0


@few
@given(data=st.data())
def test_figures_do_not_depend_on_rows_and_names(data):
    rows = data.draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "title": st.sampled_from(["oat milk", "tea", "tea pot", "soap", None]),
                    "brand": st.sampled_from(["A", "a ", "B", None]),
                }
            ),
            min_size=2,
            max_size=12,
        )
    )
    schema = pa.schema([("item_id", pa.string()), ("title", pa.string()), ("brand", pa.string())])

    def figures(order, name):
        named = [{"item_id": f"{name}{place}", **rows[row]} for place, row in enumerate(order)]
        shop = Catalogue.from_table(pa.Table.from_pylist(named, schema=schema))
        ids = fit_attribute_ids(shop, levels=["brand"], leaves="unique", max_width=4)
        near = {"text": text_neighbours(shop, Sampling.of(shop, k=2))}
        return json.dumps(measure(ids, shop, near).as_dict())

    order = data.draw(st.permutations(range(len(rows))))
    assert figures(range(len(rows)), "i") == figures(order, "x")
