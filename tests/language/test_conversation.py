"""Conversations: what each turn adds to, takes from or compares with the one before."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from limit_shops import full_shop
from shop import SHOP as GROCERIES
from shop import write_shop, write_small_recipe

from p5rec import Event, Recommender, RequestError, cli
from p5rec.decoding.filter_parser import parse_filter
from p5rec.decoding.filters import Filters
from p5rec.decoding.trie import Trie
from p5rec.decoding.wanted import Steer, Wanted
from p5rec.language.conversation import Conversation
from p5rec.language.follow_ups import follow_ups
from p5rec.language.matching import lean_of
from p5rec.language.requests import Request, ShopWords, denied_rows
from p5rec.language.saved_conversation import MOST_TURNS, Settings, Turn, read_saved, write_saved

SHOP = full_shop()
WORDS = ShopWords(SHOP)
FILTERS = Filters(SHOP, Trie.from_codes(np.arange(len(SHOP))[:, None]))


@dataclass(frozen=True)
class Named:
    item_id: str


def answer(request: Request, unwanted: Sequence[str]) -> list[Named]:
    """What fits a request by its words alone, best first; no model is needed to try turns."""
    left = np.ones(len(SHOP), dtype=bool)
    left[denied_rows(request, WORDS, FILTERS)] = False
    if request.condition is not None:
        left &= FILTERS.mask(request.condition)
    left[SHOP.rows_of(list(unwanted))] = False
    lean = lean_of(request.wish, WORDS.index)
    score = np.zeros(len(SHOP))
    score[lean.rows] = lean.scores
    order = np.argsort(-score, kind="stable")
    return [Named(SHOP.item_ids[row]) for row in order if left[row]][:5]


def talk(*texts: str) -> tuple[Conversation[list[Named]], list[list[str]]]:
    """A conversation and the names of what each turn was answered with."""
    chat = Conversation(SHOP, WORDS, answer, settings=Settings())
    return chat, [[SHOP.name(row) for row in SHOP.rows_of(ids(chat.ask(t)))] for t in texts]


def ids(found: Sequence[Named]) -> list[str]:
    return [one.item_id for one in found]


# What was said, and the limits in force after the last turn.
LIMITS = [
    (["coffee under $20"], ["price under 20.00"]),
    (["chocolate, no nuts", "also vegan"], ["not: nuts", "only: vegan"]),
    (["chocolate, no nuts", "and under $5"], ["not: nuts", "price under 5.00"]),
    (["chocolate", "under $5", "under $3"], ["price under 3.00"]),
    (["chocolate under $5", "over $10"], ["price over 10.00"]),
    (["chocolate under $5", "at least $2"], ["price at least 2.00", "price under 5.00"]),
    (["breakfast blend", "cheaper"], ["price under 8.00"]),
    (["breakfast blend", "something a bit cheaper please"], ["price under 8.00"]),
    (["breakfast blend", "too expensive"], ["price under 8.00"]),
    (["breakfast blend", "cheaper than $5"], ["price under 5.00"]),
    (["breakfast blend", "more expensive"], ["price over 8.00"]),
    (["breakfast blend", "another brand"], ["brand: not Alpro"]),
    (["breakfast blend", "a different brand, cheaper"], ["brand: not Alpro", "price under 8.00"]),
    (["only Alpro", "only Lindt"], ["brand: Lindt"]),
    (["no chocolate", "only chocolate"], ["category: Chocolate"]),
    (["vegan snacks", "not vegan"], ["not: vegan"]),
    (["not vegan", "vegan"], ["only: vegan"]),
    (["breakfast blend", "cheaper than ten dollars"], ["price under 10.00"]),
    (["breakfast blend", "nothing more expensive please"], ["price at most 8.00"]),
    (
        ["breakfast blend", "another brand, not cheaper"],
        ["brand: not Alpro", "price at least 8.00"],
    ),
    (["coffee", "like the second but cheaper"], ["price under 8.00"]),
    (["coffee", "cheaper than the first two"], ["price under 8.00"]),
    (["breakfast blend", "too much"], ["price under 8.00"]),
    (["coffee", "too much caffeine"], []),
    (["coffee", "I'd like it to be vegan"], ["only: vegan"]),
    (["coffee under $20", "something to reset my router"], ["price under 20.00"]),
    # What was said is said anew, or need not hold any more.
    (["coffee under $5", "up to $15 is fine"], ["price at most 15.00"]),
    (["coffee, at least 4 stars", "at least 3 stars is fine"], ["rating at least 3"]),
    (["coffee under $5", "over $2", "under $9"], ["price over 2.00", "price under 9.00"]),
    (["coffee under $9", "cheaper", "under $7"], ["price under 7.00"]),
    (["only Alpro", "any brand"], []),
    (["coffee, no Alpro, no chips", "any brand is fine"], ["not: chips"]),
    (["coffee, no Alpro, no chips", "Alpro is fine too"], ["not: chips"]),
    (["coffee, not vegan", "vegan is fine"], []),
    (["coffee", "another brand", "any brand"], []),
    (["coffee", "cheaper", "any price"], []),
    (["vegan coffee", "vegan or not"], []),
    (["coffee, not vegan", "whether it's vegan or not doesn't matter"], []),
    (["coffee under $5", "max $10 instead"], ["price at most 10.00"]),
    (["vegan coffee", "it doesn't have to be vegan"], []),
    (["coffee under $5, vegan", "it doesn't have to be under $5"], ["only: vegan"]),
    (["coffee under $20, vegan", "never mind the price"], ["only: vegan"]),
    (["only Alpro, under $20", "never mind the brand, but under $10"], ["price under 10.00"]),
    # A new thing: what was stated holds on, what came from comparing ends.
    (["coffee, no Alpro", "cheaper", "chips"], ["not: Alpro"]),
    (["coffee, no Alpro, under $20", "start over", "chips"], []),
    (["coffee, no Alpro, under $20", "start over"], []),
    (["coffee under $20", "new search: shampoo over $5"], ["price over 5.00"]),
    (["coffee under $20", "something else"], ["price under 20.00"]),
    # Before anything was shown there is nothing to compare with.
    (["another brand of coffee"], []),
]


@pytest.mark.parametrize(("texts", "limits"), LIMITS, ids=[" / ".join(t) for t, _ in LIMITS])
def test_the_limits_in_force(texts: list[str], limits: list[str]) -> None:
    chat, _ = talk(*texts)
    assert sorted(chat.limits) == sorted(limits)


def test_cheaper_is_cheaper_each_time() -> None:
    _, answers = talk("coffee blend", "cheaper", "even cheaper")
    prices = dict(zip(map(SHOP.name, range(len(SHOP))), SHOP.column("price"), strict=True))
    first, second = prices[answers[0][0]], prices[answers[1][0]]
    assert all(prices[name] < first for name in answers[1])
    assert all(prices[name] < second for name in answers[2])


def test_cheaper_than_one_that_is_named() -> None:
    chat, answers = talk("coffee blend", "cheaper than the second")
    prices = dict(zip(map(SHOP.name, range(len(SHOP))), SHOP.column("price"), strict=True))
    assert chat.limits == [f"price under {prices[answers[0][1]]:.2f}"]


def test_what_is_not_wanted_does_not_come_again() -> None:
    _, answers = talk("chocolate", "not the second one", "something else", "show me more")
    assert answers[0][1] not in answers[1]
    assert not set(answers[2]) & set(answers[1])
    assert not set(answers[3]) & {*answers[1], *answers[2]}


def test_more_like_one_asks_for_its_words_and_not_for_itself() -> None:
    _, answers = talk("chips", "more like the third")
    liked = answers[0][2]
    assert liked not in answers[1]
    chat, answers = talk("dark chocolate nuts", "more like this")
    assert answers[1][0] == "Milk Chocolate"
    assert chat.limits == []


def test_a_turn_that_only_adds_keeps_the_thing() -> None:
    _, answers = talk("shampoo", "in Hair Care", "under $8")
    assert answers[1][0] == "Curl Shampoo"
    assert answers[2] == ["2-in-1 Conditioner"]


def test_a_new_thing_takes_the_place_of_the_old() -> None:
    _, answers = talk("shampoo", "dark chocolate")
    assert answers[1][0] == "Dark Chocolate Nuts"


def test_several_are_left_out_or_liked_at_once() -> None:
    _, answers = talk("coffee", "not the first two")
    assert not set(answers[0][:2]) & set(answers[1])
    _, answers = talk("coffee", "more like the first two")
    assert not set(answers[0][:2]) & set(answers[1])
    _, answers = talk("coffee", "I'd like it to be vegan", "nothing more expensive")
    assert answers[2][0] == answers[1][0] == answers[0][0]
    _, answers = talk("coffee under $5", "max $15 instead")
    assert answers[1][0] == "House Blend"


def test_what_cannot_be_is_told() -> None:
    chat = Conversation(SHOP, WORDS, told := _Told(), settings=Settings())
    chat.ask("coffee")
    chat.ask("more like the ninth")
    assert told.notices[-1] == ["not understood: more like the ninth (the last list has 5 items)"]
    chat.ask("Oatly is fine  too")
    assert told.notices[-1] == ["not understood: Oatly is fine too"]
    chat.ask("start over. shirts, cheapish")
    assert told.notices[-1] == ["not understood: cheapish"]


class _Told:
    """Answers as above and keeps the notices."""

    def __init__(self) -> None:
        self.notices: list[list[str]] = []

    def __call__(self, request: Request, unwanted: Sequence[str]) -> list[Named]:
        self.notices.append(request.describe())
        return answer(request, unwanted)


TURNS = st.sampled_from(
    [text for texts, _ in LIMITS for text in texts]
    + ["more like the second", "not that one", "", "🎉", "none of these", "what else?"]
)


@given(st.lists(TURNS, min_size=1, max_size=6), st.integers(0, 5))
def test_a_saved_conversation_goes_on_as_if_it_had_not_stopped(texts: list[str], at: int) -> None:
    chat = Conversation(SHOP, WORDS, answer, settings=Settings(["sku-1"], 5))
    said = [text for text in texts if text]
    for text in said[:at]:
        chat.ask(text)
    settings, turns = read_saved(chat.to_json())
    again = Conversation(SHOP, WORDS, answer, settings=settings)
    again.restore(turns)
    assert again.limits == chat.limits
    for text in said[at:]:
        assert again.ask(text) == chat.ask(text)
    assert again.to_json() == chat.to_json()


def test_what_is_saved_is_plain() -> None:
    settings = Settings(["a", Event("b", 3.0)], 4, {"filter": "price < 3", "deny": ["c"]})
    text = write_saved(settings, [Turn("tea", ("a",))])
    read, turns = read_saved(text)
    assert turns == [Turn("tea", ("a",))]
    assert (read.k, read.wanted) == (4, {"filter": "price < 3", "deny": ["c"]})
    assert list(read.history) == [Event("a"), Event("b", 3.0)]
    assert json.loads(text)["format"] == 1


def test_what_is_wanted_is_written_whatever_type_it_has() -> None:
    wanted: Wanted = {"filter": [parse_filter("price < 3")], "deny": {"b", "a"}, "seed": 1}  # type: ignore[typeddict-item]
    event = Event("a", np.float32(1), 5)  # type: ignore[arg-type]
    read, _ = read_saved(write_saved(Settings([event], np.int64(4), wanted), []))  # type: ignore[arg-type]
    assert read == Settings(
        [Event("a", 1.0, "5")], 4, {"filter": ["price < 3"], "deny": ["a", "b"], "seed": 1}
    )
    empty = Settings([], 3, {"filter": [None]})
    assert read_saved(write_saved(empty, []))[0] == empty


def test_what_is_blank_besides_a_follow_up_is_nothing() -> None:
    chat, _ = talk("breakfast blend", "cheaper \u200b")
    assert chat.limits == ["price under 8.00"]


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "history": [3], "turns": []}', "\x00"]
)
def test_what_is_no_saved_conversation_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="no saved conversation"):
        read_saved(text)


def test_a_conversation_has_an_end() -> None:
    chat = Conversation(SHOP, WORDS, answer, settings=Settings())
    chat.restore([Turn("tea", ())] * MOST_TURNS)
    with pytest.raises(RequestError, match="200 turns"):
        chat.ask("tea")


FOLLOW_UPS = [
    ("cheaper", [("cheaper", ())], ""),
    ("less expensive please", [("cheaper", ())], "please"),
    ("cheaper than $5", [], "cheaper than $5"),
    ("cheaper than the second one", [("cheaper", (1,))], ""),
    ("a bit pricier", [("dearer", ())], ""),
    ("other brands", [("brand", ())], ""),
    ("from a different brand", [("brand", ())], ""),
    ("more like the second", [("like", (1,))], ""),
    ("more like number 3", [("like", (2,))], ""),
    ("similar to #2, vegan", [("like", (1,))], ", vegan"),
    ("something like the last one", [("like", (-1,))], ""),
    ("like the 4th", [("like", (3,))], ""),
    ("not that one", [("without", (0,))], ""),
    ("not the first", [("without", (0,))], ""),
    ("I don't like it", [("without", (0,))], ""),
    ("anything but the third", [("without", (2,))], ""),
    ("not the first two", [("without", (0, 1))], ""),
    ("I don't want the first or the second", [("without", (0, 1))], ""),
    ("not the first, second and 4th", [("without", (0, 1, 3))], ""),
    ("without the last three", [("without", (-3, -2, -1))], ""),
    ("more like the first two", [("like", (0, 1))], ""),
    ("nothing like the first", [("without", (0,))], ""),
    ("it isn't too expensive", [], "it isn't too expensive"),
    ("the last one was too expensive", [("cheaper", (-1,))], ""),
    ("less than the second", [("cheaper", (1,))], ""),
    ("more", [("else", ())], ""),
    ("more chips", [], "more chips"),
    ("not that one, it should be vegan", [("without", (0,))], ", it should be vegan"),
    ("forget that one", [("without", (0,))], ""),
    ("forget it", [("over", ())], ""),
    ("never mind", [("over", ())], ""),
    ("never mind the price", [], "never mind the price"),
    ("something to reset my router", [], "something to reset my router"),
    ("nothing more expensive", [("no dearer", ())], ""),
    ("but not cheaper", [("no cheaper", ())], ""),
    ("not too expensive", [], "not too expensive"),
    ("too much caffeine", [], "too much caffeine"),
    ("too much for me", [("cheaper", ())], ""),
    ("I'd like it to be vegan", [], "I'd like it to be vegan"),
    ("something else", [("else", ())], ""),
    ("show me more", [("else", ())], ""),
    ("Start over", [("over", ())], ""),
    ("a toy like the old ones", [], "a toy like the old ones"),
    ("a likely story", [], "a likely story"),
    ("first aid kit", [], "first aid kit"),
    ("yogurt, not Chobani", [], "yogurt, not Chobani"),
]


@pytest.mark.parametrize(("text", "said", "rest"), FOLLOW_UPS)
def test_what_is_said_of_the_list_before(
    text: str, said: list[tuple[str, tuple[int, ...]]], rest: str
) -> None:
    found, left = follow_ups(text)
    assert ([(one.kind, one.places) for one in found], left) == (said, rest)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    write_shop(folder)
    recipe = write_small_recipe(folder / "small.toml", "gpt2")
    fitted = Recommender.from_base(recipe).fit(folder / "events.csv", folder / "items.csv")
    fitted.save_pretrained(folder / "bundle")
    return folder / "bundle"


def test_the_front_door_goes_on_with_what_was_saved(bundle: Path) -> None:
    shop = Recommender.from_pretrained(bundle)
    chat = shop.conversation(history=["oats", "milk"], k=3, exclude_history=True)
    first = chat.ask("bread, not rolls")
    assert first[0].item_id == "rye-bread"
    assert first.notices == ("not: rolls",)
    again = shop.conversation(saved=chat.to_json())
    found = again.ask("cheaper")
    assert found == chat.ask("cheaper")
    assert found.notices == ("not: rolls", "price under 2.60")
    assert {one.item_id for one in found}.isdisjoint({"oats", "milk", "rolls", "rye-bread"})
    assert chat.ask("start over. butter").notices == ()
    assert chat.ask("another brand").notices == ("brand: not Hill Farm",)


def test_a_first_turn_answers_as_ask_does(bundle: Path) -> None:
    shop = Recommender.from_pretrained(bundle)
    text = "something crunchy, not chips, under $4"
    assert shop.conversation(k=4).ask(text) == shop.ask(text, k=4)


def test_what_cannot_be_is_refused_before_the_first_turn(bundle: Path) -> None:
    shop = Recommender.from_pretrained(bundle)
    with pytest.raises(RequestError, match="takes no steer"):
        shop.conversation(steer=Steer(style="sweet"))
    with pytest.raises(RequestError, match=r"deny is the text 'oats'; expected .*\['oats'\]"):
        shop.conversation(deny="oats")
    for ask in (
        shop.follow,
        lambda history: shop.ask("tea", history=history),
        lambda history: shop.explain(history, "oats"),
        lambda history: shop.conversation(history=history),
    ):
        with pytest.raises(RequestError, match=r"the text 'milk'; expected .*\['milk'\]"):
            ask("milk")
        with pytest.raises(RequestError, match="2 histories where one is expected"):
            ask([["milk"], ["oats"]])


def test_asked_after_unknown_items_it_says_so(bundle: Path) -> None:
    shop = Recommender.from_pretrained(bundle)
    notices = shop.ask("bread", history=["oats", "nope"], k=2).notices
    assert notices == ("not in the catalogue and left out: nope",)


def test_chat_in_a_shell(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run(lines: str, *more: str) -> list[str]:
        words = ["p5rec", "chat", str(bundle), "-k", "3", "--saved", str(tmp_path / "c"), *more]
        monkeypatch.setattr(sys, "argv", words)
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        with pytest.raises(SystemExit) as left:
            cli.main()
        assert left.value.code == 0
        return capsys.readouterr().out.splitlines()

    turns = [json.loads(line) for line in run("bread, no rolls\n\ncheaper\n", "--json")]
    assert [turn["request"] for turn in turns] == ["bread, no rolls", "cheaper"]
    assert turns[1]["notices"] == ["not: rolls", "price under 2.60"]
    price = {item[0]: item[4] for item in GROCERIES}
    lines = run("even cheaper\n")
    highest = price[turns[1]["items"][0]["item_id"]]
    assert lines
    assert all(price[line.split("\t")[1]] < highest for line in lines)
    assert len(read_saved((tmp_path / "c").read_text("utf-8"))[1]) == 3
