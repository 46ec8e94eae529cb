"""Finds what a sentence mentions: values of the catalogue, other words of it, and grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.arrays import ragged
from p5rec.data.catalogue import Catalogue
from p5rec.language.facts import ItemFacts, facts_of
from p5rec.language.vocabulary import FUNCTION_WORDS, ROLES
from p5rec.language.words import Token, tokens, words

IntArray = NDArray[np.int64]

_BOUNDARY = re.compile(r"[“”]|[.!?…]\s")
_ODD = re.compile(r"[^\s\w,;:.!?…()'’“”\"\-–—/&%+$€£]|_")


@dataclass(frozen=True, slots=True)
class Mention:
    """A stretch of a sentence.

    ``kind``: ``value`` (all the words of an attribute value or name of some item), ``words``
    (other words of the catalogue, and numbers), ``grammar`` (a word of the closed vocabulary) or
    ``unknown``. ``key`` is its comparable words; ``before`` what stands between it and the last.
    """

    kind: str
    key: str
    start: int
    end: int
    before: str


class Values:
    """Everything that the items of a catalogue can be said to be, by comparable words."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.facts: ItemFacts = facts_of(catalogue)
        self.of_key: dict[str, list[int]] = {}
        for fact, value in enumerate(self.facts.values):
            self.of_key.setdefault(" ".join(words(value)), []).append(fact)
        self.keys = [" ".join(words(value)) for value in self.facts.values]
        self.names: dict[str, int] = {"": 0}
        labels = [" ".join(words(self.facts.label(row))) for row in range(len(catalogue))]
        self.name_of_row: IntArray = np.array(
            [self.names.setdefault(label, len(self.names)) for label in labels], dtype=np.int64
        )
        self.attributes = self._attributes()
        self._grammar = FUNCTION_WORDS.union(
            word for name in set(self.attributes.values()) for word in words(name)
        )
        self._known: set[str] = set()
        self._longest: dict[str, int] = {}
        for key in (*self.of_key, *self.names):
            parts = key.split()
            self._known.update(parts)
            if parts and not FUNCTION_WORDS.issuperset(parts):
                self._longest[parts[0]] = max(self._longest.get(parts[0], 0), len(parts))

    def text(self, row: int) -> str:
        """The comparable words of an item's name and values, each between bars."""
        parts = [" ".join(words(self.facts.label(row)))]
        parts += [self.keys[fact] for fact in self.facts.of(row)]
        return f" {' | '.join(parts)} "

    def having(self, key: str, role: str | None, rows: IntArray) -> NDArray[np.bool_]:
        """Which rows have ``key`` as a whole value of the attribute ``role``, ``bool[rows]``.

        :param role: None asks for a value of any attribute, or the item's name.
        """
        facts = self.facts
        wanted = [
            fact for fact in self.of_key.get(key, ()) if role in (None, facts.attributes[fact])
        ]
        sizes = facts.offsets[rows + 1] - facts.offsets[rows]
        hits = np.isin(facts.facts[ragged(facts.offsets[rows], sizes)], wanted)
        sums, ends = np.concatenate([[0], np.cumsum(hits)]), np.cumsum(sizes)
        found: NDArray[np.bool_] = sums[ends] > sums[ends - sizes]
        name = self.names.get(key)
        if role is None and name is not None:
            found = found | (self.name_of_row[rows] == name)
        return found

    def mentions(self, sentence: str) -> list[Mention]:
        """The sentence taken apart, the longest known value first at each place."""
        found = list(tokens(sentence))
        return list(self._mentions(sentence, found))

    def _mentions(self, sentence: str, found: list[Token]) -> Iterator[Mention]:
        at = end = 0
        while at < len(found):
            size = self._match(sentence, found, at)
            kind, size = ("value", size) if size else (self._kind(found[at].word), 1)
            key = " ".join(token.word for token in found[at : at + size])
            first, last = found[at], found[at + size - 1]
            yield Mention(kind, key, first.start, last.end, sentence[end : first.start])
            at, end = at + size, last.end

    def _match(self, sentence: str, found: list[Token], at: int) -> int:
        """How many words the longest value has that begins here; 0 for none."""
        room = 1
        limit = min(self._longest.get(found[at].word, 0), len(found) - at)
        while room < limit and not _BOUNDARY.search(
            sentence[found[at + room - 1].end : found[at + room].start]
        ):
            room += 1
        for size in range(min(room, limit), 0, -1):
            parts = [token.word for token in found[at : at + size]]
            key = " ".join(parts)
            if (key in self.of_key or key in self.names) and not FUNCTION_WORDS.issuperset(parts):
                return 0 if size == 1 and key[0].isdigit() else size
        return 0

    def _kind(self, word: str) -> str:
        if word in self._grammar:
            return "grammar"
        return "words" if word in self._known or word[0].isdigit() else "unknown"

    def _attributes(self) -> dict[str, str]:
        """The word that stands for each attribute: of a name of several words the last."""
        named = {words(name)[-1]: name for name in dict.fromkeys(self.facts.attributes)}
        return {word: name for word, name in named.items() if word not in FUNCTION_WORDS} | ROLES


def is_odd(between: str) -> bool:
    """Whether what stands between words is more than punctuation, such as markup.

    >>> is_odd(", "), is_odd(" </"), is_odd("{")
    (False, True, True)
    """
    return _ODD.search(between) is not None
