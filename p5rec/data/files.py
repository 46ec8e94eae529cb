"""Reads CSV, JSONL and Parquet files: text stays text, every odd row is set aside with a reason."""

from __future__ import annotations

import csv
import gzip
import io
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from p5rec.data.jsonl import read_jsonl
from p5rec.data.reading import Reading, Unread, refused, whole
from p5rec.data.texts import undecodable

FORMATS = {
    **{".csv": "CSV", ".tsv": "CSV", ".jsonl": "JSONL", ".ndjson": "JSONL", ".json": "JSONL"},
    **{".parquet": "Parquet", ".pq": "Parquet"},
}
LONGEST_LINE = 16 * 2**20
LARGEST_UNPACKED = 2 * 2**30
# A text that shrinks more than this is a bomb, or has nothing to learn from.
LARGEST_RATIO = 200
_BELOW_SUSPICION = 32 * 2**20
_PIECE = 2**20


def read_file(path: Path) -> Reading:
    """Read one file by its ending; ``.csv.gz``, ``.jsonl.gz`` and the like are unpacked.

    :raises DataError: if the file can't be read at all; single bad rows come back as ``unread``.
    """
    name = str(path)
    _check_there(path, name)
    packed = path.suffix.lower() == ".gz"
    ending = (path.with_suffix("") if packed else path).suffix.lower()
    kind = FORMATS.get(ending)
    if kind is None:
        known = ", ".join(FORMATS)
        raise refused(name, f"the ending {ending!r} is not known", f"Known: {known} (or with .gz).")
    with path.open("rb") as file:
        start = file.read(_PIECE)
    if packed and kind != "Parquet":
        if not start.startswith(b"\x1f\x8b"):
            raise refused(name, "is not a gzip file", "Take the .gz off its name.")
        data = _unpack(path, name)
        start, source = data[:_PIECE], io.BytesIO(data)
    else:
        source = None
    _check_start(start, kind, name)
    if kind == "Parquet":
        with pyarrow.parquet.ParquetFile(path) as parquet:
            return whole(name, parquet.read())
    reader = _read_csv if kind == "CSV" else _read_jsonl
    if source is not None:
        return reader(source, start, name)
    with path.open("rb") as file:
        return reader(file, start, name)


def _check_there(path: Path, name: str) -> None:
    if not path.exists():
        raise refused(name, "there is no such file", "Check the path.")
    if not path.is_file():
        raise refused(name, "is not a file", "Name a CSV, JSONL or Parquet file.")
    if path.stat().st_size == 0:
        raise refused(name, "the file is empty", "Expected a header or at least one row.")


def _check_start(start: bytes, kind: str, name: str) -> None:
    """Refuse content that its name does not tell."""
    if not start.strip():
        raise refused(name, "the file is empty", "Expected a header or at least one row.")
    found = "Parquet" if start.startswith(b"PAR1") else None
    if start.startswith(b"\x1f\x8b"):
        found = "gzip"
    if found is None and kind == "Parquet":
        found = "something else"
    if found is not None and found != kind:
        raise refused(name, f"is named as {kind} but holds {found}", "Rename or convert it.")
    if kind == "Parquet":
        return
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in start[:4096]:
        fix = f"Save it as UTF-8, for example: iconv -f UTF-16 -t UTF-8 {name}."
        raise refused(name, "is not UTF-8 text (it looks like UTF-16 or bytes)", fix)
    if kind == "JSONL" and start.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"["):
        fix = f"Write one object a line, for example: jq -c '.[]' {name}."
        raise refused(name, "is one JSON array; expected one JSON object a line", fix)


def _unpack(path: Path, name: str) -> bytes:
    """The unpacked content; refused as soon as it passes the limits."""
    packed_size = path.stat().st_size
    pieces, size = [], 0
    with gzip.open(path, "rb") as file:
        while piece := file.read(_PIECE):
            pieces.append(piece)
            size += len(piece)
            swollen = size > _BELOW_SUSPICION and size > LARGEST_RATIO * packed_size
            if swollen or size > LARGEST_UNPACKED:
                limit = f"{LARGEST_UNPACKED / 2**30:.2g} GiB or {LARGEST_RATIO} times its size"
                raise refused(name, f"unpacks to more than {limit}", "Unpack it yourself first.")
    return b"".join(pieces)


def _read_csv(file: Any, start: bytes, name: str) -> Reading:  # noqa: ANN401 (any binary file)
    delimiter, header = _csv_header(start, name)
    odd: list[Unread] = []

    def set_aside(row: Any) -> str:  # noqa: ANN401 (pyarrow exports no type)
        message = f"has {row.actual_columns} fields; expected {row.expected_columns}"
        fix = "Quote fields that hold the separator, or fill in what is missing."
        odd.append(Unread(row.number - 1, row.text, message, fix))
        return "skip"

    table = pyarrow.csv.read_csv(
        file,
        # Row numbers of odd rows are only known without threads.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=LONGEST_LINE),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=set_aside
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types={column: pa.binary() for column in header},
            strings_can_be_null=True,
            null_values=[""],
        ),
    )
    return _decoded(name, table, odd)


def _csv_header(start: bytes, name: str) -> tuple[str, list[str]]:
    first = re.split(rb"[\r\n]", start.removeprefix(b"\xef\xbb\xbf"), maxsplit=1)[0]
    if len(first) == _PIECE:
        raise refused(name, "the first line is longer than 1 MiB", "Expected a line of names.")
    try:
        line = first.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(name, "the first line is not UTF-8 text", "Save it as UTF-8.") from error
    delimiter = max(",;\t", key=lambda mark: (line.count(mark), mark == ","))
    return delimiter, next(csv.reader([line], delimiter=delimiter))


def _decoded(name: str, table: pa.Table, odd: list[Unread]) -> Reading:
    """Bytes to text; rows that are not UTF-8 are set aside too."""
    reading = whole(name, table, odd)
    wrong: dict[int, str] = {}
    columns = []
    for column, values in zip(table.column_names, table.columns, strict=True):
        try:
            columns.append(values.cast(pa.string()))
        except pa.ArrowInvalid:
            texts = values.to_pylist()
            wrong |= dict.fromkeys(undecodable(texts), column)
            readable = [text and text.decode("utf-8", "replace") for text in texts]
            columns.append(pa.chunked_array([pa.array(readable, pa.string())]))
    text = pa.table(columns, names=table.column_names)
    if not wrong:
        return Reading(name, text, reading.numbers, reading.unread)
    return without(Reading(name, text, reading.numbers, reading.unread), wrong)


def without(reading: Reading, wrong: dict[int, str]) -> Reading:
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


def _read_jsonl(file: Any, start: bytes, name: str) -> Reading:  # noqa: ANN401 (any binary file)
    return read_jsonl(file, name, LONGEST_LINE)
