"""The language of filters: what an item's attributes must be, as text and as a tree.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Never

from p5rec.errors import RequestError

LONGEST = 20_000
"""Characters of a filter."""
DEEPEST = 50
"""Parentheses and nots within each other."""

Value = str | float | bool
ORDERED = ("<", "<=", ">", ">=")


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


def parse_filter(text: str) -> Expression:
    """Read a filter.

    >>> str(parse_filter("price<=20 and not brand=='Acme'"))
    'price <= 20 and not brand == "Acme"'

    :raises RequestError: at the place where the text is no filter.
    """
    if len(text) > LONGEST:
        raise RequestError(
            f"the filter has {len(text):,} characters. The limit is {LONGEST:,}. Give long lists "
            "of items with allow and deny."
        )
    return _Parser(text).whole()


def conjuncts(expression: Expression) -> tuple[Expression, ...]:
    """The conditions that must all hold; one that is no ``and`` is alone."""
    return _parts(expression, And)


def _parts(expression: Expression, kind: type[And] | type[Or]) -> tuple[Expression, ...]:
    return expression.conditions if isinstance(expression, kind) else (expression,)


def _name(attribute: str) -> str:
    plain = re.fullmatch(_NAME, attribute) and attribute not in _WORDS
    return attribute if plain else f"`{attribute}`"


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + re.sub(r'(["\\])', r"\\\1", value) + '"'
    return repr(value).removesuffix(".0")


def _within(expression: Expression) -> str:
    return f"({expression})" if isinstance(expression, And | Or) else str(expression)


_NAME = r"[^\W\d][\w.]*"
_WORDS = frozenset({"and", "or", "not", "in", "under", "is", "known", "true", "false"})
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    rf"|`(?P<quoted>[^`]+)`|(?P<name>{_NAME})"
    r"|(?P<sign><=|>=|==|!=|<|>|=|\(|\)|\[|\]|,))",
    re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            _refuse(text, at, "a name, a value, an operator or a parenthesis")
        kind, value = found.lastgroup, found[found.lastgroup]
        if kind == "name" and value.lower() in _WORDS:
            kind, value = "word", value.lower()
        yield _Token("name" if kind == "quoted" else kind, value, found.start(found.lastgroup))
        at = found.end()
    yield _Token("end", "", len(text))


def _refuse(text: str, at: int, expected: str) -> Never:
    at = len(text) - len(text[at:].lstrip())
    found = repr(text[at : at + 20].strip()) if text[at:] else "the end"
    raise RequestError(
        f"the filter {text[:200]!r} cannot be read at character {at + 1}: expected {expected}, "
        f'found {found}. Write it like: brand != "Acme" and price <= 20.'
    )


class _Parser:
    """Reads a filter by recursive descent, one method a rule of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(_tokens(text))
        self.place = 0
        self.deep = 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def whole(self) -> Expression:
        found = self.either()
        if self.now.kind != "end":
            self.refuse("'and', 'or' or the end")
        return found

    def refuse(self, expected: str) -> Never:
        _refuse(self.text, self.now.at, expected)

    def take(self, *texts: str) -> str | None:
        """The present token if it is one of these words or signs; then on to the next."""
        if self.now.kind not in ("word", "sign") or self.now.text not in texts:
            return None
        self.place += 1
        return self.tokens[self.place - 1].text

    def joined(self, word: str, part: Callable[[], Expression]) -> list[Expression]:
        found = [part()]
        while self.take(word):
            found.append(part())
        return found

    def either(self) -> Expression:
        found = self.joined("or", self.both)
        return found[0] if len(found) == 1 else Or(tuple(found))

    def both(self) -> Expression:
        found = self.joined("and", self.single)
        return found[0] if len(found) == 1 else And(tuple(found))

    def single(self) -> Expression:
        self.deep += 1
        if self.deep > DEEPEST:
            self.refuse(f"at most {DEEPEST} parentheses and nots within each other")
        found: Expression
        if self.take("not"):
            found = Not(self.single())
        elif self.take("("):
            found = self.either()
            if not self.take(")"):
                self.refuse("')'")
        else:
            found = self.condition()
        self.deep -= 1
        return found

    def condition(self) -> Expression:
        if self.now.kind != "name":
            self.refuse("the name of an attribute")
        attribute = self.now.text
        self.place += 1
        operator = self.take("==", "!=", "=", *ORDERED)
        if operator:
            return Comparison(attribute, "==" if operator == "=" else operator, self.value())
        if self.take("is"):
            negated = self.take("not")
            if not self.take("known"):
                self.refuse("'known'")
            return Not(Known(attribute)) if negated else Known(attribute)
        negated = self.take("not")
        found: Expression
        if self.take("in"):
            found = Member(attribute, self.values())
        elif self.take("under"):
            category = self.value()
            if not isinstance(category, str):
                self.place -= 1
                self.refuse("a category between quotes")
            found = Under(attribute, category)
        elif negated:
            self.refuse("'in' or 'under'")
        else:
            found = Holds(attribute)
        return Not(found) if negated else found

    def values(self) -> tuple[Value, ...]:
        if not self.take("["):
            self.refuse("a list such as ['a', 'b']")
        found = [self.value()]
        while self.take(","):
            found.append(self.value())
        if not self.take("]"):
            self.refuse("',' or ']'")
        return tuple(found)

    def value(self) -> Value:
        token = self.now
        self.place += 1
        if token.kind == "number":
            return float(token.text)
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        if token.kind == "word" and token.text in ("true", "false"):
            return token.text == "true"
        self.place -= 1
        self.refuse("a number, a text between quotes, true or false")
