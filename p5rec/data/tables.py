"""Brings any source of rows to one Arrow table; no other library's error gets past here."""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa

from p5rec.data.arrays import is_text, usual
from p5rec.data.files import read_file
from p5rec.data.reading import Reading, Unread, refused, whole
from p5rec.data.texts import undecodable
from p5rec.errors import DataError, Problem
from p5rec.hints import did_you_mean

Source = Any
"""A path, or a pandas, polars, pyarrow or Hugging Face table."""

_FOREIGN = (
    *(pa.ArrowException, OSError, ValueError, TypeError, KeyError, EOFError, zlib.error, csv.Error),
    *(OverflowError, NotImplementedError, MemoryError, nw.exceptions.NarwhalsError),
)


def read_table(source: Source, columns: Mapping[str, str] | None = None) -> pa.Table:
    """Read a source into a table with canonical column names.

    :param source: path of a CSV, JSONL (both also ``.gz``) or Parquet file, a pandas or polars
        frame, a pyarrow Table, or a Hugging Face Dataset.
    :param columns: canonical name → the source's own name, for columns that are named otherwise.
    :raises DataError: with every row that can't be read, or what is wrong with the whole source.
    """
    reading = read(source, columns)
    if reading.unread:
        raise DataError([unread_problem(reading.name, entry) for entry in reading.unread])
    return reading.table


def read(source: Source, columns: Mapping[str, str] | None = None) -> Reading:
    """``read_table``, with row numbers, and unreadable rows set aside instead of an error."""
    name = name_of(source)
    try:
        if isinstance(source, str | os.PathLike):
            reading = read_file(Path(source))
        else:
            reading = whole(name, _frame(source, name))
        return _renamed(_valid(reading), dict(columns or {}))
    except DataError:
        raise
    except _FOREIGN as error:
        told = " ".join(str(error).split())[:300] or type(error).__name__
        fix = "Expected a whole CSV, JSONL or Parquet file, or a table with one type a column."
        raise refused(name, f"can't be read: {told}", fix) from error


def name_of(source: Source) -> str:
    """What to call a source in messages: its path, or its type."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(str(source))
    kind = type(source)
    return f"{kind.__module__.partition('.')[0]} {kind.__name__}"


def unread_problem(name: str, entry: Any) -> Problem:  # noqa: ANN401 (an Unread)
    """The problem that an unreadable row is."""
    return Problem(name, entry.message, entry.fix, entry.row, None, entry.text[:80])


def _frame(source: Source, name: str) -> pa.Table:
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if type(source).__module__.partition(".")[0] == "datasets":
        return _dataset(source, name)
    try:
        frame = nw.from_native(source)
    except TypeError as error:
        fix = "Expected a path, or a pandas, polars, pyarrow or Hugging Face table."
        raise refused(name, f"a {type(source).__name__} is no table", fix) from error
    frame = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    table = frame.to_arrow()
    return table.select([c for c in table.column_names if not c.startswith("__index_level_")])


def _dataset(source: Source, name: str) -> pa.Table:
    """A Hugging Face Dataset; through its own reader, since a filtered one maps its rows."""
    if not hasattr(source, "with_format") or not hasattr(source, "num_rows"):
        raise refused(name, "has no rows to read at once", "Load it without streaming.")
    if isinstance(source, Mapping):
        raise refused(name, "holds several splits", f"Choose one: {', '.join(source)}.")
    return source.with_format("arrow")[:]


def _valid(reading: Reading) -> Reading:
    """The reading without rows whose text is not UTF-8, which Arrow itself does not notice."""
    twice = sorted(
        {n for n in reading.table.column_names if reading.table.column_names.count(n) > 1}
    )
    if twice:
        problems = [
            Problem(reading.name, "two columns have one name", "Rename or remove one.", column=name)
            for name in twice
        ]
        raise DataError(problems)
    wrong: dict[int, str] = {}
    for column in reading.table.column_names:
        values = reading.table[column]
        if is_text(values.type) and not pa.types.is_dictionary(values.type):
            try:
                values.validate(full=True)
            except pa.ArrowInvalid:
                wrong |= dict.fromkeys(undecodable(values.cast(pa.binary()).to_pylist()), column)
    if not wrong:
        return reading
    texts = reading.table
    for column in {*wrong.values()}:
        index = texts.column_names.index(column)
        readable = [
            value and value.decode("utf-8", "backslashreplace")
            for value in texts[column].cast(pa.binary()).to_pylist()
        ]
        texts = texts.set_column(index, column, pa.array(readable, pa.string()))
    return _without(Reading(reading.name, texts, reading.numbers, reading.unread), wrong)


def _without(reading: Reading, wrong: dict[int, str]) -> Reading:
    """The reading with some rows set aside because a column is not UTF-8."""
    unread = [
        Unread(
            int(reading.numbers[row]),
            str(list(reading.table.slice(row, 1).to_pylist()[0].values())),
            f"column {column!r} is not UTF-8 text",
            "Save the file as UTF-8.",
        )
        for row, column in wrong.items()
    ]
    left = [row for row in range(reading.table.num_rows) if row not in wrong]
    every = sorted([*reading.unread, *unread], key=lambda entry: entry.row)
    table = reading.table.take(pa.array(left, pa.int64()))
    return Reading(reading.name, table, reading.numbers[left], tuple(every), reading.given)


def _renamed(reading: Reading, columns: dict[str, str]) -> Reading:
    """The reading under canonical names; a mapped column hides one of the canonical name."""
    names = reading.table.column_names
    problems = []
    for canonical, given in columns.items():
        if given not in names:
            has = f"It has: {', '.join(names) or 'no column'}.{did_you_mean(given, names)}"
            message = f"there is no column {given!r} to be {canonical!r}"
            problems.append(Problem(reading.name, message, has, column=given))
    if problems:
        raise DataError(problems)
    hidden = {*columns.values(), *columns}
    chosen = {name: name for name in names if name not in hidden} | columns
    table = pa.table({new: usual(reading.table[old]) for new, old in chosen.items()})
    if not chosen:
        table = reading.table.select([])
    return Reading(reading.name, table, reading.numbers, reading.unread, columns)
