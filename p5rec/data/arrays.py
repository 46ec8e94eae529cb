"""Small helpers that bring Arrow columns to the few types that p5rec works with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def is_text(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds text, however it is stored."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is a list, however it is stored."""
    return bool(
        pa.types.is_list(kind)
        or pa.types.is_large_list(kind)
        or pa.types.is_fixed_size_list(kind)
        or pa.types.is_list_view(kind)
        or pa.types.is_large_list_view(kind)
    )


def is_number(kind: pa.DataType) -> bool:
    """Whether an Arrow type holds numbers (truth values are not numbers)."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def is_plain(kind: pa.DataType) -> bool:
    """Whether a type holds one value a row that can be written as text."""
    when = pa.types.is_timestamp(kind) or pa.types.is_date(kind) or pa.types.is_time(kind)
    return bool(
        is_text(kind)
        or is_number(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_null(kind)
        or when
    )


def usual(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in a type that Arrow can work with, where its own is only for storing."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return usual(column.cast(kind.storage_type))
    if pa.types.is_dictionary(kind):
        return usual(column.cast(kind.value_type))
    if pa.types.is_string_view(kind):
        return column.cast(pa.string())
    if pa.types.is_float16(kind):
        return column.cast(pa.float32())
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        return column.cast(pa.large_list(kind.value_type))
    return column


def strings(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as plain strings; numbers are written out, whole floats without ``.0``.

    >>> strings(pa.chunked_array([[7.0, None, 8.0]])).to_pylist()
    ['7', None, '8']
    """
    if pa.types.is_null(column.type):
        return pa.chunked_array([pa.nulls(len(column), pa.string())])
    column = usual(column)
    if pa.types.is_floating(column.type) and is_whole(column):
        column = column.cast(pa.int64())
    return column if column.type == pa.string() else column.cast(pa.string())


def is_whole(column: pa.ChunkedArray) -> bool:
    """Whether all numbers of a float column are whole and small enough to be exact."""
    exact = pc.and_(
        pc.equal(pc.floor(column), column), pc.less_equal(pc.abs(column), pa.scalar(2.0**53))
    )
    return bool(pc.all(exact, min_count=0).as_py())


def blank_to_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The text column with empty and white-space texts made null.

    >>> blank_to_null(pa.chunked_array([["a", "  ", ""]])).to_pylist()
    ['a', None, None]
    """
    blank = pc.equal(pc.utf8_trim_whitespace(column), "")
    return pc.if_else(blank, pa.scalar(None, column.type), column)


def ranks(column: pa.ChunkedArray) -> Ints:
    """The rank of each value among the sorted distinct values of its column; -1 for null.

    >>> ranks(pa.chunked_array([["b", "a", None, "b"]])).tolist()
    [1, 0, -1, 1]
    """
    encoded = column.combine_chunks().dictionary_encode()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = -1
    codes: Ints = encoded.indices.fill_null(len(order)).to_numpy(zero_copy_only=False)
    ranked: Ints = rank[codes]
    return ranked


def run_starts(column: pa.ChunkedArray) -> Ints:
    """The first row of each run of equal values.

    >>> run_starts(pa.chunked_array([["a", "a", "b"]])).tolist()
    [0, 2]
    """
    if len(column) == 0:
        return np.zeros(0, dtype=np.int64)
    ends = pc.run_end_encode(column.combine_chunks(), run_end_type=pa.int64()).run_ends
    return np.concatenate([[0], ends.to_numpy()[:-1]]).astype(np.int64)


def ragged(starts: Ints, lengths: Ints) -> Ints:
    """The row numbers of several runs, one after another.

    >>> ragged(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(lengths) - lengths
    rows: Ints = np.arange(int(lengths.sum()), dtype=np.int64) + np.repeat(starts - before, lengths)
    return rows


def offsets_of(lengths: Sequence[int] | Ints) -> Ints:
    """Cumulative sums with a zero in front.

    >>> offsets_of([2, 0, 1]).tolist()
    [0, 2, 2, 3]
    """
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)
