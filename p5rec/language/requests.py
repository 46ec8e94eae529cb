"""What a person asks for: what is wished, and the limits that were set.

:func:`p5rec.language.request_reading.read_request` finds them in plain words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.filter_expression import Comparison, Expression, Holds, Not
from p5rec.decoding.filters import Filters
from p5rec.language.attribute_index import AttributeIndex, spoken
from p5rec.language.bounds import Bounds
from p5rec.language.limit_grammar import Grammar
from p5rec.language.request_vocabulary import GENERIC_WORDS
from p5rec.language.required import Requirement, says
from p5rec.language.word_index import WordIndex
from p5rec.language.words import words

IntArray = NDArray[np.int64]

T = TypeVar("T")


class ShopWords:
    """What a catalogue's items are called and have, as requests name it; made once a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.index = WordIndex(catalogue)
        self.attributes = AttributeIndex(catalogue)
        own = self.attributes
        self.grammar = Grammar(
            own.units,
            labels=map(" ".join, own.truth_names),
            attributes=map(" ".join, own.attribute_names),
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for.

    ``wish`` is the text without what it denies and bounds; ``denied`` are words that no item may
    have, each entry all at once; ``bounds`` are those of prices and other numbers; ``required``
    is what every item must be; ``not_true`` are attributes that may not be true. ``waived`` is
    what need not hold: an attribute or words that no earlier turn shall limit any more.
    ``not_understood`` quotes what looked like a limit and could not be made one: it limits
    nothing.
    """

    text: str
    wish: str
    denied: tuple[str, ...] = ()
    bounds: tuple[Bounds, ...] = ()
    required: tuple[Requirement, ...] = ()
    not_true: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()
    not_understood: tuple[str, ...] = ()

    @property
    def condition(self) -> Expression | None:
        """The limits that are conditions on attributes, as a filter."""
        parts: list[Expression] = []
        for bounds in self.bounds:
            if bounds.low is not None:
                parts.append(_compared(bounds.attribute, ">", bounds.low_open, bounds.low))
            if bounds.high is not None:
                parts.append(_compared(bounds.attribute, "<", bounds.high_open, bounds.high))
        parts += [one.values for one in self.required if one.values is not None and not one.said]
        parts += [Not(Holds(name)) for name in self.not_true]
        return reduce(Expression.__and__, parts) if parts else None

    def describe(self) -> list[str]:
        """The limits as they were understood, to be shown to the person who asked."""
        told = [f"not: {denied}" for denied in (*self.denied, *map(spoken, self.not_true))]
        told += [one.shown for one in self.required]
        told += [line for bounds in self.bounds for line in bounds.describe()]
        return told + [f"not understood: {part}" for part in self.not_understood]

    def with_limits_of(self, other: Request) -> Request:
        """The request under the limits of another as well; all bounds of an attribute hold."""
        return replace(
            self,
            denied=_once(self.denied, other.denied),
            bounds=narrowed((*other.bounds, *self.bounds)),
            required=_once(other.required, self.required),
            not_true=_once(other.not_true, self.not_true),
        )


def _compared(attribute: str, sign: str, strict: bool, value: float) -> Expression:
    return Comparison(attribute, sign if strict else f"{sign}=", float(value))


def _once(*several: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(one for part in several for one in part))


def narrowed(bounds: Iterable[Bounds]) -> tuple[Bounds, ...]:
    """Bounds that hold together, one entry an attribute."""
    found: dict[str, Bounds] = {}
    for one in bounds:
        known = found.get(one.attribute)
        found[one.attribute] = one if known is None else known.within(one)
    return tuple(found.values())


def denied_rows(request: Request, shop: ShopWords, filters: Filters) -> IntArray:
    """The rows that a request rules out beside those that fail its condition, ascending."""
    out = np.zeros(shop.index.n_items, dtype=bool)
    for denied in request.denied:
        said = [word for word in words(denied) if word not in GENERIC_WORDS]
        out[shop.index.rows_with_all(said)] = True
    for one in request.required:
        if one.said:
            fits = np.zeros(shop.index.n_items, dtype=bool)
            fits[says(shop.index, one)] = True
            if one.values is not None:
                fits |= filters.mask(one.values)[filters.trie.leaf_of_item]
            out |= ~fits
    return np.flatnonzero(out).astype(np.int64)
