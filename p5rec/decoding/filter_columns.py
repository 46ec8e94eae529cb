"""The attributes of a catalogue in the order of the trie's leaves, as arrays to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from p5rec.data.arrays import is_list, is_number
from p5rec.data.catalogue import Catalogue
from p5rec.decoding.filter_expression import Value
from p5rec.decoding.node_mask import Mask
from p5rec.errors import RequestError
from p5rec.hints import did_you_mean

Kind = Literal["number", "truth", "text", "categories"]

_RANGES = 2
"""A set of codes that is at most so many ranges is compared with; a longer one is looked up."""


@dataclass(frozen=True)
class Numbers:
    """``values`` ``float64[N]``, NaN where it is not known."""

    values: NDArray[np.float64]


@dataclass(frozen=True)
class Choices:
    """Attributes with a dictionary: ``codes`` ``int32[N]`` into ``values``, -1 where not known."""

    codes: NDArray[np.int32]
    values: Sequence[Any]

    @cached_property
    def place(self) -> dict[Any, int]:
        """The code of each value."""
        return {value: code for code, value in enumerate(self.values)}

    def among(self, wanted: Mask) -> Mask:
        """Which leaves have a value that is ``wanted``, ``bool[len(values)]``."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]])))
        if len(edges) <= 2 * _RANGES:
            found = np.zeros(len(self.codes), dtype=bool)
            for low, high in edges.reshape(-1, 2).tolist():
                within = self.codes == low if high == low + 1 else self.codes >= low
                found |= within & (self.codes < high) if high > low + 1 else within
            return found
        table = torch.from_numpy(np.append(False, wanted))
        looked_up = table.index_select(0, torch.from_numpy(self.codes + np.int32(1)))
        mask: Mask = looked_up.numpy()
        return mask


class Columns:
    """The attributes of a catalogue, each put into the order of the leaves on first use.

    :param item_of_leaf: the catalogue row of each leaf.
    :param leaf_of_item: the leaf of each catalogue row.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        item_of_leaf: NDArray[np.integer],
        leaf_of_item: NDArray[np.integer],
    ) -> None:
        self.catalogue = catalogue
        self.kinds = _kinds(catalogue.table.schema)
        self._order = item_of_leaf
        self._leaf_of_item = leaf_of_item
        self._known: dict[str, Numbers | Choices] = {}

    def kind(self, attribute: str) -> Kind:
        """What an attribute holds.

        :raises RequestError: if there is none of this name, with the nearest that there is.
        """
        if attribute not in self.kinds:
            known = sorted([*self.kinds, "item"])
            raise RequestError(
                f"the catalogue has no attribute {attribute!r}.{did_you_mean(attribute, known)} "
                f"Known: {', '.join(known)}."
            )
        return self.kinds[attribute]

    def numbers(self, attribute: str) -> Numbers:
        """An attribute of numbers."""
        found = self._column(attribute)
        assert isinstance(found, Numbers)
        return found

    def choices(self, attribute: str) -> Choices:
        """An attribute of texts, categories or truth values."""
        found = self._column(attribute)
        assert isinstance(found, Choices)
        return found

    def items(self, item_ids: Sequence[Value]) -> Mask:
        """Which leaves are these items.

        :raises RequestError: if one is not in the catalogue.
        """
        rows = rows_of(self.catalogue, item_ids)
        found = np.zeros(len(self._leaf_of_item), dtype=bool)
        found[self._leaf_of_item[rows]] = True
        return found

    def _column(self, attribute: str) -> Numbers | Choices:
        if attribute not in self._known:
            column = self.catalogue.table[attribute].combine_chunks()
            self._known[attribute] = self._read(self.kind(attribute), column)
        return self._known[attribute]

    def _read(self, kind: Kind, column: pa.Array) -> Numbers | Choices:
        if kind == "number":
            values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
            return Numbers(values[self._order])
        if kind == "truth":
            codes = pc.cast(column, pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False)
            return Choices(codes[self._order], (False, True))
        if kind == "categories":
            distinct, codes = _distinct_paths(column)
        else:
            encoded = pc.cast(column, pa.large_string()).dictionary_encode()
            distinct = encoded.dictionary.to_pylist()
            codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        order = sorted(range(len(distinct)), key=distinct.__getitem__)
        renamed = np.empty(len(order) + 1, dtype=np.int32)
        renamed[order] = np.arange(len(order))
        renamed[-1] = -1
        return Choices(renamed[codes][self._order], [distinct[code] for code in order])


def rows_of(catalogue: Catalogue, item_ids: Sequence[Value]) -> NDArray[np.int64]:
    """The catalogue rows of items that must be there.

    :raises RequestError: naming the first that is not, and the nearest that is.
    """
    rows = catalogue.rows_of([str(item) for item in item_ids])
    if (rows < 0).any():
        missing = str(item_ids[int(np.flatnonzero(rows < 0)[0])])
        hint = did_you_mean(missing, catalogue.item_ids)
        raise RequestError(
            f"item {missing!r} is not in the catalogue.{hint} Leave it out, or use ids such as "
            f"{catalogue.item_ids[0]!r}."
        )
    return rows


def refuse_value(attribute: str, value: str, known: Sequence[str]) -> Never:
    """No item has this value."""
    shown = ", ".join(map(repr, known[:3]))
    raise RequestError(
        f"no item has {attribute} {value!r}.{did_you_mean(value, known)} Use a value of the "
        f"catalogue, such as {shown}."
    )


def _kinds(schema: pa.Schema) -> dict[str, Kind]:
    found: dict[str, Kind] = {}
    for field in schema:
        if field.name == "item_id":
            continue
        if is_list(field.type):
            found[field.name] = "categories"
        elif pa.types.is_boolean(field.type):
            found[field.name] = "truth"
        else:
            found[field.name] = "number" if is_number(field.type) else "text"
    return found


def _distinct_paths(column: pa.Array) -> tuple[list[tuple[str, ...]], NDArray[np.int32]]:
    """The distinct lists of a column and the number of each row's, -1 for null."""
    values = column.flatten().dictionary_encode()
    words = values.dictionary.to_pylist()
    flat = values.indices.to_numpy(zero_copy_only=False)
    lengths = pc.list_value_length(column).fill_null(0).to_numpy(zero_copy_only=False)
    starts = np.append(0, np.cumsum(lengths))[:-1]
    number = np.zeros(len(lengths), dtype=np.int64)
    # A path's number: that of its beginning and its next word, made small again at each step.
    for level in range(int(lengths.max(initial=0))):
        here = lengths > level
        step = number * (len(words) + 1)
        step[here] += flat[starts[here] + level] + 1
        _, number = np.unique(step, return_inverse=True)
    _, first, codes = np.unique(number, return_index=True, return_inverse=True)
    paths = [
        tuple(words[code] for code in flat[starts[row] : starts[row] + lengths[row]])
        for row in first.tolist()
    ]
    found = codes.astype(np.int32)
    found[lengths == 0] = -1
    return paths, found
