"""Reads filters: from the text of :mod:`p5rec.decoding.filter_expression` to its tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple, Never

from p5rec.decoding.filter_expression import (
    NAME,
    ORDERED,
    WORDS,
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
)
from p5rec.errors import RequestError

LONGEST = 20_000
"""Characters of a filter."""
DEEPEST = 50
"""Parentheses and nots within each other."""

_TOKEN = re.compile(
    rf"\s*(?:(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)(?![\w.])"
    r"|(?P<text>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    rf"|`(?P<quoted>[^`]+)`|(?P<name>{NAME})"
    r"|(?P<sign><=|>=|==|!=|<|>|=|\(|\)|\[|\]|,))",
    re.DOTALL,
)


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
        if kind == "name" and value.lower() in WORDS:
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
