"""The check of sentences against 300 sentences that were judged by hand."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "eval"))
import verifier_cases

CASES = list(verifier_cases.cases())


def test_there_are_three_hundred_sentences_with_claims_of_both_kinds() -> None:
    assert len(CASES) == 300
    assert len({(case.item, case.text) for case in CASES}) == 300
    claims = [supported for case in CASES for _, supported in case.claims]
    assert 0.4 < sum(claims) / len(claims) < 0.7


def test_every_item_and_history_is_in_its_shop() -> None:
    known = verifier_cases.shops()
    for case in CASES:
        assert (known[case.shop][0].rows_of([case.item, *case.history]) >= 0).all()


def test_what_the_check_accepts_is_true() -> None:
    judged = verifier_cases.judge()
    assert judged["all"]["claims"]["precision"] >= 0.95
    assert judged["all"]["sentences"]["precision"] >= 0.95
    assert judged["all"]["claims"]["recall"] >= 0.84


@pytest.mark.parametrize("word", ["best", "perfect", "perhaps", "always"])
def test_praise_and_hedges_are_never_accepted(word: str) -> None:
    known = verifier_cases.shops()
    for case in CASES:
        if f" {word} " in case.text:
            catalogue, verifier = known[case.shop]
            item, *history = catalogue.rows_of([case.item, *case.history]).tolist()
            assert not verifier.verify(case.text, item=item, history_rows=history).text


@pytest.mark.parametrize(
    "broken", [", and", " and it", "), and", ", which", ",", " (", ") by", ";,"]
)
def test_true_sentences_that_break_off_are_refused_and_mended(broken: str) -> None:
    known = verifier_cases.shops()
    mended = 0
    for case in CASES:
        catalogue, verifier = known[case.shop]
        item, *history = catalogue.rows_of([case.item, *case.history]).tolist()
        told = {"item": item, "history_rows": history}
        if not verifier.verify(case.text, **told).holds or case.text.endswith(")."):
            continue
        text = f"{case.text.rstrip('.')}{broken}."
        assert not verifier.verify(text, **told).text, text
        mended += verifier.verify(text, rewrite=True, **told).text.rstrip(".") == case.text.rstrip(
            "."
        )
    assert mended > 80


@pytest.mark.parametrize(
    "text",
    [
        "It is a yogurt), by Chobani.",
        ", it is by Chobani.",
        "It is a yogurt,, by Chobani.",
        "It is a yogurt (, by Chobani).",
        "It is by Chobani and this is.",
    ],
)
def test_signs_with_nothing_to_them_are_refused(text: str) -> None:
    _, verifier = verifier_cases.shops()["grocer"]
    item, *history = verifier_cases.shops()["grocer"][0].rows_of(["strawberry", "greek"]).tolist()
    assert not verifier.verify(text, item=item, history_rows=history).text
