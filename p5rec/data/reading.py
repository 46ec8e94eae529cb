"""What came out of a source before anything was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from p5rec.data.arrays import Ints
from p5rec.errors import DataError, Problem


@dataclass(frozen=True)
class Unread:
    """A row of a file that is not a row: what stands there, what is wrong, what to do."""

    row: int
    text: str
    message: str
    fix: str


@dataclass(frozen=True, eq=False)
class Reading:
    """A table as read; ``numbers[i]`` is the row in the source (from 1) of table row ``i``.

    ``given`` maps canonical column names to the source's own, where they differ.
    """

    name: str
    table: pa.Table
    numbers: Ints
    unread: tuple[Unread, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)


def whole(name: str, table: pa.Table, unread: Sequence[Unread] = ()) -> Reading:
    """The reading of a table from whose source the ``unread`` rows are missing."""
    numbers = np.arange(1, table.num_rows + len(unread) + 1)
    numbers = np.delete(numbers, [entry.row - 1 for entry in unread])
    return Reading(name, table, numbers, tuple(unread))


def refused(name: str, message: str, fix: str, *, column: str | None = None) -> DataError:
    """The error for a source that cannot be used at all."""
    return DataError([Problem(name, message, fix, column=column)])
