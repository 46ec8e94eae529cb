from __future__ import annotations

import math
import time
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_worlds import (
    BREAKFAST,
    CHIPS,
    DARK,
    GREEK,
    HOUSE,
    MILK_CHOCOLATE,
    OAT,
    SOY,
    STRAWBERRY,
    shop,
)
from limit_shops import bare_shop, full_shop

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.filters import Filters
from p5rec.decoding.trie import Trie
from p5rec.errors import RequestError
from p5rec.language.matching import LEAST, MOST_GUESSED, asked_words, lean_of
from p5rec.language.request_reading import LONGEST_REQUEST, read_request
from p5rec.language.request_text import request_text
from p5rec.language.requests import ShopWords, denied_rows
from p5rec.language.spelling import slips
from p5rec.language.word_index import WordIndex
from p5rec.language.words import words
from p5rec.prompting.cleaning import clean

SHOP = shop()
WORDS = ShopWords(SHOP)
INDEX = WORDS.index
INDEX_WORDS = [
    words(" ".join([SHOP.text(row), *(SHOP.record(row).get("categories") or [])[:-2]]))
    for row in range(len(SHOP))
]
FILTERS = Filters(SHOP, Trie.from_codes(np.arange(len(SHOP))[:, None]))

# Text and what is wished when the limits are taken out.
WISHES = [
    ("a light yogurt", "a light yogurt"),
    ("coffee, not L'Oreal", "coffee"),
    ("coffee not loréal please", "coffee please"),
    ("snack except milk chocolate, dark", "snack, dark"),
    ("anything but soy milk", ""),
    ("not chips but chocolate", "chocolate"),
    ("no chips for dinner", "for dinner"),
    ("a snack under $20", "a snack"),
    ("cheaper than 5€ coffee", "coffee"),
    ("between $5 and $10 please", "please"),
    ("coffee, no alpro, under $20.", "coffee"),
    ("I don't want to spend more than $5 on coffee", "I on coffee"),
    ("a vegan snack, only Alpro", "a vegan snack, only Alpro"),
    ("around $20", "around $20"),
    ("under 20 calories", "under 20 calories"),
    ("not too sweet", "not too sweet"),
    ("<script> {item} </s>", "<script> {item} </s>"),
]


@pytest.mark.parametrize(("text", "wish"), WISHES)
def test_limits_are_no_part_of_the_wish(text: str, wish: str) -> None:
    request = read_request(text, WORDS)
    assert (request.wish, request.text) == (wish, text)


SHOPS = {"full": ShopWords(full_shop()), "bare": ShopWords(bare_shop())}
WRITTEN = tomllib.loads((Path(__file__).parent / "limit_cases.toml").read_text("utf-8"))["case"]


def told(limit: str) -> str:
    """A limit of ``limit_cases.toml`` as it is shown."""
    if not limit.startswith("?"):
        return limit
    quoted, _, why = limit[1:].partition(" … ")
    return f"not understood: {quoted}" + (f" ({why})" if why else "")


@pytest.mark.parametrize("case", WRITTEN, ids=[case[0] for case in WRITTEN])
def test_a_written_limit_is_read_as_a_person_means_it(case: list[Any]) -> None:
    text, limits, shop = (*case, "full")[:3]
    shown = read_request(text, SHOPS[shop]).describe()
    assert sorted(shown) == sorted(map(told, limits))


def test_there_are_two_hundred_written_cases_and_each_is_another() -> None:
    assert len({(case[0], *case[2:]) for case in WRITTEN}) == len(WRITTEN) >= 200


def test_a_maker_is_not_where_a_thing_comes_from() -> None:
    table = pa.table({"item_id": ["a", "b"], "title": ["Bar", "Tea"], "brand": ["Home", "Oatly"]})
    known = ShopWords(Catalogue.from_table(table))
    assert read_request("tea delivered from home", known).describe() == []
    assert read_request("tea from home", known).describe() == ["brand: Home"]


def test_a_brand_that_begins_with_only_limits_nothing_by_that() -> None:
    table = pa.table({"item_id": ["a"], "title": ["Bar"], "brand": ["Only Natural"]})
    known = ShopWords(Catalogue.from_table(table))
    assert read_request("only natural oat bar", known).describe() == []
    assert read_request("only natural only", known).describe() == ["brand: Only Natural"]


def test_attributes_are_named_by_the_words_that_tell_them() -> None:
    columns = {"is_vegan": [True, False], "energy_calories": [90.0, 300.0], "made_year": [1, 2]}
    table = pa.table({"item_id": ["a", "b"], "title": ["Bar", "Tea"], **columns})
    known = ShopWords(Catalogue.from_table(table))
    read = read_request("vegan, under 200 calories, from 5 years or more", known)
    assert read.describe() == ["only: vegan", "energy calories under 200"]
    assert read_request("not vegan", known).describe() == ["not: vegan"]


def test_what_need_not_hold_is_no_part_of_the_wish() -> None:
    request = read_request("a snack that doesn't have to be vegan, any brand", WORDS)
    assert (request.wish, request.waived) == ("a snack that", ("vegan", "brand"))


def ruled_out(text: str) -> list[int]:
    """Rows that neither pass the condition of a request nor are left by its words."""
    request = read_request(text, WORDS)
    out = set(denied_rows(request, WORDS, FILTERS).tolist())
    if request.condition is not None:
        passing = FILTERS.compile(request.condition).leaves[FILTERS.trie.leaf_of_item]
        out |= set(np.flatnonzero(~passing).tolist())
    return sorted(out)


def test_denied_words_rule_out_the_items_that_have_them() -> None:
    assert ruled_out("no chips") == [CHIPS]
    assert ruled_out("no milk chocolate") == [MILK_CHOCOLATE]
    assert ruled_out("not loreal") == [HOUSE]
    assert ruled_out("no Lindt products") == [DARK, MILK_CHOCOLATE]
    assert ruled_out("yogurt") == []
    assert {OAT, SOY, DARK} <= set(ruled_out("no drinks or snacks"))


def test_price_bounds_rule_out_the_rest_and_unknown_prices() -> None:
    assert HOUSE not in ruled_out("at least $12")
    assert HOUSE in ruled_out("over $12")
    assert HOUSE in ruled_out("under $12")
    assert HOUSE not in ruled_out("at most $12")
    assert MILK_CHOCOLATE in ruled_out("over $0")
    assert MILK_CHOCOLATE not in ruled_out("chocolate")


def test_what_items_must_be_rules_out_all_others() -> None:
    everything = set(range(10))
    assert set(ruled_out("only Lindt")) == everything - {DARK, MILK_CHOCOLATE}
    assert set(ruled_out("only Alpro or Oatly")) == everything - {OAT, SOY, BREAKFAST}
    assert set(ruled_out("brand Alpro, in Coffee")) == everything - {BREAKFAST}
    assert set(ruled_out("a dark roast, only Alpro")) == everything - {BREAKFAST}
    assert set(ruled_out("only vanilla")) == everything - {GREEK}


def test_values_and_phrases_together_rule_out_all_others() -> None:
    shop = full_shop()
    known = ShopWords(shop)
    filters = Filters(shop, Trie.from_codes(np.arange(len(shop))[:, None]))
    request = read_request("for dogs", known)
    left = set(range(len(shop))) - set(denied_rows(request, known, filters).tolist())
    passing = filters.mask(request.condition) if request.condition else None
    fits = {row for row in left if passing is None or passing[row]}
    assert [shop.name(row) for row in fits] == ["Puppy Food Salmon"]


def test_without_prices_a_price_is_not_understood() -> None:
    known = ShopWords(Catalogue.from_table(pa.table({"item_id": ["a"], "title": ["Tea"]})))
    request = read_request("tea under $5", known)
    assert request.describe() == ["not understood: under $5"]
    assert request.condition is None


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_an_empty_request_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="empty"):
        read_request(text, WORDS)


def test_a_request_that_is_too_long_is_refused() -> None:
    with pytest.raises(RequestError, match=r"65,540 bytes.*65,536 bytes \(64 KiB\)"):
        read_request("🎉" * 16385, WORDS)
    assert read_request("🎉" * 16384, WORDS).not_understood
    assert LONGEST_REQUEST == 2**16


@pytest.mark.parametrize(
    "piece", ["not no ", "under ", "1", "$5 ", "and , ", " ", "no a or ", "between 1 and "]
)
def test_a_long_request_is_read_quickly(piece: str) -> None:
    start = time.perf_counter()
    read_request("x" + piece * (60_000 // len(piece)), WORDS)
    assert time.perf_counter() - start < 2


@given(st.text(min_size=1, max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        request = read_request(text, WORDS)
    except RequestError:
        assert not clean(text, max_characters=len(text))
    else:
        denied_rows(request, WORDS, FILTERS)
        request.describe()


def test_training_requests_are_made_of_the_item() -> None:
    rng = np.random.default_rng(0)
    made = {request_text(SHOP, OAT, rng) for _ in range(200)}
    assert len(made) > 50
    assert all(text == text.lower() and "sku" not in text for text in made)
    known = "oat milk barista oatly plant drinks 1 l".split()  # noqa: SIM905
    assert all(any(word in text.split() for word in known) for text in made)
    again = np.random.default_rng(0)
    assert request_text(SHOP, OAT, again) in made


def test_an_item_without_words_still_gives_a_request() -> None:
    bare = Catalogue.from_table(pa.table({"item_id": ["x9"], "title": ["🎉"]}))
    assert request_text(bare, 0, np.random.default_rng(0)) == "something"


def test_the_index_finds_rows_by_word() -> None:
    assert INDEX.rows("chocolate").tolist() == [DARK, MILK_CHOCOLATE]
    assert INDEX.rows_with_all(["milk", "chocolate"]).tolist() == [MILK_CHOCOLATE]
    assert INDEX.rows_with_all([]).tolist() == []
    assert "chocolate" in INDEX
    assert "sku" not in INDEX


def test_phrases_do_not_reach_from_one_text_into_another() -> None:
    assert INDEX.rows_with_phrase(["milk", "chocolate"]).tolist() == [MILK_CHOCOLATE]
    assert INDEX.rows_with_phrase(["chocolate", "milk"]).tolist() == []
    assert INDEX.rows_with_phrase(["barista", "oatly"]).tolist() == []


def test_scores_are_those_of_bm25() -> None:
    asked = {"chocolate": 1.0, "dark": 1.0}
    texts = [[*INDEX_WORDS[row]] for row in range(len(SHOP))]
    mean = sum(map(len, texts)) / len(texts)
    expected = []
    for own in texts:
        score = 0.0
        for word in asked:
            having = sum(word in other for other in texts)
            rarity = math.log(1 + (len(texts) - having + 0.5) / (having + 0.5))
            count = own.count(word)
            score += rarity * count / (count + 1.5 * (0.25 + 0.75 * len(own) / mean))
        expected.append(score)
    assert INDEX.scores(asked) == pytest.approx(expected)
    assert int(INDEX.scores(asked).argmax()) == DARK


def test_a_misspelt_word_counts_as_the_words_it_is_like() -> None:
    assert set(asked_words("strawbery yoghurt", INDEX)) == {"strawberry", "yogurt"}
    assert all(0 < weight < 1 for weight in asked_words("strawbery", INDEX).values())
    assert asked_words("chips", INDEX) == {"chip": 1.0}
    assert asked_words("zzzz", INDEX) == {}
    lean = lean_of("strawbery yoghurt", INDEX)
    assert lean.rows[lean.scores.argmax()] == STRAWBERRY


TITLES = ["Head lettuce", "Carrot sticks", "Lip balm", "Tooth brush", "Strawberry", "Straw hat"]
PRODUCE = WordIndex(Catalogue.from_table(pa.table({"item_id": list("abcdef"), "title": TITLES})))


@pytest.mark.parametrize(
    ("request_", "found"),
    [
        ("I have a terrible headache", []),
        ("lipstick", []),
        ("a toothbrush", ["Tooth brush"]),
        ("berries", ["Strawberry"]),
        ("letuce", ["Head lettuce"]),
        ("tooth", ["Tooth brush"]),
    ],
)
def test_words_with_letters_in_common_are_not_taken_for_each_other(
    request_: str, found: list[str]
) -> None:
    assert [TITLES[row] for row in lean_of(request_, PRODUCE).rows] == found


def test_a_guessed_word_never_outweighs_the_most_telling_word_said() -> None:
    titles = [*["Fresh bread"] * 30, "Fresh zwieback", "Stale crumpet"]
    table = pa.table({"item_id": [str(n) for n in range(32)], "title": titles})
    lean = lean_of("fresh crumpit", WordIndex(Catalogue.from_table(table)))
    assert set(lean.rows.tolist()) == set(range(32))
    assert lean.scores[-1] <= lean.scores[:-1].max()
    both = lean_of("fresh crumpet", WordIndex(Catalogue.from_table(table)))
    assert both.scores[-1] > both.scores[:-1].max(), "said outright, it is the most telling word"


def test_where_all_is_guessed_the_walk_leans_less() -> None:
    said, guessed = lean_of("lettuce", PRODUCE), lean_of("letuce", PRODUCE)
    assert said.scores.max() == pytest.approx(LEAST)
    assert guessed.scores.max() == pytest.approx(MOST_GUESSED)
    assert said.rows.tolist() == guessed.rows.tolist()


@given(
    st.text("abcd", min_size=1, max_size=8),
    st.text("abcd", min_size=1, max_size=8),
    st.text("abcd", min_size=1, max_size=8),
)
def test_slips_are_counted_as_a_distance(one: str, other: str, third: str) -> None:
    assert slips(one, other) == slips(other, one)
    assert (slips(one, other) == 0) == (one == other)
    assert abs(len(one) - len(other)) <= slips(one, other) <= max(len(one), len(other))
    assert slips(one, one[:3] + third + one[3:]) <= len(third)


def test_words_of_politeness_are_no_words_of_items() -> None:
    assert set(asked_words("Hi, could you please show me some corn chips?", INDEX)) == {
        "corn",
        "chip",
    }
