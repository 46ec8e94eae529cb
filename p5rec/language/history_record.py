"""What a person's history says, as the check of sentences asks it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from p5rec.language.explanation import Evidence
from p5rec.language.mentions import Values
from p5rec.language.statements import Part, Phrase

IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

ALSO_NEAR = 256
"""So many of the newest items are looked at for names that were not said in full."""


class HistoryRecord:
    """A history as questions about its distinct items, each answered with ``bool[distinct]``.

    :param rows: catalogue rows of the history, oldest first.
    :param item: the row of the suggested item.
    :param evidence: limits which items count as :attr:`carrying` it; without it, all do.
    """

    def __init__(
        self, values: Values, rows: IntArray, item: int, evidence: Evidence | None
    ) -> None:
        self._values = values
        self._item = item
        self.rows = rows
        self._rows, newest, self._counts = np.unique(
            rows[::-1], return_index=True, return_counts=True
        )
        self._ago = newest + 1
        self.carrying: Mask = np.ones(len(self._rows), dtype=bool)
        if evidence is not None and evidence.events:
            self.carrying = np.isin(self._rows, [event.item for event in evidence.events])

    def naming(self, phrase: Phrase) -> Mask:
        """The items that a phrase can mean."""
        if phrase.itself:
            return np.asarray(self._rows == self._item)
        return self._meant(phrase.parts, self._rows)

    def either(self, parts: list[Part]) -> Mask:
        """The items that the parts can mean, the suggested item put last."""
        return self._meant(parts, np.append(self._rows, self._item))

    def having(self, parts: list[Part]) -> Mask:
        """The items that have every part as a whole value."""
        found: Mask = np.ones(len(self._rows), dtype=bool)
        for part in parts:
            found &= self._values.having(part.key, part.role, self._rows)
        return found

    def others(self, found: Mask) -> Mask:
        """Without the suggested item itself, which shares everything with itself."""
        return np.asarray(found & (self._rows != self._item))

    def is_name(self, phrase: Phrase) -> bool:
        """Whether a phrase is the whole name of an item; several items may have one name."""
        parts = phrase.parts
        return len(parts) == 1 and parts[0].role is None and parts[0].key in self._values.names

    def times(self, found: Mask, one: bool) -> list[int]:
        """How many events the items have together, and with ``one`` each of them as well."""
        counts: list[int] = self._counts[found].tolist()
        return [sum(counts), *(counts if one else ())]

    def ago(self, found: Mask, one: bool) -> list[int]:
        """How many events ago the newest of the items was, and with ``one`` each of them."""
        agos: list[int] = self._ago[found].tolist()
        return agos if one else [min(agos)] if agos else []

    def _meant(self, parts: list[Part], rows: IntArray) -> Mask:
        exact = [self._values.having(part.key, part.role, rows) & part.known for part in parts]
        found: Mask = np.ones(len(rows), dtype=bool) & bool(exact)
        for mask in exact:
            found &= mask
        if found.any() or sum(len(part.key.split()) for part in parts) < 2:
            return found
        return self._near(parts, rows, exact)

    def _near(self, parts: list[Part], rows: IntArray, exact: list[Mask]) -> Mask:
        """Items of whose texts the parts are stretches: names that were not said in full."""
        found = np.zeros(len(rows), dtype=bool)
        fixed = [mask for mask, part in zip(exact, parts, strict=True) if part.role is not None]
        free = [part for part in parts if part.role is None]
        able: Mask = np.ones(len(rows), dtype=bool)
        for mask in fixed:
            able &= mask
        for at in np.flatnonzero(able)[::-1][:ALSO_NEAR].tolist():
            text = self._values.text(int(rows[at]))
            found[at] = all(f" {part.key} " in text for part in free)
        return found
