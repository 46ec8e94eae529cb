"""Which items have a word, how well their texts answer words, and how words are spelt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from p5rec.data.catalogue import Catalogue
from p5rec.language.words import words

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
_NONE = np.empty(0, dtype=np.int64)

SATURATION, LENGTH = 1.5, 0.75
"""BM25's k1 and b."""
ALIKE = 0.5
"""Least cosine of the letters of two words that may be one, misspelt."""
SPELLINGS = 3
SHORTEST_MISSPELT = 4
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
        self._spelt: dict[str, dict[str, float]] = {}

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

        :return: ``float64[n_items]``, 0 where an item has none of the words.
        """
        found = np.zeros(self.n_items)
        for word, weight in asked.items():
            rows, scores = self._postings.of(word)
            found[rows] += weight * scores
        return found

    def spelt_like(self, word: str) -> dict[str, float]:
        """Words of items that are spelt much like one that no item has, each with its likeness.

        Likeness is the cosine of the letter pairs and triples that two words have, from 0.5 to 1;
        at most three words.

        >>> import pyarrow as pa
        >>> titles = ["Strawberry jam", "Blueberry jam", "Rye bread"]
        >>> table = pa.table({"item_id": ["a", "b", "c"], "title": titles})
        >>> list(WordIndex(Catalogue.from_table(table)).spelt_like("strawbery"))
        ['strawberry']
        """
        if len(word) < SHORTEST_MISSPELT or not word.isalpha() or not self._postings.numbers:
            return {}
        if word not in self._spelt:
            spelling, letters, known = self._spellings
            likeness = (letters @ spelling.transform([word]).T).toarray().ravel()
            best = np.argsort(-likeness, kind="stable")[:SPELLINGS].tolist()
            self._spelt[word] = {
                known[place]: float(likeness[place]) for place in best if likeness[place] >= ALIKE
            }
        return self._spelt[word]

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
    def _spellings(self) -> tuple[TfidfVectorizer, csr_matrix, list[str]]:
        known = [word for word in self._postings.numbers if len(word) >= SHORTEST_MISSPELT]
        vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3))
        return vectorizer, vectorizer.fit_transform(known or ["none"]), known


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
