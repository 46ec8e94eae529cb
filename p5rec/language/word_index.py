"""Which items have a word in their texts, and what they cost."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.language.words import words

IntArray = NDArray[np.int64]
_NONE = np.empty(0, dtype=np.int64)


class WordIndex:
    """The rows of the catalogue that have each word, and their prices.

    An item's words are those of its text and of all its categories; descriptions are left out.
    Building takes about a second for 30,000 items and waits for the first question.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.n_items = len(catalogue)
        self.has_price = "price" in catalogue.table.column_names
        self._catalogue = catalogue

    def __contains__(self, word: str) -> bool:
        return word in self._postings[0]

    def rows(self, word: str) -> IntArray:
        """The rows that have a comparable word, ascending."""
        numbers, offsets, rows = self._postings
        number = numbers.get(word)
        return _NONE if number is None else rows[offsets[number] : offsets[number + 1]]

    def rows_with_all(self, wanted: list[str]) -> IntArray:
        """The rows that have every one of the words, ascending; none for no words."""
        found: IntArray | None = None
        for rows in sorted(map(self.rows, wanted), key=len):
            found = rows if found is None else np.intersect1d(found, rows, assume_unique=True)
        return _NONE if found is None else found

    @cached_property
    def prices(self) -> NDArray[np.float64]:
        """The price of each item, NaN where it is not known."""
        if not self.has_price:
            return np.full(self.n_items, np.nan)
        return np.array(self._catalogue.column("price"), dtype=np.float64)

    @cached_property
    def _postings(self) -> tuple[dict[str, int], IntArray, IntArray]:
        present = self._catalogue.table.column_names
        empty: list[None] = [None] * self.n_items
        paths = self._catalogue.column("categories") if "categories" in present else empty
        numbers: dict[str, int] = {}
        found: list[int] = []
        sizes = []
        for text, path in zip(self._catalogue.texts, paths, strict=True):
            own = set(words(" ".join([text, *(part or "" for part in path or ())])))
            found += [numbers.setdefault(word, len(numbers)) for word in sorted(own)]
            sizes.append(len(own))
        word = np.array(found, dtype=np.int64)
        order = np.argsort(word, kind="stable")
        rows = np.repeat(np.arange(self.n_items), sizes)[order]
        offsets = np.searchsorted(word[order], np.arange(len(numbers) + 1))
        return numbers, offsets.astype(np.int64), rows.astype(np.int64)
