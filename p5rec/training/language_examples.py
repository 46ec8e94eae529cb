"""Examples that teach words: what items are called, why an item fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.language.explanation_prompt import explanation_templates, explanation_values
from p5rec.language.facts import facts_of
from p5rec.language.sentences import reference_explanation
from p5rec.model.prompt_batch import EncodedPrompt
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.model.recipe import Prompting
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import Attribute, ItemRef
from p5rec.prompting.template import Template
from p5rec.prompting.templates import TemplateSet
from p5rec.training.batch import Plan, TextBatch, WalkBatch

IntArray = NDArray[np.int64]

POSITIONS_OF_ITEM = 48
POSITIONS_OF_TEXT = 128
"""What an example counts for beside a position of history; a softmax over text is dear."""
SENTENCES_FOR_TOKENIZER = 2000
EARLIER = 32
"""Events before an item that an explanation may draw on."""


@dataclass(frozen=True)
class Words:
    """What all examples in words are made from."""

    catalogue: Catalogue
    encoder: PromptEncoder
    templates: TemplateSet
    prompting: Prompting

    def prompt(self, template: Template, values: dict[str, Value]) -> EncodedPrompt:
        """The encoded source of a template."""
        return self.encoder.encode(render_prompt(template, values))

    def written(self, text: str) -> list[int]:
        """A text to be learnt, with the end marked."""
        return [*self.encoder.tokenizer.encode_untrusted(text, 64), self.encoder.end]


def pick(templates: Sequence[Template], rng: np.random.Generator) -> Template:
    """One of some templates, drawn at random."""
    return templates[int(rng.integers(len(templates)))]


class ItemTextExamples:
    """An item → its words, or its words → the item, by turns."""

    def __init__(self, words: Words) -> None:
        self._words = words
        self._to_words = words.templates.of("item_text", seen=True, answer="words")
        self._to_item = words.templates.of("item_text", seen=True, answer="item")
        self._rows = rows_with_text(words.catalogue)

    def plan(self, rng: np.random.Generator) -> Plan:
        """Each item with words once."""
        return Plan.alike(rng.permutation(self._rows), POSITIONS_OF_TEXT, self._make)

    def _make(self, rows: IntArray, rng: np.random.Generator) -> WalkBatch | TextBatch:
        texts = [self._words.catalogue.text(row) for row in rows.tolist()]
        if rng.random() < 0.5:
            template = pick(self._to_item, rng)
            prompts = [self._words.prompt(template, {"words": Attribute(text)}) for text in texts]
            return WalkBatch.one_each(prompts, rows.tolist())
        template = pick(self._to_words, rng)
        prompts = [self._words.prompt(template, {"item": ItemRef(row)}) for row in rows.tolist()]
        return TextBatch.from_texts(prompts, [self._words.written(text) for text in texts])


class ExplanationExamples:
    """An item, the events before it and what they share → a true sentence that says so."""

    def __init__(self, words: Words, histories: Histories) -> None:
        self._words = words
        self._templates = explanation_templates(words.templates, names=words.prompting.names)
        self._past = _Past(histories)

    def plan(self, rng: np.random.Generator) -> Plan:
        """As many events as there are items, each with what came before it."""
        size = min(len(self._past.events), len(self._words.catalogue))
        chosen = rng.choice(self._past.events, size, replace=False)
        return Plan.alike(chosen, POSITIONS_OF_TEXT, self._make)

    def _make(self, events: IntArray, rng: np.random.Generator) -> TextBatch:
        prompts, texts = [], []
        for event in events.tolist():
            item, before = self._past.of(event)
            reference = reference_explanation(
                self._words.catalogue,
                before,
                item,
                rng,
                verb=self._words.prompting.verb,
                language=self._words.prompting.language,
            )
            values = explanation_values(
                facts_of(self._words.catalogue),
                item,
                reference.evidence_rows,
                reference.shared_text,
            )
            prompts.append(self._words.prompt(pick(self._templates, rng), values))
            texts.append(self._words.written(reference.text))
        return TextBatch.from_texts(prompts, texts)


class _Past:
    """The events that have something before them in their history."""

    def __init__(self, histories: Histories) -> None:
        self._items = np.asarray(histories.items, dtype=np.int64)
        offsets = np.asarray(histories.offsets, dtype=np.int64)
        self._first = np.repeat(offsets[:-1], np.diff(offsets))
        self.events = np.flatnonzero(np.arange(len(self._items)) > self._first)

    def of(self, event: int) -> tuple[int, IntArray]:
        """The item of an event, and the items of what came not long before it."""
        before = self._items[max(self._first[event], event - EARLIER) : event]
        return int(self._items[event]), before


def sentences_to_learn(
    catalogue: Catalogue, histories: Histories, prompting: Prompting, *, seed: int
) -> list[str]:
    """Explanations like those to be learnt, so that a tokenizer gets their words whole."""
    rng = np.random.default_rng(seed)
    past = _Past(histories)
    chosen = rng.choice(past.events, min(len(past.events), SENTENCES_FOR_TOKENIZER), replace=False)
    texts = []
    for event in chosen.tolist():
        item, before = past.of(event)
        reference = reference_explanation(
            catalogue, before, item, rng, verb=prompting.verb, language=prompting.language
        )
        texts.append(reference.text)
    return texts


def rows_with_text(catalogue: Catalogue) -> IntArray:
    """The rows of the items that have words."""
    return np.array([row for row, text in enumerate(catalogue.texts) if text], dtype=np.int64)
