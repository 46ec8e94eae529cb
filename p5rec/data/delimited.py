"""Reads CSV: every field stays text, every odd row is set aside with a reason."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv

from p5rec.data.reading import Reading, Unread, refused, whole
from p5rec.data.texts import has_lone_surrogate

LONGEST_HEADER = 2**20
_PIECE = 2**20
_MARK = codecs.BOM_UTF8


def read_csv(file: BinaryIO, name: str, longest_line: int) -> Reading:
    """Read a file with a line of names; comma, semicolon or tab, whichever the names have most.

    Rows with too many or too few fields, or that are not UTF-8, come back as ``unread``. An empty
    field is null. A record may go over several lines if it is quoted.

    :raises DataError: if the line of names can't be read.
    """
    delimiter, header = _header(file.read(LONGEST_HEADER + len(_MARK)), name)
    file.seek(0)
    fine = _is_utf8(file)
    file.seek(0)
    if not fine:
        return _row_by_row(file, name, delimiter)
    odd: list[Unread] = []

    def set_aside(row: Any) -> str:  # noqa: ANN401 (pyarrow exports no type)
        odd.append(_odd(row.number - 1, row.text, row.actual_columns, row.expected_columns))
        return "skip"

    table = pyarrow.csv.read_csv(
        file,
        # Row numbers of odd rows are only known without threads.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=longest_line),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    return whole(name, table, odd)


def _header(start: bytes, name: str) -> tuple[str, list[str]]:
    """The separator and the names."""
    first = re.split(rb"[\r\n]", start.removeprefix(_MARK), maxsplit=1)[0]
    if len(first) >= LONGEST_HEADER:
        raise refused(name, "the first line is longer than 1 MiB", "Expected a line of names.")
    try:
        line = first.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(name, "the first line is not UTF-8 text", "Save it as UTF-8.") from error
    delimiter = max(",;\t", key=lambda mark: (line.count(mark), mark == ","))
    return delimiter, next(csv.reader([line], delimiter=delimiter), [])


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while piece := file.read(_PIECE):
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _row_by_row(file: BinaryIO, name: str, delimiter: str) -> Reading:
    """The same for files with bytes that are not UTF-8, which the fast reader can't tell apart."""
    with io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="") as text:
        header, *rows = filter(None, csv.reader(text, delimiter=delimiter))
    kept: list[list[str | None]] = []
    odd: list[Unread] = []
    for number, row in enumerate(rows, start=1):
        line = delimiter.join(row)
        if has_lone_surrogate(line):
            shown = line.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
            odd.append(Unread(number, shown, "is not UTF-8 text", "Save the file as UTF-8."))
        elif len(row) != len(header):
            odd.append(_odd(number, line, len(row), len(header)))
        else:
            kept.append([field or None for field in row])
    columns = zip(*kept, strict=True) if kept else [[] for _ in header]
    arrays = [pa.array(column, pa.string()) for column in columns]
    return whole(name, pa.table(arrays, names=header), odd)


def _odd(row: int, text: str, fields: int, expected: int) -> Unread:
    fix = "Quote fields that hold the separator, or fill in what is missing."
    return Unread(row, text, f"has {fields} fields; expected {expected}", fix)
