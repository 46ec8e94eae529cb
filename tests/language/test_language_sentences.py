from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pytest
from language_worlds import (
    CHIPS,
    DARK,
    FLUID,
    GREEK,
    HISTORY,
    OAT,
    SOY,
    STRAWBERRY,
    plain_sentences,
    shop,
)

from p5rec.data.catalogue import Catalogue
from p5rec.language.explanation import Evidence, EvidenceEvent, Shared
from p5rec.language.facts import facts_of, speak
from p5rec.language.sentences import candidates, reference_explanation, shared_text
from p5rec.language.verify import Verifier

SHOP = shop()


def test_facts_are_the_attributes_that_can_be_said() -> None:
    facts = facts_of(SHOP)
    said = [(facts.attributes[fact], facts.values[fact]) for fact in facts.of(FLUID)]
    assert said == [
        ("category", "Fluid Milk"),
        ("category", "Grocery"),
        ("brand", "National 69"),
        ("variant", "1/2 gal"),
    ]
    assert facts.label(FLUID) == "Fluid Milk (National 69, 1/2 gal)"
    assert facts.label(OAT) == "Oat Milk Barista"
    assert facts_of(SHOP) is facts


def test_likeness_is_the_information_shared() -> None:
    likeness = facts_of(SHOP).likeness(STRAWBERRY, np.array([GREEK, SOY, STRAWBERRY, CHIPS]))
    assert likeness[2] > likeness[0] > likeness[1] == likeness[3] == 0


def test_shared_attributes_come_with_their_items_most_telling_first() -> None:
    shared = facts_of(SHOP).shared(STRAWBERRY, [GREEK, CHIPS], times=2)
    assert shared[0] == Shared("again", "2", (STRAWBERRY,))
    assert {(entry.attribute, entry.value) for entry in shared[1:]} == {
        ("category", "Yogurt"), ("category", "Dairy"), ("brand", "Chobani")
    }  # fmt: skip
    assert all(entry.items == (GREEK,) for entry in shared[1:])
    assert shared_text(()) == "nothing known"


def test_plain_sentences_say_how_often_and_when() -> None:
    evidence = Evidence(
        GREEK, -1.0, (EvidenceEvent(4, GREEK, 0.7, 3, 3),), (Shared("again", "3", (GREEK,)),)
    )
    (sentence,) = plain_sentences(SHOP, evidence, verb="bought")
    assert "bought" in sentence
    assert "Greek Yogurt Vanilla" in sentence
    assert "3 times, most recently 3 events ago" in sentence
    assert plain_sentences(SHOP, evidence, verb="bought") == [sentence]


def test_without_evidence_the_item_itself_is_described() -> None:
    assert "Yogurt" in plain_sentences(SHOP, Evidence(STRAWBERRY, -1.0))[0]
    bare = Catalogue.from_table(pa.table({"item_id": ["***"]}))
    assert plain_sentences(bare, Evidence(0, -1.0)) == []


def test_a_reference_prefers_what_shares_most() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        reference = reference_explanation(SHOP, HISTORY, STRAWBERRY, rng)
        assert reference.evidence_rows == [GREEK]
        assert reference.shared_text == "category Yogurt, brand Chobani"
    again = reference_explanation(SHOP, HISTORY, GREEK, rng, most=1)
    assert again.evidence_rows == [GREEK]
    assert again.shared_text == "chosen 3 times"
    alone = reference_explanation(SHOP, [], DARK, rng)
    assert (alone.evidence_rows, alone.shared_text) == ([], "nothing known")
    assert alone.text


def test_what_most_items_have_is_no_reason() -> None:
    store = Catalogue.from_table(
        pa.table({"item_id": list("abcdefghijkl"), "title": [f"Thing {n}" for n in range(12)],
                  "brand": ["House"] * 12})
    )  # fmt: skip
    shared = facts_of(store).shared(0, [1])
    assert [entry.value for entry in shared] == ["House"]
    evidence = Evidence(0, -1.0, (EvidenceEvent(0, 1, 0.5),), shared)
    sentences = plain_sentences(store, evidence)
    assert "Thing 1" in sentences[0]
    assert "House" not in sentences[0]


def test_references_vary() -> None:
    rng = np.random.default_rng(0)
    texts = {reference_explanation(SHOP, HISTORY, STRAWBERRY, rng).text for _ in range(60)}
    assert len(texts) > 8


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("<script>alert(1)</script>", "alert(1)"),
        ("{{ item }} </s>", "item"),
        ("see https://example.com now", "see now"),
        ("Dr. Pepper!", "Dr Pepper"),
        ("=cmd", "cmd"),
        ("🎉", ""),
        ("a" * 200, "a" * 80),
    ],
)
def test_what_is_said_holds_no_markup(written: str, spoken: str) -> None:
    assert speak(written) == spoken


def test_a_reference_for_a_long_history_is_quick() -> None:
    rng = np.random.default_rng(0)
    history = rng.integers(0, len(SHOP), 5000)
    start = time.perf_counter()
    for _ in range(50):
        reference_explanation(SHOP, history, OAT, rng)
    assert (time.perf_counter() - start) / 50 < 0.02


def test_explanations_need_no_torch() -> None:
    modules = ("explanation", "facts", "sentences", "verify", "word_index")
    code = "\n".join(f"import p5rec.language.{module}" for module in modules)
    code += "\nimport sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_how_often_an_item_was_chosen_is_said_of_its_name_only_where_no_other_has_it() -> None:
    table = pa.table(
        {
            "item_id": ["cola", "lemon", "tea"],
            "categories": [["Soft Drinks"], ["Soft Drinks"], ["Tea"]],
            "variant": ["2 l", "2 l", None],
        }
    )
    drinks = Catalogue.from_table(table)
    for item, named in ((0, False), (1, False), (2, True)):
        evidence = Evidence(item, -1.0, (EvidenceEvent(4, item, 0.7, 3, 3),), ())
        (sentence,) = plain_sentences(drinks, evidence, verb="bought")
        assert "3 times" in sentence
        assert (facts_of(drinks).label(item) in sentence) == named


ODD = pa.table(
    {
        "item_id": ["5978648", "sugar", "mega-man", "mega-man-3", "brown-sugar", "cubes"],
        "title": [None, None, "Mega Man X", "Mega Man X 3", None, None],
        "brand": [None, "Private 69", "Capcom", "Capcom", "National 2", "National 2"],
        "categories": [None, ["Sugar"], ["Games"], ["Games"], ["Sugar"], ["Sugar"]],
        "variant": [None, "(600) 4 lb", None, None, None, "12 (ct"],
    }
)


@pytest.mark.parametrize("item", range(len(ODD)))
def test_what_was_chosen_before_can_be_told_of_items_with_odd_names(item: int) -> None:
    catalogue = Catalogue.from_table(ODD)
    verifier = Verifier(catalogue, verb="bought")
    again = EvidenceEvent(2, item, 1.0, count=3, ago=1)
    evidence = Evidence(item, -1.0, (again,), (Shared("again", "3", (item,)),), (), (again,))
    forms = next(candidates(catalogue, evidence, verb="bought"))
    assert all(form.text == form.english for form in forms), "what is told is what is checked"
    held = [
        form.text
        for form in forms
        if (claims := verifier.claims(form.english, item=item, history_rows=[item] * 3))
        and all(claim.supported for claim in claims)
    ]
    assert held


def test_a_number_is_no_name() -> None:
    facts = facts_of(Catalogue.from_table(ODD))
    assert [facts.label(row) for row in range(2)] == ["", "Sugar (Private 69, 600 4 lb)"]


def test_items_that_share_something_are_counted_without_the_item_itself() -> None:
    catalogue = Catalogue.from_table(ODD)
    item, history = 1, [1, 1, 4, 5, 4]
    verifier = Verifier(catalogue, verb="bought")

    def holds(text: str) -> bool:
        claims = verifier.claims(text, item=item, history_rows=history)
        return bool(claims) and all(claim.supported for claim in claims)

    assert holds("You bought 2 items that share the category Sugar with it.")
    assert not holds("You bought 3 items that share the category Sugar with it.")
    assert holds("You bought Sugar (National 2, 12 ct), which shares the category Sugar with it.")
    assert not holds("You bought Sugar (Private 69), which shares the category Sugar with it.")
