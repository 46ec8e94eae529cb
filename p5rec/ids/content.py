"""Items by what they are, never by their rows or ids: their order, and the words they share."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.ids.words import comparable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_FIRST = ("title", "brand", "categories", "variant", "description", "price")
# Profiles that differ by less than this are equal.
_DIGITS = 4


def content_order(catalogue: Catalogue, *, profile: Floats | None = None) -> Ints:
    """The rows of a catalogue, sorted by content: int64[N].

    Title, brand, categories, variant, description and price come first, then the other attributes
    by name; spelling counts only where all attributes read the same. Among items of identical
    content ``profile`` (float32[N, d]) decides, and ``item_id`` where that is equal too: such items
    are interchangeable.
    """
    return order_of_classes(catalogue, content_classes(catalogue), profile=profile)


def content_classes(catalogue: Catalogue) -> Ints:
    """The place of each row's content among the different contents: int64[N], equal for equals."""
    known = set(catalogue.table.column_names) - {"item_id"}
    names = [name for name in _FIRST if name in known] + sorted(known.difference(_FIRST))
    columns = [catalogue.column(name) for name in names]
    keys = [_ranks([_read(value) for value in column]) for column in columns]
    keys += [_ranks([_written(value) for value in column]) for column in columns]
    classes = np.zeros(len(catalogue), dtype=np.int64)
    for key in keys:
        pairs = classes * (int(key.max()) + 1) + key
        classes = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
    return classes


def order_of_classes(catalogue: Catalogue, classes: Ints, *, profile: Floats | None = None) -> Ints:
    """Rows by class, equals by their profile, then by ``item_id``."""
    tied = np.flatnonzero(np.bincount(classes)[classes] > 1)
    within = np.zeros(len(classes), dtype=np.int64)
    if len(tied):
        keys = [_ranks([catalogue.item_ids[row] for row in tied.tolist()])]
        if profile is not None:
            keys += list(np.round(profile[tied], _DIGITS).T[::-1])
        within[tied[np.lexsort(keys)]] = np.arange(len(tied))
    return np.lexsort([within, classes]).astype(np.int64)


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


def _ranks(keys: Sequence[Any]) -> Ints:
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
