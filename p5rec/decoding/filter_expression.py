"""The language of filters: what an item's attributes must be, as a tree that writes itself out.

:func:`p5rec.decoding.filter_parser.parse_filter` reads it from text.

::

    brand != "Acme" and price <= 20
    categories under "Skin Care" and not (brand in ["Acme", "Bell"] or price > 100)
    in_stock and item not in ["i7", "i9"] and rating is known

``and``, ``or``, ``not`` and parentheses; ``==``, ``!=``, ``<``, ``<=``, ``>``, ``>=`` with a
number, a quoted text, ``true`` or ``false``; ``in`` and ``not in`` with a list; ``under`` for a
category at any level; ``is known`` for a value that is there; the bare name of an attribute that
is true or false. ``item`` is the item's id. A name with spaces goes between backquotes.

A value that is not known satisfies no comparison but ``!=``, which is ``not ==``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Value = str | float | bool
ORDERED = ("<", "<=", ">", ">=")
NAME = r"[^\W\d][\w.]*"
"""Names of attributes that need no backquotes, but for the words of the language."""
WORDS = frozenset({"and", "or", "not", "in", "under", "is", "known", "true", "false"})


class Expression:
    """A condition on an item; ``&``, ``|`` and ``~`` join conditions, ``str`` writes them out."""

    def __and__(self, other: Expression) -> Expression:
        """Both."""
        return And((*_parts(self, And), *_parts(other, And)))

    def __or__(self, other: Expression) -> Expression:
        """At least one of the two."""
        return Or((*_parts(self, Or), *_parts(other, Or)))

    def __invert__(self) -> Expression:
        """Not this."""
        return Not(self)


@dataclass(frozen=True)
class Comparison(Expression):
    """``attribute operator value``; a text has ``==`` and ``!=`` only."""

    attribute: str
    operator: str
    value: Value

    def __str__(self) -> str:
        return f"{_name(self.attribute)} {self.operator} {_literal(self.value)}"


@dataclass(frozen=True)
class Member(Expression):
    """``attribute in [values]``."""

    attribute: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        listed = ", ".join(map(_literal, self.values))
        return f"{_name(self.attribute)} in [{listed}]"


@dataclass(frozen=True)
class Under(Expression):
    """``attribute under category``: one of the entries of a category path, at any level."""

    attribute: str
    category: str

    def __str__(self) -> str:
        return f"{_name(self.attribute)} under {_literal(self.category)}"


@dataclass(frozen=True)
class Known(Expression):
    """``attribute is known``."""

    attribute: str

    def __str__(self) -> str:
        return f"{_name(self.attribute)} is known"


@dataclass(frozen=True)
class Holds(Expression):
    """The bare name of an attribute that is true or false."""

    attribute: str

    def __str__(self) -> str:
        return _name(self.attribute)


@dataclass(frozen=True)
class Not(Expression):
    """``not condition``."""

    condition: Expression

    def __str__(self) -> str:
        return f"not {_within(self.condition)}"


@dataclass(frozen=True)
class And(Expression):
    """All conditions."""

    conditions: tuple[Expression, ...]

    def __str__(self) -> str:
        return " and ".join(map(_within, self.conditions))


@dataclass(frozen=True)
class Or(Expression):
    """At least one condition."""

    conditions: tuple[Expression, ...]

    def __str__(self) -> str:
        return " or ".join(map(_within, self.conditions))


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """The conditions that must all hold; one that is no ``and`` is alone."""
    return _parts(expression, And)


def _parts(expression: Expression, kind: type[And] | type[Or]) -> tuple[Expression, ...]:
    return expression.conditions if isinstance(expression, kind) else (expression,)


def _name(attribute: str) -> str:
    plain = re.fullmatch(NAME, attribute) and attribute not in WORDS
    return attribute if plain else f"`{attribute}`"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return repr(value).removesuffix(".0")


def _within(expression: Expression) -> str:
    return f"({expression})" if isinstance(expression, And | Or) else str(expression)
