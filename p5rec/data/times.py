"""Brings timestamps of any usual kind to microseconds since 1970 UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from p5rec.data.arrays import Floats, Ints, is_number, is_text, strings
from p5rec.data.inspection import Inspection
from p5rec.data.values import mask_of, parse_numbers

SECOND = 1_000_000
DAY = 86_400 * SECOND
# Numbers of this size or more count that unit since 1970: the first begins in March 1973, and
# in no unit a time before the year 5138 reaches the next.
UNITS = (("seconds", 1e8, 1e6), ("milliseconds", 1e11, 1e3), ("microseconds", 1e14, 1.0))
_ISO = (
    r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?"
    r"(\s*(Z|z|[+-]\d{2}(:?\d{2})?))?)?$"
)
_ZONE = r":\d{2}.*(Z|z|[+-]\d{2}(:?\d{2})?)$"
_NO_TIME, _PLAIN, _ZONED, _NUMBER = 0, 1, 2, 3
_NAMES = {_PLAIN: "times without a zone", _ZONED: "times with a zone", _NUMBER: "numbers"}
_FIX = "Write times like 2026-11-21T09:30:00, or seconds or milliseconds since 1970."


def times(inspection: Inspection, name: str) -> pa.ChunkedArray | None:
    """A column as ``timestamp[us]`` in UTC; None where it can't be one.

    Takes Arrow times and dates, ISO 8601 text, and seconds or milliseconds since 1970 as numbers
    or text. Faults: missing, not a time, zero or earlier, in the future, and rows of another
    kind than most (with a zone among times without). Numbers in two units refuse the input.
    """
    column = inspection.reading.table[name]
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        finer = getattr(kind, "unit", "") == "ns"
        found = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=not finer)
        micros = found.cast(pa.int64()).fill_null(0).to_numpy().copy()
        known = mask_of(pc.is_valid(column))
    elif is_text(kind):
        micros, known = _from_text(inspection, name, strings(column))
    elif is_number(kind) or pa.types.is_null(kind):
        values = parse_numbers(column)
        assert values is not None
        micros, known = _from_numbers(inspection, name, values, mask_of(pc.is_valid(column)))
    else:
        inspection.refuse(f"holds {kind}; expected times", _FIX, column=name)
        return None
    missing = mask_of(pc.is_null(column)) & ~inspection.bad
    inspection.fault(name, missing, "is missing", "Give every event a time, or use position.")
    message = "is zero or lies before 1970"
    inspection.fault(name, known & (micros < DAY), message, "Give the real time of the event.")
    tomorrow = int(datetime.now(UTC).timestamp()) * SECOND + DAY
    inspection.fault(name, known & (micros > tomorrow), "lies in the future", "Check its unit.")
    return pa.chunked_array([pa.array(micros).cast(pa.timestamp("us"))])


def _from_text(
    inspection: Inspection, name: str, column: pa.ChunkedArray
) -> tuple[Ints, np.ndarray]:
    """Microseconds, and where there is a time; the rarer kinds of writing are faults."""
    encoded = column.combine_chunks().dictionary_encode()
    texts = pc.utf8_trim_whitespace(encoded.dictionary)
    kinds, micros = _iso(texts)
    values = parse_numbers(pa.chunked_array([texts]))
    assert values is not None
    kinds[(kinds == _NO_TIME) & ~np.isnan(values)] = _NUMBER
    rows = encoded.indices.fill_null(len(texts)).to_numpy()
    row_kinds = np.append(kinds, _NO_TIME)[rows]
    given = mask_of(pc.is_valid(column))
    inspection.fault(name, given & (row_kinds == _NO_TIME), "is not a time", _FIX)
    counts = np.bincount(row_kinds, minlength=4)
    counts[_NO_TIME] = 0
    usual = int(counts.argmax())
    rare = (row_kinds != _NO_TIME) & (row_kinds != usual)
    message = f"is of another kind than most, which are {_NAMES.get(usual, 'missing')}"
    inspection.fault(name, rare, message, "Write all times the same way.")
    known = row_kinds == usual if counts[usual] else np.zeros(len(rows), dtype=bool)
    if usual == _NUMBER:
        return _from_numbers(inspection, name, np.append(values, np.nan)[rows], known)
    return np.append(micros, 0)[rows], known


def _iso(texts: pa.Array) -> tuple[Ints, Ints]:
    """The kind and the microseconds of each text (no kind where it is no ISO 8601 time)."""
    fits = mask_of(pc.match_substring_regex(texts, _ISO))
    zones = mask_of(pc.match_substring_regex(texts, _ZONE))
    kinds = np.where(fits, np.where(zones, _ZONED, _PLAIN), _NO_TIME).astype(np.int64)
    micros = np.zeros(len(texts), dtype=np.int64)
    for kind, zone in ((_PLAIN, None), (_ZONED, "UTC")):
        rows = np.flatnonzero(kinds == kind)
        chosen = texts.take(pa.array(rows))
        try:
            micros[rows] = chosen.cast(pa.timestamp("us", zone)).cast(pa.int64()).to_numpy()
        except pa.ArrowInvalid:
            kinds[rows], micros[rows] = _one_by_one(chosen.to_pylist(), kind)
    return kinds, micros


def _one_by_one(texts: list[str], kind: int) -> tuple[list[int], list[int]]:
    """The same for texts among which some are unusual (30 February, nanoseconds)."""
    kinds, micros = [], []
    for text in texts:
        try:
            time = datetime.fromisoformat(re.sub(r"\s+(?=[Z+-])", "", text.upper()))
        except ValueError:
            kinds.append(_NO_TIME)
            micros.append(0)
            continue
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        kinds.append(kind)
        since = time - datetime(1970, 1, 1, tzinfo=UTC)
        micros.append((since.days * 86_400 + since.seconds) * SECOND + since.microseconds)
    return kinds, micros


def _from_numbers(
    inspection: Inspection, name: str, values: Floats, given: np.ndarray
) -> tuple[Ints, np.ndarray]:
    """Microseconds, and where there is a time; the unit is told from the size."""
    with np.errstate(invalid="ignore"):
        usable = given & np.isfinite(values) & (values >= UNITS[0][1]) & (values < 1e17)
        zero = given & (values == 0)
    message = "is too small or too large to be seconds or milliseconds since 1970"
    fix = "If it counts the order of events, map it to position instead."
    inspection.fault(name, zero, "is zero or lies before 1970", "Give the real time of the event.")
    inspection.fault(name, given & ~usable & ~zero, message, fix)
    units = np.digitize(values, [start for _, start, _ in UNITS]) - 1
    found = np.unique(units[usable])
    if len(found) > 1:
        rows = [int(np.flatnonzero(usable & (units == unit))[0]) for unit in found]
        told = ", ".join(
            f"{UNITS[unit][0]} (row {inspection.reading.numbers[row]}: {values[row]:.0f})"
            for unit, row in zip(found, rows, strict=True)
        )
        inspection.refuse(f"mixes units: {told}", "Give all times in one unit.", column=name)
        usable = np.zeros(len(values), dtype=bool)
    micros = np.zeros(len(values), dtype=np.int64)
    if len(found) == 1:
        micros[usable] = (values[usable] * UNITS[found[0]][2]).astype(np.int64)
    return micros, usable
