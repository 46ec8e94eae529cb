"""Reads CSV, JSONL and Parquet files: text stays text, every odd row is set aside with a reason."""

from __future__ import annotations

import gzip
import io
from pathlib import Path

import pyarrow.parquet

from p5rec.data.delimited import read_csv
from p5rec.data.jsonl import read_jsonl
from p5rec.data.reading import Reading, refused, whole

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
    reader = read_csv if kind == "CSV" else read_jsonl
    with source or path.open("rb") as file:
        return reader(file, name, LONGEST_LINE)


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
    if start[:2] in (b"\xff\xfe", b"\xfe\xff") or start[:4096].count(0) > len(start[:4096]) // 8:
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
