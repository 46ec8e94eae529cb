"""Users and what is known about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from p5rec.data.arrays import blank_to_null, is_plain, strings
from p5rec.data.reading import refused
from p5rec.data.texts import clean


@dataclass(frozen=True, eq=False)
class Users:
    """Attributes of users, all as text; ``table`` has ``user_id`` and one column an attribute.

    >>> Users.from_table(pa.table({"user_id": ["u"], "age": [44]})).attributes("u")
    {'age': '44'}
    """

    table: pa.Table
    notes: tuple[str, ...] = ()

    @classmethod
    def from_table(cls, table: pa.Table, *, notes: Sequence[str] = ()) -> Users:
        """Users of a table with a ``user_id`` column.

        A column that is neither text, numbers, truth values nor times is left out with a note.

        :raises DataError: if ``user_id`` is missing.
        """
        if "user_id" not in table.column_names:
            raise refused("users", "column 'user_id' is missing", "Map it with columns=.")
        told = list(notes)
        columns = {"user_id": strings(table["user_id"])}
        for name in table.column_names:
            column = table[name]
            if not is_plain(column.type):
                told.append(f"column {name!r} was left out: {column.type} is no attribute")
            elif name != "user_id":
                text = strings(column)
                columns[name] = blank_to_null(clean(text)[0])
        return cls(pa.table(columns), tuple(told))

    def __len__(self) -> int:
        """How many users there are."""
        return int(self.table.num_rows)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {user: row for row, user in enumerate(self.table["user_id"].to_pylist())}

    def attributes(self, user_id: str) -> dict[str, str]:
        """What is known about a user; nothing about one that is not known."""
        row = self._rows.get(user_id)
        if row is None:
            return {}
        record: dict[str, str | None] = self.table.slice(row, 1).to_pylist()[0]
        return {k: v for k, v in record.items() if k != "user_id" and v is not None}
