"""Filters over a catalogue: which nodes of the trie have an item that passes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from functools import reduce
from threading import Lock

import numpy as np

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.filter_columns import Columns, refuse_value
from p5rec.decoding.filter_conflicts import contradiction
from p5rec.decoding.filter_expression import (
    And,
    Comparison,
    Expression,
    Holds,
    Known,
    Member,
    Not,
    Or,
    Under,
    Value,
    conjuncts,
)
from p5rec.decoding.filter_parser import parse_filter
from p5rec.decoding.node_mask import Mask, NodeMask
from p5rec.decoding.trie import Trie
from p5rec.errors import RequestError

CACHE_BYTES = 256 * 2**20
"""Compiled filters that are kept take at most so much memory."""
ITEM = ("item", "item_id")

_COMPARE = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


class Filters:
    """Compiles filters over one catalogue and keeps those used last.

    Safe to use from several threads. An attribute is put into the order of the leaves on its
    first use (a second or so for ten million texts); a filter over attributes that were used
    before takes milliseconds.
    """

    def __init__(self, catalogue: Catalogue, trie: Trie) -> None:
        self.trie = trie
        self.columns = Columns(catalogue, trie.item_of_leaf, trie.leaf_of_item)
        self._kept: OrderedDict[str, NodeMask] = OrderedDict()
        self._lock = Lock()

    def compile(self, wanted: str | Expression) -> NodeMask:
        """The nodes with an item that passes a filter; retired items pass none.

        :raises RequestError: if the text is no filter, names an attribute or a value that the
            catalogue does not have, compares what cannot be compared, or contradicts itself.
        """
        key = wanted if isinstance(wanted, str) else str(wanted)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                self._kept.move_to_end(key)
                return kept
            expression = parse_filter(wanted) if isinstance(wanted, str) else wanted
            compiled = self._compile(expression)
            self._keep(key, compiled)
        return compiled

    def explain_empty(self, wanted: str | Expression) -> str:
        """Which condition of a filter left no item, in words."""
        expression = parse_filter(wanted) if isinstance(wanted, str) else wanted
        left = self._live(np.ones(self.trie.n_items, dtype=bool))
        passed: list[str] = []
        for condition in conjuncts(expression):
            left = left & self.mask(condition)
            if not left.any():
                before = f" that passes {' and '.join(passed)}" if passed else ""
                return f"no item{before} passes {condition}"
            passed.append(str(condition))
        return f"{int(left.sum())} items pass {expression}"

    def mask(self, expression: Expression) -> Mask:
        """Which leaves pass, retired or not."""
        match expression:
            case And(conditions):
                return reduce(np.logical_and, map(self.mask, conditions))
            case Or(conditions):
                return reduce(np.logical_or, map(self.mask, conditions))
            case Not(condition):
                return np.logical_not(self.mask(condition))
            case _:
                return self._condition(expression)

    def _condition(self, expression: Expression) -> Mask:
        match expression:
            case Under(attribute, category):
                return self._under(attribute, category)
            case Known(attribute):
                return self._known(attribute)
            case Holds(attribute):
                return self._member(attribute, (True,))
            case Member(attribute, values):
                return self._member(attribute, values)
            case Comparison(attribute, "==", value):
                return self._member(attribute, (value,))
            case Comparison(attribute, "!=", value):
                return np.logical_not(self._member(attribute, (value,)))
            case Comparison(attribute, operator, value):
                return self._ordered(attribute, operator, value)
            case _:
                raise RequestError(f"{expression!r} is no filter. Write one as text.")

    def _compile(self, expression: Expression) -> NodeMask:
        conflict = contradiction(expression)
        if conflict is not None:
            raise RequestError(
                f"the filter contradicts itself: no item can have {conflict}. Take one of these "
                "conditions out."
            )
        return NodeMask.of(self.trie, self._live(self.mask(expression)))

    def _live(self, leaves: Mask) -> Mask:
        return leaves if self.trie.live is None else leaves & self.trie.live

    def _keep(self, key: str, compiled: NodeMask) -> None:
        self._kept[key] = compiled
        size = sum(mask.size for mask in self._kept.values())
        while size > CACHE_BYTES and len(self._kept) > 1:
            size -= self._kept.popitem(last=False)[1].size

    def _under(self, attribute: str, category: str) -> Mask:
        self._check(attribute, "under", "categories")
        paths = self.columns.choices(attribute)
        wanted = np.fromiter((category in path for path in paths.values), bool, len(paths.values))
        if not wanted.any():
            known = sorted({name for path in paths.values for name in path})
            refuse_value("category", category, known)
        return paths.among(wanted)

    def _known(self, attribute: str) -> Mask:
        if attribute in ITEM:
            return np.ones(self.trie.n_items, dtype=bool)
        if self.columns.kind(attribute) == "number":
            return np.logical_not(np.isnan(self.columns.numbers(attribute).values))
        known: Mask = self.columns.choices(attribute).codes >= 0
        return known

    def _member(self, attribute: str, values: Sequence[Value]) -> Mask:
        for value in values:
            self._check_type(attribute, value)
        if attribute in ITEM:
            return self.columns.items(values)
        if self.columns.kind(attribute) == "number":
            numbers = self.columns.numbers(attribute).values
            return reduce(np.logical_or, [numbers == value for value in values])
        choices = self.columns.choices(attribute)
        wanted = np.zeros(len(choices.values), dtype=bool)
        for value in values:
            if value not in choices.place:
                refuse_value(attribute, str(value), list(choices.values))
            wanted[choices.place[value]] = True
        return choices.among(wanted)

    def _ordered(self, attribute: str, operator: str, value: Value) -> Mask:
        self._check(attribute, operator, "number")
        self._check_type(attribute, value)
        found: Mask = _COMPARE[operator](self.columns.numbers(attribute).values, value)
        return found

    def _check(self, attribute: str, operator: str, expected: str) -> None:
        kind = "text" if attribute in ITEM else self.columns.kind(attribute)
        if kind != expected:
            raise RequestError(
                f"{attribute} {operator} … cannot be: {attribute} holds {_PLURAL[kind]}, and "
                f"{operator!r} is for {_PLURAL[expected]}. {_USE[kind].format(attribute)}"
            )

    def _check_type(self, attribute: str, value: Value) -> None:
        kind = "text" if attribute in ITEM else self.columns.kind(attribute)
        if _KIND_OF[type(value)] != kind:
            raise RequestError(
                f"{attribute} holds {_PLURAL[kind]} and cannot be compared with {value!r}. "
                f"{_USE[kind].format(attribute)}"
            )


_KIND_OF: dict[type, str] = {float: "number", int: "number", str: "text", bool: "truth"}
_PLURAL = {
    "number": "numbers",
    "text": "texts",
    "truth": "true or false",
    "categories": "categories",
}
_USE = {
    "number": "Write {} followed by == != < <= > >= and a number.",
    "text": "Write {} == or != followed by a text between quotes, or in [...].",
    "truth": "Write {} alone, or not before it.",
    "categories": 'Write {} under "a category".',
}
