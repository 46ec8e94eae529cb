"""Examples from what people wrote: ratings, summaries of reviews, reasons in their words.

What an example foresees is never in its prompt: of reviews the prompt shows earlier ones by the
same person alone. The one exception is a review's summary, whose prompt is the review.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.data.users import Users
from p5rec.language.reviews import described, known_of, reason_in, summary_of
from p5rec.language.wording import Lesson
from p5rec.prompting.placeholders import Task, Value
from p5rec.prompting.segments import Attribute, ItemRef, UntrustedText
from p5rec.prompting.template import Template
from p5rec.training.batch import Examples, Plan, TextBatch
from p5rec.training.language_examples import POSITIONS_OF_TEXT, Words, pick

IntArray = NDArray[np.int64]

EARLIER_REVIEWS = 3
EARLIER_ITEMS = 16
_HINTS = ("history", "user", "past")


@dataclass(frozen=True)
class Written:
    """What people wrote in training events, row by row; ``items`` are catalogue rows."""

    catalogue: Catalogue
    users: Users | None
    user_ids: Sequence[str]
    items: IntArray
    first: IntArray
    ratings: Sequence[float | None]
    reviews: Sequence[str | None]
    summaries: Sequence[str | None]
    explanations: Sequence[str | None]

    @classmethod
    def of(cls, events: Events, catalogue: Catalogue, users: Users | None) -> Written:
        """The events of items that the catalogue has."""
        rows = catalogue.rows_of(events.table["item_id"])
        known = events.select(rows >= 0)
        table = known.table
        empty = [None] * len(known)
        found = {
            name: table[name].to_pylist() if name in table.column_names else empty
            for name in ("rating", "review", "summary", "explanation")
        }
        return cls(
            catalogue,
            users,
            table["user_id"].to_pylist(),
            rows[rows >= 0],
            np.repeat(known.starts, np.diff(known.offsets)),
            found["rating"],
            found["review"],
            found["summary"],
            found["explanation"],
        )

    @cached_property
    def reasons(self) -> list[str]:
        """Why the item of each event fitted, where someone said so; else empty.

        The reference explanation, or else the sentence of the review that says most of the item.
        """
        return [
            html.unescape(told) if told else reason_in(review or "", self.described[item])
            for told, review, item in zip(
                self.explanations, self.reviews, self.items.tolist(), strict=True
            )
        ]

    @cached_property
    def described(self) -> list[str]:
        """What is known of each item of the catalogue, in words."""
        return [described(self.catalogue, row) for row in range(len(self.catalogue))]

    def past(self, event: int) -> str:
        """What the person wrote before an event, newest first."""
        own = range(event - 1, int(self.first[event]) - 1, -1)
        written = [review for at in own if (review := self.reviews[at])]
        return " ".join(written[:EARLIER_REVIEWS])

    def known_of(self, event: int) -> str:
        """What is known of the person of an event."""
        return known_of({} if self.users is None else self.users.attributes(self.user_ids[event]))

    def lessons(self) -> list[Lesson]:
        """The reference explanations, with what was known of item and person."""
        return [
            Lesson(self.described[self.items[at]], self.known_of(at), html.unescape(text))
            for at, text in enumerate(self.explanations)
            if text
        ]

    def hints(self, event: int) -> dict[str, Value]:
        """What a prompt may say of the person: items, attributes and words from before."""
        before = self.items[max(int(self.first[event]), event - EARLIER_ITEMS) : event]
        told: dict[str, Value] = {}
        if len(before):
            told["history"] = [ItemRef(row) for row in before.tolist()]
        if known := self.known_of(event):
            told["user"] = Attribute(known)
        if past := self.past(event):
            told["past"] = UntrustedText(past)
        return told


@dataclass(frozen=True)
class WrittenExamples:
    """One task over the events that have an answer: ``answers[e]`` is empty where there is none."""

    words: Words
    written: Written
    task: Task
    answers: Sequence[str]
    values: Callable[[int], dict[str, Value]]

    def plan(self, rng: np.random.Generator) -> Plan:
        """Each event with an answer once."""
        events = np.array([at for at, answer in enumerate(self.answers) if answer], dtype=np.int64)
        return Plan.alike(events, POSITIONS_OF_TEXT, self.batch)

    def batch(self, events: IntArray, rng: np.random.Generator) -> TextBatch:
        """Prompts of some events, and their answers."""
        prompts, texts = [], []
        for event in events.tolist():
            values = self.values(event)
            prompts.append(self.words.prompt(self._template(values, rng), values))
            texts.append(self.words.written(self.answers[event]))
        return TextBatch.from_texts(prompts, texts)

    def _template(self, values: dict[str, Value], rng: np.random.Generator) -> Template:
        """One of those that fit what is known; those that say something of the person as often."""
        fitting = self.words.templates.of(self.task, seen=True, given=values)
        telling = [one for one in fitting if one.needs.intersection(_HINTS)]
        plain = [one for one in fitting if not one.needs.intersection(_HINTS)]
        return pick(telling if telling and (not plain or rng.random() < 0.5) else plain, rng)


def written_tasks(words: Words, written: Written) -> dict[Task, Examples]:
    """The tasks that the events have answers for."""

    def of_item(event: int) -> dict[str, Value]:
        item = int(written.items[event])
        told = written.hints(event)
        return {**told, "item": ItemRef(item), "words": Attribute(written.described[item])}

    def of_review(event: int) -> dict[str, Value]:
        told: dict[str, Value] = {"review": UntrustedText(written.reviews[event] or "")}
        if (rating := written.ratings[event]) is not None:
            told |= {"item": ItemRef(int(written.items[event])), "rating": Attribute(f"{rating:g}")}
        return told

    ratings = ["" if rating is None else f"{rating:g}" for rating in written.ratings]
    pairs = zip(written.reviews, written.summaries, strict=True)
    summaries = [(told or summary_of(review)) if review else "" for review, told in pairs]
    tasks: dict[Task, Examples] = {}
    found: tuple[tuple[Task, Sequence[str], Callable[[int], dict[str, Value]]], ...] = (
        ("rating", ratings, of_item),
        ("reason", written.reasons, of_item),
        ("review_summary", summaries, of_review),
    )
    for task, answers, values in found:
        if any(answers):
            tasks[task] = WrittenExamples(words, written, task, answers, values)
    return tasks
