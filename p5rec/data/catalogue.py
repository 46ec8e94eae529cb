"""The catalogue: every item that may be recommended, with its attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from p5rec.data.arrays import Ints, blank_to_null, is_list, is_number, is_plain, is_text, strings
from p5rec.data.texts import clean, fit_to_show
from p5rec.errors import DataError, Problem

CANONICAL = ("item_id", "title", "brand", "categories", "variant", "description", "price")
LONGEST_NAME = 80


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Items and their attributes, one row an item; the row number is the item everywhere else.

    ``table`` holds ``item_id`` (unique text) and any of ``title``, ``brand``, ``categories``
    (list of text, root first), ``variant``, ``description``, ``price`` (float) and further
    attributes (text, numbers, truth values). Build it with ``from_table`` or ``load_catalogue``.
    ``notes`` says what was changed on the way in.

    >>> shop = Catalogue.from_table(pa.table({"item_id": ["m1"], "title": ["Oat milk"]}))
    >>> len(shop), shop.item_ids, shop.record(0), shop.rows_of(["m1", "m2"]).tolist()
    (1, ['m1'], {'title': 'Oat milk'}, [0, -1])
    """

    table: pa.Table
    notes: tuple[str, ...] = ()

    @classmethod
    def from_table(cls, table: pa.Table, *, notes: Sequence[str] = ()) -> Catalogue:
        """The catalogue of a table with canonical column names; any but ``item_id`` may be missing.

        Control characters, bidi controls and zero-width characters are taken out of texts, texts
        are cut at 10,000 characters, empty ones become null, and a column that can't be an
        attribute (nested, bytes) is left out: ``notes`` says how many and which.

        :raises DataError: if ``item_id`` is missing, null, empty or given twice.
        """
        if "item_id" not in table.column_names:
            raise _refused("the item_id column is missing", "Name it, or map it with columns=.")
        further = [name for name in table.column_names if name not in CANONICAL]
        columns: dict[str, pa.ChunkedArray] = {}
        told = list(notes)
        for name in [*(name for name in CANONICAL if name in table.column_names), *further]:
            column = _attribute(name, table[name])
            if column is None:
                told.append(f"column {name!r} was left out: {table[name].type} is no attribute")
                continue
            if is_text(column.type) and name != "item_id":
                column = blank_to_null(fit_to_show(name, column, told))
            columns[name] = column
        _check_ids(columns["item_id"])
        return cls(pa.table(columns), tuple(told))

    def __len__(self) -> int:
        """How many items there are."""
        return int(self.table.num_rows)

    @cached_property
    def item_ids(self) -> list[str]:
        """The caller's own item ids, by row."""
        ids: list[str] = self.table["item_id"].to_pylist()
        return ids

    def rows_of(self, item_ids: Sequence[str] | pa.ChunkedArray) -> Ints:
        """The row of each item id, -1 where the catalogue does not have it."""
        if isinstance(item_ids, pa.ChunkedArray):
            found = pc.index_in(item_ids, value_set=self.table["item_id"].combine_chunks())
            return np.asarray(found.fill_null(-1)).astype(np.int64)
        find = self._rows.get
        return np.fromiter((find(i, -1) for i in item_ids), dtype=np.int64, count=len(item_ids))

    def column(self, name: str) -> list[Any]:
        """The values of one column, by row; null is None.

        :raises DataError: if there is no such column.
        """
        if name not in self._lists:
            known = ", ".join(self.table.column_names)
            raise _refused(f"the catalogue has no column {name!r}", f"It has: {known}.")
        return self._lists[name]

    def record(self, row: int) -> dict[str, Any]:
        """What is known about an item: its attributes that are not null, without ``item_id``."""
        return {
            name: values[row]
            for name, values in self._lists.items()
            if name != "item_id" and values[row] is not None
        }

    def name(self, row: int) -> str:
        """A short label for people: the title, else last category, brand and variant.

        An item without any of them is called by its id. Cut at 80 characters.
        """
        record = self.record(row)
        parts = [record.get("title")]
        if parts[0] is None:
            parts = [_last(record), record.get("brand"), record.get("variant")]
        words = ", ".join(part for part in parts if part) or self.item_ids[row]
        return words if len(words) <= LONGEST_NAME else words[: LONGEST_NAME - 1].rstrip() + "…"

    def text(self, row: int) -> str:
        """What a person would read about an item, on one line, as written.

        Title, brand, the last two categories, variant, then further text attributes; a part that
        says the same as an earlier one is left out. ``description`` and numbers are not part of
        it. The id, which says nothing, is never part of it, so an item without any text is "".
        """
        return self.texts[row]

    @cached_property
    def texts(self) -> list[str]:
        """``text`` of every row."""
        return [self._text(row) for row in range(len(self))]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def _lists(self) -> dict[str, list[Any]]:
        return {name: self.table[name].to_pylist() for name in self.table.column_names}

    def _text(self, row: int) -> str:
        record = self.record(row)
        categories = record.get("categories") or []
        parts = [record.get("title"), record.get("brand"), *reversed(categories[-2:])]
        parts.append(record.get("variant"))
        parts += [v for k, v in record.items() if k not in CANONICAL and isinstance(v, str)]
        unlike: dict[str, str] = {}
        for part in parts:
            if part:
                unlike.setdefault(part.casefold(), " ".join(part.split()))
        return ", ".join(unlike.values())


def _attribute(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column in the type that a catalogue keeps, or None where it has none."""
    kind = column.type
    if name == "categories" and (is_list(kind) or is_text(kind) or pa.types.is_null(kind)):
        return _paths(column)
    if name == "price" and (is_number(kind) or pa.types.is_null(kind)):
        return column.cast(pa.float64())
    if name in CANONICAL:
        return strings(column) if is_plain(kind) else None
    if is_number(kind) or pa.types.is_boolean(kind):
        return column
    if is_plain(kind):
        return strings(column)
    if is_list(kind) and is_text(kind.value_type):
        return pc.binary_join(column.cast(pa.list_(pa.string())), ", ")
    return None


def _paths(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Category paths as lists of text without empty entries; a path of nothing is null."""
    if not is_list(column.type):
        column = pc.split_pattern_regex(strings(column), r"\s+>\s+|\s*\|\s*")
    paths = column.cast(pa.list_(pa.string())).to_pylist()
    distinct = list(dict.fromkeys(word for path in paths for word in path or () if word))
    shown, _, _ = clean(pa.chunked_array([pa.array(distinct, pa.string())]))
    fit = {word: text.strip() for word, text in zip(distinct, shown.to_pylist(), strict=True)}
    kept = [[fit[word] for word in path or () if word and fit[word]] or None for path in paths]
    return pa.chunked_array([pa.array(kept, pa.list_(pa.string()))])


def _check_ids(ids: pa.ChunkedArray) -> None:
    if ids.null_count:
        row = pc.index(pc.is_null(ids), pa.scalar(True)).as_py() + 1
        raise _refused("an item has no item_id", "Give every item an id.", row=row)
    counts = pc.value_counts(ids.combine_chunks())
    twice = counts.field("values").filter(pc.greater(counts.field("counts"), 1))
    if len(twice):
        value = twice[0].as_py()
        raise _refused("an item_id is given twice", "Keep one row an item.", value=value)


def _refused(
    message: str, fix: str, *, row: int | None = None, value: str | None = None
) -> DataError:
    return DataError([Problem("catalogue", message, fix, row, "item_id", value)])


def _last(record: dict[str, Any]) -> str | None:
    categories: list[str] = record.get("categories") or []
    return categories[-1] if categories else None
