"""Filters: the language, the masks over nodes, and what a walk may return with them."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import BASE_SIZE, FAMILIES, catalogues, random_histories, tiny_scorer

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.beam import beam_search
from p5rec.decoding.exact import score_catalogue
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.filter_expression import (
    And,
    Comparison,
    Holds,
    Known,
    Member,
    Not,
    Or,
    Under,
)
from p5rec.decoding.filter_parser import parse_filter
from p5rec.decoding.filters import Filters
from p5rec.decoding.node_mask import NodeMask
from p5rec.decoding.trie import Trie
from p5rec.errors import RequestError
from p5rec.model.prompt_batch import PromptBatch

BRANDS = ["Acme", 'B "quoted" \\ back', "Crème"]
PATHS = [["Food", "Tea"], ["Food", "Bread"], ["Care", "Skin Care"], ["Care"], None]


def random_catalogue(rng, n_items):
    def some(values, missing=0.2):
        chosen = [values[number] for number in rng.integers(len(values), size=n_items)]
        return [None if rng.random() < missing else value for value in chosen]

    return Catalogue.from_table(
        pa.table(
            {
                "item_id": [f"i{row}" for row in range(n_items)],
                "brand": pa.array(some(BRANDS), pa.string()),
                "categories": pa.array(some(PATHS), pa.list_(pa.string())),
                "price": pa.array(some([1.0, 5.0, 5.5, 20.0, 99.0]), pa.float64()),
                "stars": pa.array(some([1, 2, 3, 4, 5]), pa.int64()),
                "in_stock": pa.array(some([True, False]), pa.bool_()),
            }
        )
    )


def conditions(n_items):
    return st.one_of(
        st.builds(
            Comparison,
            st.sampled_from(["price", "stars"]),
            st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
            st.sampled_from([1.0, 5.0, 20.0]),
        ),
        st.builds(
            Comparison, st.just("brand"), st.sampled_from(["==", "!="]), st.sampled_from(BRANDS)
        ),
        st.builds(Comparison, st.just("in_stock"), st.sampled_from(["==", "!="]), st.booleans()),
        st.builds(
            Member, st.just("brand"), st.lists(st.sampled_from(BRANDS), min_size=1).map(tuple)
        ),
        st.builds(
            Member,
            st.just("item"),
            st.lists(st.integers(0, n_items - 1).map("i{}".format), min_size=1, max_size=4).map(
                tuple
            ),
        ),
        st.builds(
            Under, st.just("categories"), st.sampled_from(["Food", "Care", "Tea", "Skin Care"])
        ),
        st.builds(Holds, st.just("in_stock")),
        st.builds(Known, st.sampled_from(["price", "brand", "categories", "in_stock", "item"])),
    )


def expressions(n_items):
    return st.recursive(
        conditions(n_items),
        lambda inner: st.one_of(
            st.builds(Not, inner),
            st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple)),
        ),
        max_leaves=6,
    )


COMPARE = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def passes(expression, record):
    """The oracle: what a filter means, item by item."""
    match expression:
        case And(parts):
            return all(passes(part, record) for part in parts)
        case Or(parts):
            return any(passes(part, record) for part in parts)
        case Not(part):
            return not passes(part, record)
        case _:
            return fits(expression, record.get(expression.attribute))


def fits(condition, held):
    match condition:
        case Holds(_):
            return held is True
        case Known(_):
            return held is not None
        case Member(_, values):
            return held in values
        case Under(_, category):
            return category in (held or ())
        case Comparison(_, "==" | "!=" as operator, value):
            return (held == value) == (operator == "==")
    return held is not None and COMPARE[condition.operator](held, condition.value)


def compile_or_none(filters, expression):
    """None for what is refused because it contradicts itself or names what no item has."""
    try:
        return filters.compile(expression)
    except RequestError as error:
        if "contradicts" in str(error) or "no item has" in str(error):
            return None
        raise


@given(expressions(30))
def test_a_filter_written_out_reads_back(expression):
    again = parse_filter(str(expression))
    assert str(again) == str(expression)


@given(catalogues(max_items=60), expressions(1), st.integers(0, 2**32 - 1))
def test_masks_say_what_the_oracle_says(ids, expression, seed):
    shop = random_catalogue(np.random.default_rng(seed), len(ids))
    trie = Trie.from_semantic_ids(ids)
    mask = compile_or_none(Filters(shop, trie), expression)
    records = [shop.record(row) | {"item": f"i{row}"} for row in range(len(ids))]
    eligible = np.array([passes(expression, record) for record in records])
    if mask is None:
        return
    assert mask.leaves.tolist() == eligible[trie.item_of_leaf].tolist()
    assert mask.count == eligible.sum()
    nodes = trie.nodes_of_items()
    for depth in range(trie.depth + 1):
        under = np.bincount(nodes[eligible, depth], minlength=trie.n_nodes(depth))
        assert mask.nodes[depth].tolist() == (under > 0).tolist()
        start = trie.leaf_start[depth]
        assert mask.under(start[:-1], start[1:]).tolist() == under.tolist()


@given(catalogues(max_items=60), expressions(1), st.integers(0, 2**32 - 1))
def test_what_contradicts_itself_lets_nothing_through(ids, expression, seed):
    shop = random_catalogue(np.random.default_rng(seed), len(ids))
    filters = Filters(shop, Trie.from_semantic_ids(ids))
    try:
        filters.compile(expression)
    except RequestError as error:
        if "contradicts" in str(error):
            records = [shop.record(row) | {"item": f"i{row}"} for row in range(len(ids))]
            assert not any(passes(expression, record) for record in records)


@st.composite
def filtered_searches(draw):
    return {
        "ids": draw(catalogues(max_items=500)),
        "family": draw(st.sampled_from(FAMILIES)),
        "scale": draw(st.sampled_from([0.0, 0.3, 1.0, 30.0])),
        "duplicates": draw(st.sampled_from([0.0, 0.5, 1.0])),
        "expressions": draw(st.lists(st.none() | expressions(1), min_size=3, max_size=3)),
        "k": draw(st.sampled_from([1, 5, 40, 600])),
        "narrow": draw(st.booleans()),
        "retired": draw(st.sampled_from([0.0, 0.5])),
        "seed": draw(st.integers(0, 2**32 - 1)),
    }


def check_filtered_search(case):
    """A different filter, allow list, deny list and history for each prompt of a batch."""
    rng, ids, k = np.random.default_rng(case["seed"]), case["ids"], case["k"]
    scale, n_items = case["scale"], len(ids)
    scorer = tiny_scorer(case["family"], ids, rng, scale=scale, duplicates=case["duplicates"])
    retired = np.flatnonzero(rng.random(n_items) < case["retired"])
    if len(retired):
        scorer.trie = scorer.trie.without_items(retired)
    trie = scorer.trie
    shop = random_catalogue(rng, n_items)
    filters = Filters(shop, trie)
    expressions = case["expressions"]
    masks = [None if one is None else compile_or_none(filters, one) for one in expressions]
    histories = random_histories(rng, users=3, n_items=n_items)
    denied = [histories.items[histories.slice(user)] for user in range(3)]
    allowed = [
        rng.integers(n_items, size=rng.integers(n_items + 1)) if rng.random() < 0.5 else None
        for _ in range(3)
    ]
    eligible = np.ones((3, n_items), dtype=bool)
    eligible[:, retired] = False
    for user in range(3):
        eligible[user, denied[user]] = False
        if allowed[user] is not None:
            eligible[user] &= np.isin(np.arange(n_items), allowed[user])
        if masks[user] is not None:
            records = [shop.record(row) | {"item": f"i{row}"} for row in range(n_items)]
            eligible[user] &= [passes(expressions[user], record) for record in records]
    prompts = PromptBatch.from_prompts(
        [rng.integers(1, BASE_SIZE, size=(rng.integers(1, 7), 1)) for _ in range(3)]
    )
    scores = score_catalogue(scorer, prompts)
    widest = max(trie.n_nodes(depth) for depth in range(trie.depth + 1))
    found = beam_search(
        scorer,
        prompts,
        k=k,
        beams=1 if case["narrow"] else widest,
        excluded=Excluded(trie, denied, allowed=allowed, masks=masks),
    )
    tolerance = 1e-5 * max(1.0, scale, float(trie.depth))
    for user in range(3):
        items, values = found.items[user], found.scores[user]
        count = min(k, int(eligible[user].sum()))
        assert (items[count:] == -1).all()
        assert np.isneginf(values[count:]).all()
        items, values = items[:count], values[:count]
        assert eligible[user, items].all()
        assert len(set(items.tolist())) == count
        assert np.abs(values - scores[user, items]).max(initial=0) <= tolerance
        if not case["narrow"]:
            best = np.sort(scores[user, eligible[user]])[::-1][:count]
            assert np.abs(values - best).max(initial=0) <= tolerance


@settings(max_examples=150)
@given(filtered_searches())
def test_a_filtered_search_equals_brute_force(case):
    check_filtered_search(case)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(max_examples=2000)
@given(filtered_searches())
def test_a_filtered_search_equals_brute_force_in_many_worlds(case):
    check_filtered_search(case)


def tea_shop():
    table = pa.table(
        {
            "item_id": ["a", "b", "c"],
            "brand": ["Acme", "Bell", None],
            "categories": [["Food", "Tea"], ["Food"], None],
            "price": [1.0, 2.0, None],
            "in_stock": [True, False, None],
        }
    )
    codes = np.array([[0, 0], [0, 1], [1, 0]])
    return Filters(Catalogue.from_table(table), Trie.from_codes(codes))


@pytest.mark.parametrize(
    ("text", "passing"),
    [
        ('brand != "Acme" and price <= 20', ["b"]),
        ('brand != "Acme"', ["b", "c"]),
        ("not price > 1", ["a", "c"]),
        ("categories under 'Food' and not categories under 'Tea'", ["b"]),
        ("in_stock or price is not known", ["a", "c"]),
        ('item not in ["a", "c"]', ["b"]),
        ("NOT (in_stock = false) AND `price` < 1e3", ["a"]),
    ],
)
def test_filters_mean_what_they_say(text, passing):
    filters = tea_shop()
    leaves = filters.compile(text).leaves
    assert [filters.columns.catalogue.item_ids[i] for i in np.flatnonzero(leaves)] == passing


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pric <= 20", "no attribute 'pric'. Did you mean 'price'?"),
        ('brand == "acme"', "no item has brand 'acme'. Did you mean 'Acme'?"),
        ('categories under "Teas"', "no item has category 'Teas'. Did you mean 'Tea'?"),
        ('item in ["a", "z"]', "item 'z' is not in the catalogue"),
        ('price == "20"', "price holds numbers and cannot be compared with '20'"),
        ("brand < 3", "brand holds texts"),
        ("brand under 'Food'", "'under' is for categories"),
        ("categories == 'Food'", 'Write categories under "a category"'),
        ("price", "price holds numbers"),
        ("price <=", "expected a number"),
        ("price <= 20 and", "expected the name of an attribute"),
        ("price ~ 3", "at character 7"),
        ("(price < 3", "expected ')'"),
        ("price in 3", "expected a list"),
        ("", "expected the name of an attribute, found the end"),
        ("(" * 60 + "price < 3" + ")" * 60, "at most 50"),
        ("price < 5 and price > 10", "contradicts itself"),
        ("in_stock and not in_stock", "contradicts itself"),
        ('brand == "Acme" and brand == "Bell"', "contradicts itself"),
        ("price > 2 and price is not known", "contradicts itself"),
        ("price < 2" + " " * 30_000, "The limit is 20,000"),
    ],
)
def test_what_is_wrong_with_a_filter_is_told(text, told):
    with pytest.raises(RequestError) as error:
        tea_shop().compile(text)
    assert told in str(error.value)


def test_a_compiled_filter_is_kept_until_there_is_no_room(monkeypatch):
    filters = tea_shop()
    first = filters.compile("price < 2")
    assert filters.compile("price < 2") is first
    monkeypatch.setattr("p5rec.decoding.filters.CACHE_BYTES", first.size * 2)
    for price in range(3, 9):
        filters.compile(f"price < {price}")
    assert len(filters._kept) == 2
    assert filters.compile("price < 2") is not first


def test_the_condition_that_left_nothing_is_named():
    told = tea_shop().explain_empty('brand == "Bell" and price < 2 and in_stock')
    assert told == 'no item that passes brand == "Bell" passes price < 2'


@given(st.integers(1, 70), st.data())
def test_ranks_are_right_at_every_place(n_items, data):
    leaves = np.array(data.draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items)))
    trie = Trie.from_codes(np.arange(n_items)[:, None])
    mask = NodeMask.of(trie, leaves)
    places = np.arange(n_items + 1)
    counts = np.append(0, np.cumsum(leaves))
    assert mask.under(np.zeros_like(places), places).tolist() == counts.tolist()
    assert isinstance(mask.nodes[0], torch.Tensor)
