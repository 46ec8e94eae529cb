"""Brings ids and numbers to their types, and notes each row where that can't be done."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from p5rec.data.arrays import Floats, is_number, is_text, is_whole, strings
from p5rec.data.inspection import Inspection
from p5rec.data.texts import INVISIBLE, LONGEST_ID

LARGEST_EXACT = 2.0**53
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def mask_of(condition: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A condition as a bool array; null is false."""
    filled = condition.fill_null(False)
    return np.asarray(filled if isinstance(filled, pa.Array) else filled.combine_chunks())


def by_value(column: pa.ChunkedArray, function: Callable[[pa.Array], pa.Array]) -> pa.ChunkedArray:
    """``function`` of a column, worked out once for each distinct value."""
    encoded = column.combine_chunks().dictionary_encode()
    return pa.chunked_array([function(encoded.dictionary).take(encoded.indices)])


def ids(inspection: Inspection, name: str, *, required: bool = True) -> pa.ChunkedArray | None:
    """An id column as text without white space at the ends; None where it can't be one."""
    column = inspection.reading.table[name]
    kind = column.type
    if is_text(kind):
        column = _trimmed(inspection, name, strings(column))
    elif pa.types.is_null(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        column = strings(column)
    elif pa.types.is_floating(kind):
        column = _whole_ids(inspection, name, column)
    else:
        message = f"holds {kind}; expected text or whole numbers"
        inspection.refuse(message, "Give one plain id a row.", column=name)
        return None
    _check_ids(inspection, name, column, required=required)
    return column


def numbers(inspection: Inspection, name: str) -> pa.ChunkedArray | None:
    """A column as float64; not finite or negative values are faults, null is not."""
    column = inspection.reading.table[name]
    if pa.types.is_null(column.type):
        return column.cast(pa.float64())
    parsed = parse_numbers(column)
    if parsed is None:
        message = f"holds {column.type}; expected numbers"
        inspection.refuse(message, "Give one number a row.", column=name)
        return None
    given = mask_of(pc.is_valid(column))
    if is_text(column.type):
        given &= ~mask_of(pc.equal(pc.utf8_trim_whitespace(strings(column)), ""))
        odd = (
            given
            & np.isnan(parsed)
            & ~mask_of(pc.match_substring_regex(column, r"(?i)^\s*nan\s*$"))
        )
        inspection.fault(name, odd, "is not a number", "Write it like 12.5, without a unit.")
        given &= ~odd
    inspection.fault(name, given & ~np.isfinite(parsed), "is not finite", "Give a number or none.")
    with np.errstate(invalid="ignore"):
        inspection.fault(name, given & (parsed < 0), "is negative", "Give a number from 0 up.")
    return pa.chunked_array([pa.array(parsed, mask=~(given & np.isfinite(parsed)))])


def whole_numbers(inspection: Inspection, name: str) -> pa.ChunkedArray | None:
    """A column as int64; every row must have a whole number."""
    column = inspection.reading.table[name]
    if pa.types.is_integer(column.type) and not column.null_count:
        return column.cast(pa.int64())
    parsed = parse_numbers(column)
    if parsed is None:
        message = f"holds {column.type}; expected whole numbers"
        inspection.refuse(message, "Give the position of each event.", column=name)
        return None
    with np.errstate(invalid="ignore"):
        fine = (
            np.isfinite(parsed) & (parsed == np.floor(parsed)) & (np.abs(parsed) <= LARGEST_EXACT)
        )
    inspection.fault(name, ~fine, "is not a whole number", "Count positions 0, 1, 2….")
    return pa.chunked_array([pa.array(np.where(fine, parsed, 0).astype(np.int64))])


def parse_numbers(column: pa.ChunkedArray) -> Floats | None:
    """A column of numbers or of text as floats, NaN where there is none; None for other types."""
    kind = column.type
    if is_text(kind):
        column = by_value(strings(column), _numbers_in)
    elif pa.types.is_null(kind) or is_number(kind):
        column = column.cast(pa.float64())
    else:
        return None
    parsed: Floats = column.fill_null(float("nan")).to_numpy().astype(np.float64, copy=True)
    return parsed


def _numbers_in(texts: pa.Array) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(texts)
    infinite = pc.match_substring_regex(trimmed, r"(?i)^[+-]?inf(inity)?$")
    usual = pc.or_(pc.match_substring_regex(trimmed, NUMBER), infinite)
    plain = pc.utf8_ltrim(pc.if_else(usual, trimmed, None), "+")
    return pc.cast(plain, pa.float64())


def _trimmed(inspection: Inspection, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = by_value(column, pc.utf8_trim_whitespace)
    changed = int(pc.sum(pc.not_equal(trimmed, column)).as_py() or 0)
    if changed:
        inspection.note(f"{name}: white space around {changed:,} ids was removed")
    filled = pc.if_else(pc.equal(trimmed, ""), None, trimmed)
    written = filled.drop_null()
    if len(written) and pc.all(pc.match_substring_regex(written, r"^-?\d+\.0+$")).as_py():
        inspection.note(f"{name}: whole numbers were written as 123.0 and are read as 123")
        filled = pc.replace_substring_regex(filled, r"\.0+$", "")
    return filled


def _whole_ids(inspection: Inspection, name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    values = parse_numbers(column)
    assert values is not None
    given = mask_of(pc.is_valid(column)) & ~np.isnan(values)
    exact = np.abs(values) <= LARGEST_EXACT
    whole = np.isfinite(values) & (values == np.floor(values))
    inspection.fault(name, given & ~whole, "is not a whole number", "Give ids as text.")
    message = "is too large to be exact as a float"
    inspection.fault(name, given & whole & ~exact, message, "Give ids as text or integers.")
    fine = pa.chunked_array([pa.array(np.where(whole & exact, values, 0), mask=~given)])
    assert is_whole(fine)
    if bool((given & whole & exact).any()):
        inspection.note(f"{name}: whole numbers were stored as floats and are read as 123")
    return strings(fine)


def _check_ids(
    inspection: Inspection, name: str, column: pa.ChunkedArray, *, required: bool
) -> None:
    if required:
        missing = mask_of(pc.is_null(column)) & ~inspection.bad
        inspection.fault(name, missing, "is missing", "Give every row one.")
    hidden = mask_of(by_value(column, lambda values: pc.match_substring_regex(values, INVISIBLE)))
    message = "holds control, bidi or zero-width characters"
    inspection.fault(name, hidden, message, "Remove them: such ids look alike but are not.")
    long = mask_of(by_value(column, lambda v: pc.greater(pc.utf8_length(v), LONGEST_ID)))
    inspection.fault(name, long, f"is longer than {LONGEST_ID:,} characters", "Use a shorter id.")
