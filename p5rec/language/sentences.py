"""Plain true sentences from evidence, and reference explanations to learn from.

Every phrase is of the form that ``verify`` reads, so what is written here passes there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.language.explanation import Evidence, EvidenceEvent, Shared
from p5rec.language.facts import ItemFacts, facts_of
from p5rec.language.vocabulary import VERBS

IntArray = NDArray[np.int64]
Pick = Callable[[int], int]

MOST_SHARED = 4
NO_REASON = "No single reason stands out."

_AGAIN = (
    "You {verb} {item} {times}.",
    "You have {participle} {item} {times}.",
    "{item} is something you {verb} {times}.",
)
_AGAIN_IT = ("You {verb} this item {times} before.", "You have {participle} it {times}.")
_LIKE = (
    "It {has}, like {other}, which you {verb}.",
    "Like {other}, which you {verb}, it {has}.",
    "You {verb} {other}, and this {has} too.",
    "It shares {named} with {other}, which you {verb}.",
)
_UNNAMED = (
    "It shares {named} with what you {verb}.",
    "It {has}, like what you {verb}.",
    "It has {named} in common with what you {verb}.",
)
_CHOSEN = ("You {verb} {other}.", "You {verb} {other} before.")
_ABOUT = ("It {has}.", "This item {has}.")


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
        f"chosen {_times(int(entry.value))}"
        if entry.attribute == "again"
        else f"{entry.attribute} {entry.value}"
        for entry in _one_an_attribute(shared)
    ]
    return ", ".join(parts[:MOST_SHARED]) or "nothing known"


def plain_sentences(
    catalogue: Catalogue, evidence: Evidence, *, verb: str = "chose", most: int = 2
) -> list[str]:
    """True sentences that give the evidence, the strongest reason first.

    The wording varies from item to item and is always the same for one item and its evidence.
    Without evidence the sentence is about the item alone, and where nothing about it can be said
    it is ``NO_REASON``.

    :param verb: what the person did with the items of the history, one of ``VERBS``.
    """
    sentences = list(candidates(catalogue, evidence, verb=verb))
    return sentences[:most] or [NO_REASON]


def candidates(catalogue: Catalogue, evidence: Evidence, *, verb: str = "chose") -> Iterator[str]:
    """Every plain sentence that the evidence gives, the strongest reason first."""
    writer = Writer(facts_of(catalogue), verb, _pick_for(catalogue.item_ids[evidence.item]))
    item, events, shared = evidence.item, evidence.events, evidence.shared
    said = False
    for event in events:
        if event.item == item:
            yield from writer.again(item, event, recency=True)
            said = True
    telling = writer.telling(shared)
    for entry in telling:
        yield from writer.alike(entry)
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
) -> ReferenceExplanation:
    """An explanation made from records alone, for the model to learn from; every fact is true.

    Its evidence is those items of the history that share most with ``item``, newer ones first
    among equals; without any in common, the newest. The text says only what the prompt of an
    explanation shows: the items of the evidence and ``shared_text``.

    :param history_rows: catalogue rows of the history, oldest first, without the event explained.
    """
    facts = facts_of(catalogue)
    writer = Writer(facts, verb, lambda n: int(rng.integers(n)))
    history = np.asarray(history_rows, dtype=np.int64)
    rows = _most_alike(facts, history, item, most=1 + int(rng.integers(most)))
    times = int((history == item).sum())
    shared = facts.shared(item, rows, times=times)
    sentences = list(_reference(writer, item, rows, shared, times))
    text = " ".join(sentences[: 1 + int(rng.integers(2))]) or NO_REASON
    return ReferenceExplanation(rows, shared_text(shared), text)


def _reference(
    writer: Writer, item: int, rows: list[int], shared: Sequence[Shared], times: int
) -> Iterator[str]:
    if times:
        yield from writer.again(item, EvidenceEvent(0, item, 0.0, times))
    telling = writer.telling(shared)
    for entry in telling:
        yield from writer.alike(entry, named=writer.pick(2) == 0)
    if not telling and not times:
        for row in rows:
            yield from writer.chosen(row)
        yield from writer.about(item)


@dataclass(frozen=True)
class Writer:
    """Words facts; ``pick(n)`` chooses among ``n`` phrasings."""

    facts: ItemFacts
    verb: str
    pick: Pick

    def telling(self, shared: Sequence[Shared]) -> list[Shared]:
        """The most telling fact of each attribute, without those that most items have."""
        return [entry for entry in _one_an_attribute(shared) if self.facts.is_telling(entry)]

    def again(self, item: int, event: EvidenceEvent, *, recency: bool = False) -> Iterator[str]:
        """How often the person chose the item itself, and how long ago."""
        label = self.facts.label(item)
        times = _times(event.count)
        if recency and event.count > 1:
            times += f", most recently {event.ago} {'event' if event.ago == 1 else 'events'} ago"
        yield self._say(_AGAIN if label else _AGAIN_IT, item=label, times=times)

    def alike(self, shared: Shared, *, named: bool = True) -> Iterator[str]:
        """One attribute that the item shares with one item of the history."""
        labels = [label for label in map(self.facts.label, shared.items) if label]
        parts = {
            "has": _has(shared.attribute, shared.value),
            "named": f"the {shared.attribute} {shared.value}",
        }
        if named and labels:
            yield self._say(_LIKE, other=labels[0], **parts)
        else:
            yield self._say(_UNNAMED, **parts)

    def chosen(self, row: int) -> Iterator[str]:
        """That the person chose an item."""
        label = self.facts.label(row)
        if label:
            yield self._say(_CHOSEN, other=label)

    def about(self, item: int) -> Iterator[str]:
        """Something of the item's own record."""
        for fact in self.facts.of(item)[:1]:
            yield self._say(_ABOUT, has=_has(self.facts.attributes[fact], self.facts.values[fact]))
        if not self.facts.of(item) and self.facts.label(item):
            yield f"This is {self.facts.label(item)}."

    def _say(self, phrases: Sequence[str], **parts: str) -> str:
        phrase = phrases[self.pick(len(phrases))]
        text = phrase.format(verb=self.verb, participle=VERBS[self.verb], **parts)
        return text[0].upper() + text[1:]


def _has(attribute: str, value: str) -> str:
    if attribute == "category":
        return f"is from the category {value}"
    if attribute == "brand":
        return f"is by {value}"
    return f"has the {attribute} {value}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


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
