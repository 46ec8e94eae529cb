from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from language_worlds import CHIPS, DARK, HOUSE, MILK_CHOCOLATE, OAT, SOY, shop

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.language.requests import LONGEST_REQUEST, Request, denied_rows, request_text
from p5rec.language.word_index import WordIndex
from p5rec.prompting.cleaning import clean

SHOP = shop()
INDEX = WordIndex(SHOP)

# Text, what is wished, and the limits as they are shown.
CASES = [
    ("a light yogurt", "a light yogurt", []),
    ("coffee, not L'Oreal", "coffee", ["not: L'Oreal"]),
    ("coffee not loréal please", "coffee please", ["not: loréal"]),
    ("a snack, no chips", "a snack", ["not: chips"]),
    ("a snack, no chip", "a snack", ["not: chip"]),
    ("a snack without chips or chocolate", "a snack", ["not: chips", "not: chocolate"]),
    ("snack except milk chocolate, dark", "snack, dark", ["not: milk chocolate"]),
    ("anything but soy milk", "", ["not: soy milk"]),
    ("not chips but chocolate", "chocolate", ["not: chips"]),
    ("drinks without milk and without coffee", "drinks", ["not: milk", "not: coffee"]),
    ("other than yogurt", "", ["not: yogurt"]),
    ("no chips for dinner", "for dinner", ["not: chips"]),
    ("a snack under $20", "a snack", ["price under 20.00"]),
    ("a snack under 20", "a snack", ["price under 20.00"]),
    ("below 3 dollars", "", ["price under 3.00"]),
    ("less than $1,000.50", "", ["price under 1000.50"]),
    ("cheaper than 5€ coffee", "coffee", ["price under 5.00"]),
    ("coffee over $5", "coffee", ["price over 5.00"]),
    ("at most 5 bucks", "", ["price at most 5.00"]),
    ("no more than $5", "", ["price at most 5.00"]),
    ("not over 5 dollars", "", ["price at most 5.00"]),
    ("not under $5", "", ["price at least 5.00"]),
    ("at least $5", "", ["price at least 5.00"]),
    ("$5 or less", "", ["price at most 5.00"]),
    ("5 dollars or more, coffee", "coffee", ["price at least 5.00"]),
    ("between 5 and 10 dollars", "", ["price at least 5.00", "price at most 10.00"]),
    ("between $5 and $10 please", "please", ["price at least 5.00", "price at most 10.00"]),
    ("coffee from $5 to $10", "coffee", ["price at least 5.00", "price at most 10.00"]),
    ("$5-$10 coffee", "coffee", ["price at least 5.00", "price at most 10.00"]),
    ("over $2, under $10, under $9", "", ["price over 2.00", "price under 9.00"]),
    ("coffee, no alpro, under $20.", "coffee", ["not: alpro", "price under 20.00"]),
    # Reported, never guessed.
    ("around $20", "around $20", ["not understood: around $20"]),
    ("under twenty dollars", "under twenty dollars", ["not understood: under twenty dollars"]),
    ("under 20 calories", "under 20 calories", ["not understood: under 20 calories"]),
    ("chips under 20 oz", "chips under 20 oz", ["not understood: under 20 oz"]),
    ("between $10 and $5", "", ["not understood: between $10 and $5"]),
    ("not too sweet", "not too sweet", ["not understood: not too"]),
    ("not only chips", "not only chips", ["not understood: not only"]),
    ("chips, no foobar", "chips", ["not understood: no foobar (no item has 'foobar')"]),
    # No limits at all.
    ("over easy eggs", "over easy eggs", []),
    ("nothing but chips", "nothing but chips", []),
    ("a non-smoking gift", "a non-smoking gift", []),
    ("I know knots and notes", "I know knots and notes", []),
    ("<script> {item} </s>", "<script> {item} </s>", []),
]


@pytest.mark.parametrize(("text", "wish", "shown"), CASES)
def test_limits_are_found_and_shown(text: str, wish: str, shown: list[str]) -> None:
    request = Request.parse(text, INDEX)
    assert (request.wish, request.describe(), request.text) == (wish, shown, text)


def ruled_out(text: str) -> list[int]:
    return denied_rows(Request.parse(text, INDEX), INDEX).tolist()


def test_denied_words_rule_out_the_items_that_have_them() -> None:
    assert ruled_out("no chips") == [CHIPS]
    assert ruled_out("no milk chocolate") == [MILK_CHOCOLATE]
    assert ruled_out("not loreal") == [HOUSE]
    assert ruled_out("yogurt") == []
    assert {OAT, SOY, DARK} <= set(ruled_out("no drinks or snacks"))


def test_price_bounds_rule_out_the_rest_and_unknown_prices() -> None:
    assert HOUSE not in ruled_out("at least $12")
    assert HOUSE in ruled_out("over $12")
    assert HOUSE in ruled_out("under $12")
    assert HOUSE not in ruled_out("at most $12")
    assert MILK_CHOCOLATE in ruled_out("over $0")
    assert MILK_CHOCOLATE not in ruled_out("chocolate")


def test_without_prices_a_price_is_not_understood() -> None:
    index = WordIndex(Catalogue.from_table(pa.table({"item_id": ["a"], "title": ["Tea"]})))
    request = Request.parse("tea under $5", index)
    assert request.describe() == ["not understood: under $5"]
    assert (request.price_low, request.price_high) == (None, None)
    assert denied_rows(request, index).tolist() == []


@pytest.mark.parametrize("text", ["", "  \n\t"])
def test_an_empty_request_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="empty"):
        Request.parse(text, INDEX)


def test_a_request_that_is_too_long_is_refused() -> None:
    with pytest.raises(RequestError, match=r"65,540 bytes.*65,536 bytes \(64 KiB\)"):
        Request.parse("🎉" * 16385, INDEX)
    assert Request.parse("🎉" * 16384, INDEX).not_understood
    assert LONGEST_REQUEST == 2**16


@pytest.mark.parametrize(
    "piece", ["not no ", "under ", "1", "$5 ", "and , ", " ", "no a or ", "between 1 and "]
)
def test_a_long_request_is_read_quickly(piece: str) -> None:
    start = time.perf_counter()
    Request.parse("x" + piece * (60_000 // len(piece)), INDEX)
    assert time.perf_counter() - start < 2


@given(st.text(min_size=1, max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        request = Request.parse(text, INDEX)
    except RequestError:
        assert not clean(text, max_characters=len(text))
    else:
        denied_rows(request, INDEX)


def test_training_requests_are_made_of_the_item() -> None:
    rng = np.random.default_rng(0)
    made = {request_text(SHOP, OAT, rng) for _ in range(200)}
    assert len(made) > 50
    assert all(text == text.lower() and "sku" not in text for text in made)
    words = "oat milk barista oatly plant drinks 1 l".split()  # noqa: SIM905
    assert all(any(word in text.split() for word in words) for text in made)
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
