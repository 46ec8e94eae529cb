"""Items by what they are, never by their rows or ids: their order, and the words they share."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.ids.words import comparable

_FIRST = ("title", "brand", "categories", "variant", "description", "price")


def content_order(catalogue: Catalogue) -> npt.NDArray[np.int64]:
    """The rows of a catalogue, sorted by content: int64[N].

    Title, brand, categories, variant, description and price come first, then the other attributes
    by name; spelling counts only where all attributes read the same. ``item_id`` decides between
    items of identical content alone, which are interchangeable.
    """
    known = set(catalogue.table.column_names) - {"item_id"}
    names = [name for name in _FIRST if name in known] + sorted(known.difference(_FIRST))
    columns = [catalogue.column(name) for name in names]
    keys = [_ranks([_read(value) for value in column]) for column in columns]
    keys += [_ranks([_written(value) for value in column]) for column in columns]
    keys.append(_ranks(catalogue.item_ids))
    return np.lexsort(keys[::-1]).astype(np.int64)


def kind_texts(catalogue: Catalogue) -> list[str]:
    """The words that say what kind of thing each item is, by row.

    Title, the whole category path and further text attributes. Brand and variant are left out:
    shared by things of every kind, they would bring "6 oz" of cheese and of soap together.
    """
    names = [
        name
        for name in catalogue.table.column_names
        if name not in ("item_id", "brand", "variant", "description")
    ]
    return _joined(catalogue, names)


def full_texts(catalogue: Catalogue) -> list[str]:
    """The words that tell items of one kind apart, by row: ``kind_texts``, brand and variant."""
    names = [
        name for name in catalogue.table.column_names if name not in ("item_id", "description")
    ]
    return _joined(catalogue, names)


def _joined(catalogue: Catalogue, names: Sequence[str]) -> list[str]:
    texts: list[list[str]] = [[] for _ in range(len(catalogue))]
    for name in names:
        for words, value in zip(texts, catalogue.column(name), strict=True):
            if isinstance(value, str):
                words.append(value)
            elif isinstance(value, list):
                words += [part for part in value if part]
    return [" ".join(words) for words in texts]


def _ranks(keys: Sequence[Any]) -> npt.NDArray[np.int64]:
    """The rank of each key among the distinct keys."""
    rank: dict[Hashable, int] = {key: i for i, key in enumerate(sorted(set(keys)))}
    return np.fromiter((rank[key] for key in keys), dtype=np.int64, count=len(keys))


def _read(value: object) -> tuple[Any, ...]:
    """A key that sorts a column's values: nulls first, numbers by size, text as it reads."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    if isinstance(value, str):
        return (comparable(value),)
    if isinstance(value, list):
        return tuple("" if part is None else comparable(str(part)) for part in value)
    return (value,) if isinstance(value, int | float) else (str(value),)


def _written(value: object) -> str:
    return "" if value is None else repr(value)
