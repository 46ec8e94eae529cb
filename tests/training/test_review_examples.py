"""What people wrote, as examples: what is to be foreseen is never in the prompt."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.data.splits import leave_last_basket
from p5rec.data.users import Users
from p5rec.language.reviews import reason_in, summary_of
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.model.recipe import Prompting
from p5rec.prompting.templates import load_templates
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.prompting.tokenizing import TextTokenizer
from p5rec.training.language_examples import Words
from p5rec.training.review_examples import Written, written_tasks

ITEMS = ("oat", "soy", "tea")
USERS = ("ann", "ben")
# Each review has a word of its own that is nowhere else.
REVIEWS = {
    (user, item): f"The {item} drink arrived well. I like the mark{user}{item} drink very much."
    for user in USERS
    for item in ITEMS
}
CATALOGUE = Catalogue.from_table(
    pa.table({"item_id": list(ITEMS), "title": [f"{item} drink" for item in ITEMS]})
)
EVENTS = Events.from_table(
    pa.table(
        {
            "user_id": [user for user, _ in REVIEWS],
            "item_id": [item for _, item in REVIEWS],
            "position": list(range(3)) * 2,
            "rating": [5.0, 2.5, 4.0, 1.0, 3.0, 5.0],
            "review": list(REVIEWS.values()),
        }
    )
)
PEOPLE = Users.from_table(pa.table({"user_id": ["ann"], "age": ["44"]}))


@pytest.fixture(scope="module")
def words() -> Words:
    texts = [*REVIEWS.values(), *(template.source for template in load_templates())]
    tokenizer = train_tokenizer(texts, kind="gpt2", vocab_size=4096)
    tokens = len(tokenizer) + np.arange(3)[:, None]
    encoder = PromptEncoder(
        TextTokenizer(tokenizer),
        tokens,
        one_position=True,
        end=tokenizer.eos_token_id,
        longest_text=256,
    )
    return Words(CATALOGUE, encoder, load_templates(), Prompting())


def prompts_and_answers(words: Words, task: str, event: int, *, draws: int = 24):
    examples = written_tasks(words, Written.of(EVENTS, CATALOGUE, PEOPLE))[task]
    decode = words.encoder.tokenizer.decode
    for seed in range(draws):
        batch = examples.batch(np.array([event]), np.random.default_rng(seed))
        yield decode(batch.prompts.ids[0, :, 0].tolist()), decode(batch.tokens[0].tolist())


@pytest.mark.parametrize("task", ["rating", "reason"])
def test_of_reviews_a_prompt_shows_earlier_ones_by_the_same_person_alone(
    words: Words, task: str
) -> None:
    marks = [f"mark{user}{item}" for user, item in REVIEWS]
    for event in range(6):
        first = 3 * (event // 3)
        allowed = set(marks[first:event])
        shown = set()
        for prompt, _ in prompts_and_answers(words, task, event):
            found = {mark for mark in marks if mark in prompt}
            assert found <= allowed
            shown |= found
        assert shown == allowed


def test_answers_are_ratings_reasons_and_summaries(words: Words) -> None:
    _, rating = next(prompts_and_answers(words, "rating", 1))
    assert rating == "2.5"
    _, reason = next(prompts_and_answers(words, "reason", 1))
    assert reason == "the soy drink arrived well."
    prompt, summary = next(prompts_and_answers(words, "review_summary", 0))
    assert "markannoat" in prompt
    assert summary.endswith(".")


def test_what_is_known_of_a_person_is_told(words: Words) -> None:
    prompts = [prompt for prompt, _ in prompts_and_answers(words, "reason", 0)]
    assert any("age 44" in prompt for prompt in prompts)
    others = [prompt for prompt, _ in prompts_and_answers(words, "reason", 3)]
    assert not any("age 44" in prompt for prompt in others)


def test_reviews_that_are_held_out_are_in_no_example() -> None:
    split = leave_last_basket(EVENTS)
    written = Written.of(split.train, CATALOGUE, None)
    assert len(written.items) == 2
    assert {review for review in written.reviews if review} == {
        REVIEWS[user, "oat"] for user in USERS
    }


def test_without_reviews_there_are_no_such_tasks(words: Words) -> None:
    plain = Events.from_table(EVENTS.table.select(["user_id", "item_id", "position"]))
    assert written_tasks(words, Written.of(plain, CATALOGUE, None)) == {}


def test_reference_explanations_and_summaries_come_before_what_is_cut_from_reviews() -> None:
    table = EVENTS.table.append_column("explanation", pa.array(["It froths.", *[None] * 5]))
    table = table.append_column("summary", pa.array(["Fine", *[None] * 5]))
    written = Written.of(Events.from_table(table), CATALOGUE, PEOPLE)
    assert written.reasons[0] == "It froths."
    assert written.reasons[1] == "The soy drink arrived well."
    (lesson,) = written.lessons()
    assert (lesson.item_words, lesson.user_words) == ("oat drink", "age 44")


def test_texts_without_a_fit_sentence_give_none() -> None:
    assert reason_in("", "oat") == summary_of("") == ""
    assert reason_in("Nothing of it. " * 50, "oat") == ""
    assert summary_of("Bad. " * 9) == ""
