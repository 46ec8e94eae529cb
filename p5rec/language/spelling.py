"""Which words of a catalogue a word may stand for that none of its items has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

SHORTEST = 4
"""Letters of a word that may be misspelt."""
MOST = 3
"""Words that one may stand for."""
SHORTLIST = 40
"""Words of most letter pairs and triples in common that are looked at."""
SHORTEST_STEM, LONGEST_ENDING = 5, 3
SHORTEST_PART = 3
REMEMBERED = 2**14


class Spellings:
    """The words of a catalogue by their letters.

    A word that is in no text of the catalogue may be one of its words

    - misspelt: with one slip (a letter too many, too few, wrong, or two that changed places) in
      words from five letters on, with two from ten letters on;
    - with another ending of at most three letters after at least five: "whitening", "whitener";
    - written together ("toothbrush", which then stands for the phrase "tooth brush"), or part of
      one that is ("berry" of "strawberry"), where what is left is a word of the catalogue as well.

    The first of these that fits anything decides. That two words have many letters in common says
    nothing by itself: neither "head" nor "sticks" is what "headache" or "lipstick" asks for.

    >>> known = Spellings(["strawberry", "straw", "whitener", "tooth", "brush", "head", "stick"])
    >>> [list(known.like(word)) for word in ("strawbery", "whitening", "toothbrush", "berry")]
    [['strawberry'], ['whitener'], ['tooth brush'], ['strawberry']]
    >>> known.like("headache"), known.like("lipstick")
    ({}, {})
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = frozenset(word for word in known if word.isalpha())
        self._words = sorted(word for word in self._known if len(word) >= SHORTEST)
        self._letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3))
        self._spelt: csr_matrix = self._letters.fit_transform(self._words or ["none"])
        self._remembered = lru_cache(maxsize=REMEMBERED)(self._found)

    def like(self, word: str) -> dict[str, float]:
        """What a word may stand for, each with its likeness up to 1; at most three."""
        if len(word) < SHORTEST or not word.isalpha() or not self._words:
            return {}
        return dict(self._remembered(word))

    def _found(self, word: str) -> dict[str, float]:
        near = self._shortlist(word)
        for found in (_misspelt(word, near), _other_endings(word, near)):
            if found:
                return _best(found)
        return _best(dict(self._together(word, near)))

    def _shortlist(self, word: str) -> list[str]:
        likeness = (self._spelt @ self._letters.transform([word]).T).toarray().ravel()
        best = np.argsort(-likeness, kind="stable")[:SHORTLIST].tolist()
        return [self._words[place] for place in best if likeness[place] > 0]

    def _together(self, word: str, near: list[str]) -> Iterator[tuple[str, float]]:
        """The parts of a word written together, and the words that it is a part of."""
        for at in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
            if self._known.issuperset((word[:at], word[at:])):
                yield f"{word[:at]} {word[at:]}", 1.0
        for other in near:
            rest = _without(other, word)
            if rest in self._known and len(rest) >= SHORTEST_PART:
                yield other, len(word) / len(other)


def slips(one: str, other: str) -> int:
    """How many letters are too many, too few, wrong, or have changed places with the next one.

    The optimal string alignment distance.

    >>> slips("yogurt", "yoghurt"), slips("choclate", "chocolate"), slips("milk", "mikl")
    (1, 1, 1)
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [at]
        for place, wanted in enumerate(other, start=1):
            cost = min(
                before[place] + 1, row[place - 1] + 1, before[place - 1] + (letter != wanted)
            )
            swapped = at > 1 and place > 1 and (one[at - 2], letter) == (wanted, other[place - 2])
            row.append(min(cost, earlier[place - 2] + 1) if swapped else cost)
    return row[-1]


def _misspelt(word: str, near: list[str]) -> dict[str, float]:
    """The words with the fewest slips between, if these are few for their length."""
    found: dict[str, int] = {}
    for other in near:
        longest = max(len(word), len(other))
        if abs(len(word) - len(other)) <= longest // 5:
            number = slips(word, other)
            if number <= min(2, longest // 5):
                found[other] = number
    least = min(found.values(), default=0)
    return {
        other: 1 - number / max(len(word), len(other))
        for other, number in found.items()
        if number == least
    }


def _other_endings(word: str, near: list[str]) -> dict[str, float]:
    found = {}
    for other in near:
        stem = 0
        while stem < min(len(word), len(other)) and word[stem] == other[stem]:
            stem += 1
        longest = max(len(word), len(other))
        if stem >= SHORTEST_STEM and longest - stem <= LONGEST_ENDING:
            found[other] = stem / longest
    return found


def _without(other: str, part: str) -> str:
    """What is left of a word without a part at one of its ends; nothing where it is not there."""
    if other.startswith(part):
        return other[len(part) :]
    return other[: -len(part)] if other.endswith(part) else ""


def _best(found: dict[str, float]) -> dict[str, float]:
    return dict(sorted(found.items(), key=lambda one: (-one[1], one[0]))[:MOST])
