"""Reasons in the words of a domain: learnt from references, held to the records."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p5rec.errors import TrainingError
from p5rec.language.phrases import languages, load_phrases
from p5rec.language.statement_walk import StatementWalk
from p5rec.language.support import Records, telling
from p5rec.language.wording import Lesson, Wording
from p5rec.model.recipe import Recipe
from p5rec.recommender import Recommender

PLACES = [
    ("taqueria", "People enjoy authentic tacos, a cozy patio, and friendly service."),
    ("brewery", "Guests enjoy craft beer, live music, and friendly service."),
    ("bakery", "Fans appreciate fresh bread, a cozy corner, and strong coffee."),
]
TEXTS = [
    "The user would enjoy the business for its authentic tacos, cozy patio, and low prices.",
    "The user would enjoy the business for its craft beer, and live music.",
    "The user would enjoy the business for its fresh bread, strong coffee, and friendly service. "
    "They appreciate the cozy corner, and kind staff.",
]
LESSONS = [
    Lesson(words, "likes cozy patio, strong coffee", text)
    for (_, words), text in zip(PLACES * 4, TEXTS * 4, strict=True)
]
WORDING = Wording.learn(LESSONS)


def test_openings_are_learnt_and_what_records_name_is_found() -> None:
    assert WORDING.first[0][0] == "The user would enjoy the business for its"
    assert WORDING.later[0][0] == "They appreciate the"
    things = WORDING.things(PLACES[0][1])
    assert {"authentic tacos", "cozy patio", "friendly service"} <= set(things)
    assert Wording.from_dict(json.loads(json.dumps(WORDING.to_dict()))) == WORDING


def test_every_sentence_holds_and_shared_things_come_first() -> None:
    for _, words in PLACES:
        about = "likes cozy patio, strong coffee"
        for place in WORDING.sentences(words, about):
            for sentence in place:
                assert Records([words, about]).verify(sentence).holds
    first = WORDING.evidence(PLACES[0][1], "likes friendly service")
    assert WORDING.worth(
        "friendly service", frozenset(telling("friendly service"))
    ) > WORDING.worth("friendly service")
    assert set(first) == set(WORDING.things(PLACES[0][1]))


def test_what_a_person_likes_is_taken_from_what_is_known_of_the_person() -> None:
    for _, words in PLACES:
        for place in WORDING.sentences(words, "likes loud music, strong coffee"):
            for sentence in place:
                of_person = sentence.startswith("They appreciate")
                known = "loud music, strong coffee" if of_person else words
                assert Records([known]).verify(sentence).holds
    assert all(len(WORDING.sentences(words, "")) == 1 for _, words in PLACES)


def test_what_no_record_has_is_refused() -> None:
    records = Records(["Guests enjoy craft beer and live music."])
    verdict = records.verify("They enjoy craft beer. They enjoy cheap wine and live music. Enjoy!")
    assert verdict.text == "They enjoy craft beer."
    assert len(verdict.refused) == 2
    claims = records.claims("The user would enjoy cheap wine and live music.")
    assert [claim.supported for claim in claims] == [False, True]


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_record_gives_sentences_that_hold_or_none(words: str, about: str) -> None:
    for place in WORDING.sentences(words, about):
        for sentence in place:
            assert Records([words, about]).verify(sentence).holds
            assert not set(sentence) & set("<>{}[]|\\`")


def test_without_openings_there_is_nothing_to_learn() -> None:
    with pytest.raises(TrainingError, match="explanation column"):
        Wording.learn([Lesson("tacos", "", "Tacos! Tacos!")])


def test_a_recommender_learns_to_word_reasons(tmp_path) -> None:
    users = [f"u{n}" for n in range(6)]
    events = pa.table(
        {
            "user_id": [user for user in users for _ in PLACES],
            "item_id": [name for _ in users for name, _ in PLACES],
            "position": list(range(3)) * 6,
            "explanation": TEXTS * 6,
        }
    )
    items = pa.table(
        {"item_id": [name for name, _ in PLACES], "description": [words for _, words in PLACES],
         "title": [name.title() for name, _ in PLACES]}
    )  # fmt: skip
    recipe = Recipe.load("gpt2-mini")
    training = recipe.training.model_copy(
        update={"tasks": {"next_item": 0.5, "reason": 0.5}, "least_steps": 20, "epochs": 1.0}
    )
    fitted = Recommender.from_base(
        "gpt2-mini", recipe=recipe.model_copy(update={"training": training})
    ).fit(events, items)
    fitted.save_pretrained(tmp_path / "bundle")
    loaded = Recommender.from_pretrained(tmp_path / "bundle")
    about = "likes strong coffee"
    for one in (fitted, loaded):
        explanation = one.explain(["brewery"], "taqueria", about=about)
        assert explanation.source == "generated"
        assert explanation.text.startswith("The user would enjoy")
        assert explanation.claims
        assert all(claim.supported for claim in explanation.claims)
    assert loaded.explain([], "bakery", about=about, generate=False).source == "evidence"


@given(
    st.lists(
        st.lists(st.lists(st.integers(1, 4), min_size=1, max_size=4), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
def test_whatever_is_chosen_only_given_sentences_are_written(
    statements, most, ordered, random
) -> None:
    walk = StatementWalk(statements, most=most, end=0, ordered=ordered)
    written = []
    for _ in range(100):
        token = random.choice(walk.allowed())
        walk.push(token)
        if token == 0:
            break
        written.append(token)
    said = [statements[number][form] for number, form in walk.said]
    assert [token for sentence in said for token in sentence] == written
    assert len({number for number, _ in walk.said}) == len(said) <= most
    if ordered:
        assert [number for number, _ in walk.said] == sorted(number for number, _ in walk.said)


@pytest.mark.parametrize("language", languages())
def test_every_language_has_every_verb_and_form(language: str) -> None:
    phrases, english = load_phrases(language), load_phrases()
    assert set(phrases.verbs) == set(english.verbs)
    assert set(phrases.has) == set(english.has)
    assert phrases.counted(2, 5)
    for name in ("again", "alike", "unnamed", "chosen", "about"):
        assert len(np.unique(getattr(phrases, name))) == len(getattr(phrases, name))
