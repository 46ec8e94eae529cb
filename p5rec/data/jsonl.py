"""Reads JSON lines: quickly where all lines agree, line by line where they do not."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.json

from p5rec.data.arrays import is_list
from p5rec.data.reading import Reading, Unread, refused, whole
from p5rec.data.texts import has_lone_surrogate

_FIX = "Write one JSON object a line."


def read_jsonl(file: BinaryIO, name: str, longest_line: int) -> Reading:
    """Read one object a line; lines that are none come back as ``unread``.

    A column that holds text in one line and numbers in another becomes text.

    :raises DataError: if a line is longer than ``longest_line`` bytes.
    """
    try:
        table = _quickly(file, longest_line)
        table.validate(full=True)
        return whole(name, table)
    except (pa.ArrowException, UnicodeError, ValueError):
        file.seek(0)
        return _line_by_line(file, name, longest_line)


def _quickly(file: BinaryIO, longest_line: int) -> pa.Table:
    options = pyarrow.json.ReadOptions(block_size=longest_line)
    table = pyarrow.json.read_json(file, read_options=options)
    # Arrow takes text that looks like a time for one, also in ids and titles: ask for text there.
    fields = [
        pa.field(field.name, _as_text(field.type))
        for field in table.schema
        if _as_text(field.type) != field.type
    ]
    if not fields:
        return table
    file.seek(0)
    parsing = pyarrow.json.ParseOptions(explicit_schema=pa.schema(fields))
    again = pyarrow.json.read_json(file, read_options=options, parse_options=parsing)
    return again.select(table.column_names)


def _as_text(kind: pa.DataType) -> pa.DataType:
    if is_list(kind):
        return pa.list_(_as_text(kind.value_type))
    return pa.string() if pa.types.is_temporal(kind) else kind


def _line_by_line(file: BinaryIO, name: str, longest_line: int) -> Reading:
    records: list[dict[str, Any]] = []
    unread: list[Unread] = []
    row = 0
    while line := file.readline(longest_line + 1):
        if len(line) > longest_line:
            limit = f"{longest_line // 2**20} MiB"
            raise refused(name, f"row {row + 1} is longer than {limit}", "Split or shorten it.")
        line = line.strip().removeprefix(b"\xef\xbb\xbf")
        if not line:
            continue
        row += 1
        record, message = _record(line)
        if message:
            unread.append(Unread(row, line.decode("utf-8", "backslashreplace"), message, _FIX))
        else:
            records.append(record)
    names = list(dict.fromkeys(key for record in records for key in record))
    columns = {key: _column([record.get(key) for record in records]) for key in names}
    return whole(name, pa.table(columns), unread)


def _record(line: bytes) -> tuple[dict[str, Any], str]:
    """The object on a line and "", or nothing and what is wrong with the line."""
    try:
        text = line.decode("utf-8")
        pairs = json.loads(text, object_pairs_hook=list)
        # Only now: a list of pairs, as in [["a", 1]], must not pass for an object.
        record = json.loads(text)
    except UnicodeDecodeError:
        return {}, "is not UTF-8 text"
    except (ValueError, RecursionError):
        return {}, "is not JSON"
    if not isinstance(record, dict):
        return {}, "is not a JSON object"
    if len(pairs) != len(record):
        return {}, "names a field twice"
    if has_lone_surrogate(json.dumps(record, ensure_ascii=False)):
        return {}, "holds half a surrogate pair"
    return record, ""


def _column(values: list[Any]) -> pa.Array:
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return pa.array([_text(value) for value in values], pa.string())


def _text(value: Any) -> str | None:  # noqa: ANN401 (whatever JSON may hold)
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
