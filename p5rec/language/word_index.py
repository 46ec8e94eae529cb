"""Which items have a word, and how well their texts answer words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.language.spelling import Spellings
from p5rec.language.words import words

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
_NONE = np.empty(0, dtype=np.int64)

SATURATION, LENGTH = 1.5, 0.75
"""BM25's k1 and b."""
MOST_READ = 5_000
"""Rows whose words are looked at one after the other to find a phrase."""


class WordIndex:
    """The rows of the catalogue that have each word.

    An item's words are those of its text and of all its categories; descriptions are left out.
    Building takes about a second for 30,000 items and waits for the first question.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.n_items = len(catalogue)
        self._catalogue = catalogue

    def __contains__(self, word: str) -> bool:
        return word in self._postings.numbers

    def rows(self, word: str) -> IntArray:
        """The rows that have a comparable word, ascending."""
        return self._postings.of(word)[0]

    def rows_with_all(self, wanted: Sequence[str]) -> IntArray:
        """The rows that have every one of the words, ascending; none for no words."""
        found: IntArray | None = None
        for rows in sorted(map(self.rows, wanted), key=len):
            found = rows if found is None else np.intersect1d(found, rows, assume_unique=True)
        return _NONE if found is None else found

    def rows_with_phrase(self, phrase: Sequence[str]) -> IntArray:
        """The rows that have the words side by side in this order, ascending.

        Looks at the first 5,000 rows that have all of the words.
        """
        rows = self.rows_with_all(phrase)
        if len(phrase) < 2:
            return rows
        said = list(phrase)
        starts = range(len(said))
        found = [
            row
            for row in rows[:MOST_READ].tolist()
            if any(
                own[at : at + len(starts)] == said
                for own in (words(part) for part in self._parts(row))
                for at in range(len(own) - len(starts) + 1)
            )
        ]
        return np.array(found, dtype=np.int64)

    def scores(self, asked: Mapping[str, float]) -> FloatArray:
        """How well each item's text answers weighted words: BM25 (Robertson et al., 1994).

        A phrase of several words counts as one word of the items that have all of them.

        :return: ``float64[n_items]``, 0 where an item has none of the words.
        """
        found = np.zeros(self.n_items)
        for said, weight in asked.items():
            rows, scores = self._answers(said.split())
            found[rows] += weight * scores
        return found

    def _answers(self, phrase: Sequence[str]) -> tuple[IntArray, FloatArray]:
        """The rows that have all the words of a phrase, and their mean score there."""
        if len(phrase) == 1:
            return self._postings.of(phrase[0])
        rows = self.rows_with_all(phrase)
        found = np.zeros(len(rows))
        for word in phrase:
            own, scores = self._postings.of(word)
            found += scores[np.searchsorted(own, rows)] / len(phrase)
        return rows, found

    def best_score(self, word: str) -> float:
        """The most that a word adds to the score of an item."""
        return float(self._postings.of(word)[1].max(initial=0.0))

    def spelt_like(self, word: str) -> dict[str, float]:
        """What a word that no item has may stand for, each with its likeness.

        Words of items, or phrases of two of them; :class:`Spellings` tells which.

        >>> import pyarrow as pa
        >>> titles = ["Strawberry jam", "Blueberry jam", "Rye bread"]
        >>> table = pa.table({"item_id": ["a", "b", "c"], "title": titles})
        >>> list(WordIndex(Catalogue.from_table(table)).spelt_like("strawbery"))
        ['strawberry']
        """
        return self._spellings.like(word)

    def _parts(self, row: int) -> Iterator[str]:
        """The texts of an item, apart, so that no phrase reaches from one into the next."""
        for value in self._catalogue.record(row).values():
            if isinstance(value, str):
                yield value
            elif isinstance(value, list):
                yield from (part for part in value if isinstance(part, str))

    @cached_property
    def _postings(self) -> _Postings:
        present = self._catalogue.table.column_names
        empty: list[None] = [None] * self.n_items
        paths = self._catalogue.column("categories") if "categories" in present else empty
        texts = zip(self._catalogue.texts, paths, strict=True)
        return _Postings(
            Counter(words(" ".join([text, *(part or "" for part in (path or ())[:-2])])))
            for text, path in texts
        )

    @cached_property
    def _spellings(self) -> Spellings:
        return Spellings(self._postings.numbers)


class _Postings:
    """The rows of each word and the word's BM25 score there, one word after the other."""

    def __init__(self, counted: Iterable[Counter[str]]) -> None:
        self.numbers: dict[str, int] = {}
        found: list[int] = []
        times: list[int] = []
        sizes: list[int] = []
        lengths: list[int] = []
        for counts in counted:
            found += [self.numbers.setdefault(word, len(self.numbers)) for word in counts]
            times += counts.values()
            sizes.append(len(counts))
            lengths.append(counts.total())
        word = np.array(found, dtype=np.int64)
        order = np.argsort(word, kind="stable")
        rows = np.repeat(np.arange(len(sizes)), sizes)[order].astype(np.int64)
        offsets = np.searchsorted(word[order], np.arange(len(self.numbers) + 1))
        self._rows, self._offsets = rows, offsets.astype(np.int64)
        length = np.array(lengths, dtype=np.float64)
        length /= max(float(length.mean()) if len(length) else 0.0, 1e-9)
        count = np.array(times, dtype=np.float64)[order]
        having = np.diff(self._offsets)
        rarity = np.repeat(_rarity(len(sizes), having), having)
        slack = SATURATION * (1 - LENGTH + LENGTH * length[rows])
        self._scores = rarity * count / (count + slack)

    def of(self, word: str) -> tuple[IntArray, FloatArray]:
        """The rows that have a word, ascending, and its score there."""
        number = self.numbers.get(word)
        if number is None:
            return _NONE, np.empty(0)
        span = slice(self._offsets[number], self._offsets[number + 1])
        return self._rows[span], self._scores[span]


def _rarity(n_items: int, having: IntArray | int) -> FloatArray:
    """BM25's inverse document frequency."""
    return np.asarray(np.log1p((n_items - having + 0.5) / (np.asarray(having) + 0.5)))
