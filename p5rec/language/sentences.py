"""Plain true sentences from evidence, and reference explanations to learn from.

Every English phrase is of the form that ``verify`` reads, so what is written here passes there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.language.explanation import Evidence, EvidenceGroup, Shared
from p5rec.language.facts import ItemFacts, facts_of
from p5rec.language.phrases import Phrases, load_phrases

IntArray = NDArray[np.int64]
Pick = Callable[[int], int]

MOST_SHARED = 4


@dataclass(frozen=True)
class Sentence:
    """A sentence, and the English one that says the same, which is what can be checked."""

    text: str
    english: str


@dataclass(frozen=True)
class ReferenceExplanation:
    """An explanation to learn from: which events, what they share with the item, and the text."""

    evidence_rows: list[int]
    shared_text: str
    text: str


def shared_text(shared: Sequence[Shared]) -> str:
    """What items have in common, as templates show it: the most telling value an attribute.

    >>> shared_text([Shared("again", "2", (7,)), Shared("category", "Yogurt", (3,))])
    'chosen twice, category Yogurt'
    """
    parts = [
        f"chosen {load_phrases().counted(int(entry.value))}"
        if entry.attribute == "again"
        else f"{entry.attribute} {entry.value}"
        for entry in _one_an_attribute(shared)
    ]
    return ", ".join(parts[:MOST_SHARED]) or "nothing known"


def candidates(
    catalogue: Catalogue, evidence: Evidence, *, verb: str = "chose", language: str = "en"
) -> Iterator[list[Sentence]]:
    """Every statement that the evidence gives, the strongest reason first, in all its wordings.

    The first wording varies from item to item and is always the same for one item and its evidence.
    Without evidence the sentence is about the item alone; where nothing about it can be said,
    there is none.

    :param verb: what the person did with the items of the history, one of ``VERBS``.
    :param language: one of ``phrases.languages()``.
    :raises RequestError: if there is no such language.
    """
    pick = _pick_for(catalogue.item_ids[evidence.item])
    for forms in statements(catalogue, evidence, verb=verb, language=language):
        first = pick(len(forms))
        yield forms[first:] + forms[:first]


def statements(
    catalogue: Catalogue, evidence: Evidence, *, verb: str = "chose", language: str = "en"
) -> Iterator[list[Sentence]]:
    """Every statement that the evidence gives, each in all its wordings."""
    writer = Writer(facts_of(catalogue), verb, load_phrases(language))
    item, events, shared = evidence.item, evidence.events, evidence.shared
    said = False
    for event in events:
        if event.item == item:
            yield writer.again(item, event.count, ago=event.ago)
            said = True
    telling = writer.telling(shared)
    for entry in telling:
        yield writer.alike(entry)
        said = True
    for group in evidence.groups:
        yield writer.several(group)
        said = True
    for event in events:
        if event.item != item and not any(event.item in entry.items for entry in telling):
            yield from writer.chosen(event.item)
    if not said:
        yield from writer.about(item)


def reference_explanation(
    catalogue: Catalogue,
    history_rows: Sequence[int] | IntArray,
    item: int,
    rng: np.random.Generator,
    *,
    verb: str = "chose",
    most: int = 3,
    language: str = "en",
) -> ReferenceExplanation:
    """An explanation made from records alone, for the model to learn from; every fact is true.

    Its evidence is those items of the history that share most with ``item``, newer ones first
    among equals; without any in common, the newest. The text says only what the prompt of an
    explanation shows: the items of the evidence and ``shared_text``.

    :param history_rows: catalogue rows of the history, oldest first, without the event explained.
    """
    facts, phrases = facts_of(catalogue), load_phrases(language)
    writer = Writer(facts, verb, phrases)
    history = np.asarray(history_rows, dtype=np.int64)
    rows = _most_alike(facts, history, item, most=1 + int(rng.integers(most)))
    times = int((history == item).sum())
    shared = facts.shared(item, rows, times=times)
    said = list(_reference(writer, item, rows, shared, times))[: 1 + int(rng.integers(2))]
    texts = [forms[int(rng.integers(len(forms)))].text for forms in said]
    return ReferenceExplanation(rows, shared_text(shared), " ".join(texts) or phrases.none)


def _reference(
    writer: Writer, item: int, rows: list[int], shared: Sequence[Shared], times: int
) -> Iterator[list[Sentence]]:
    if times:
        yield writer.again(item, times)
    telling = writer.telling(shared)
    for entry in telling:
        yield writer.alike(entry)
    if not telling and not times:
        for row in rows:
            yield from writer.chosen(row)
        yield from writer.about(item)


@dataclass(frozen=True)
class Writer:
    """Words facts: each method gives the wordings of one statement."""

    facts: ItemFacts
    verb: str
    phrases: Phrases

    def telling(self, shared: Sequence[Shared]) -> list[Shared]:
        """The most telling fact of each attribute, without those that most items have."""
        return [entry for entry in _one_an_attribute(shared) if self.facts.is_telling(entry)]

    def again(self, item: int, times: int, *, ago: int | None = None) -> list[Sentence]:
        """How often the person chose the item itself, and, where it was often, how long ago.

        Where other items are called the same, a reader would count them too, so it has no name.
        """
        label = self.facts.label(item)
        named = label and self.facts.has_own_name(item)
        return self._say("again" if named else "again_it", item=label, times=(times, ago))

    def alike(self, shared: Shared) -> list[Sentence]:
        """One attribute that the item shares with one item of the history."""
        labels = [label for label in map(self.facts.label, shared.items) if label]
        fact = (shared.attribute, shared.value)
        unnamed = self._say("unnamed", fact=fact)
        return self._say("alike", fact=fact, other=labels[0]) + unnamed if labels else unnamed

    def several(self, group: EvidenceGroup) -> list[Sentence]:
        """An attribute that the item shares with some items of the history."""
        return self._say("several", fact=(group.attribute, group.value), n=len(group.items))

    def chosen(self, row: int) -> Iterator[list[Sentence]]:
        """That the person chose an item."""
        label = self.facts.label(row)
        if label:
            yield self._say("chosen", other=label)

    def about(self, item: int) -> Iterator[list[Sentence]]:
        """Something of the item's own record."""
        for fact in self.facts.of(item)[:2]:
            yield self._say("about", fact=(self.facts.attributes[fact], self.facts.values[fact]))
        if not self.facts.of(item) and self.facts.label(item):
            yield self._say("called", item=self.facts.label(item))

    def _say(
        self,
        kind: str,
        *,
        fact: tuple[str, str] | None = None,
        times: tuple[int, int | None] | None = None,
        **parts: str | int,
    ) -> list[Sentence]:
        """One statement in every form that the language has for it."""

        def worded(phrases: Phrases) -> list[str]:
            gaps = dict(parts)
            gaps["verb"], gaps["participle"] = phrases.verbs[self.verb]
            if fact is not None:
                gaps["has"] = phrases.worded(phrases.has, *fact)
                gaps["named"] = phrases.worded(phrases.named, *fact)
            if times is not None:
                gaps["times"] = phrases.counted(*times)
            texts = (form.format(**gaps) for form in getattr(phrases, kind))
            return [text[0].upper() + text[1:] for text in texts]

        english = worded(load_phrases())
        if self.phrases is load_phrases():
            return [Sentence(text, text) for text in english]
        return [Sentence(text, english[0]) for text in worded(self.phrases)]


def _one_an_attribute(shared: Sequence[Shared]) -> list[Shared]:
    first: dict[str, Shared] = {}
    for entry in shared:
        first.setdefault(entry.attribute, entry)
    return list(first.values())


def _most_alike(facts: ItemFacts, history: IntArray, item: int, *, most: int) -> list[int]:
    if not len(history):
        return []
    distinct, newest = np.unique(history[::-1], return_index=True)
    likeness = facts.likeness(item, distinct)
    likeness[distinct == item] = np.inf
    order = np.lexsort([newest, -likeness])
    if likeness[order[0]] > 0:
        order = order[likeness[order] > 0]
    rows: list[int] = distinct[order[:most]].tolist()
    return rows


def _pick_for(item_id: str) -> Pick:
    digest = int.from_bytes(hashlib.blake2b(item_id.encode("utf-8"), digest_size=8).digest(), "big")
    return lambda n: digest % n
