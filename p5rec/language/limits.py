"""The small grammar of limits in a request: what is denied, and between which prices.

It understands ``not X``, ``no X``, ``without X``, ``except X``, ``anything but X`` (``X`` up to a
comma, ``and``, ``but`` or the like; ``no X or Y`` denies both) and prices such as ``under $20``,
``at most 20 dollars``, ``$20 or less``, ``between 5 and 10 dollars``, ``$5-$10``. A number
without a currency is a price only where nothing follows that it could count. What looks like a
limit and isn't one of these is reported as it stands, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_NUMBER = r"(?:\d{1,3}(?:,\d{3}){1,3}|\d{1,9})(?:\.\d{1,4})?"
_SIGN = r"(?:[$€£]|usd|eur)\s*"
_UNIT = r"\s*(?:dollars?|bucks?|euros?|pounds?|usd|eur|[$€£])(?!\w)"
# A bare number is a price only at the end of a clause: "under 20 calories" is none.
_ENDS = r"(?=\s*(?:$|[,;.!?](?:\s|$)|(?:and|but|or|please|for|with|without|not|no)\b))"


def _money(name: str) -> str:
    return (
        rf"(?:{_SIGN}(?P<{name}_signed>{_NUMBER})(?:{_UNIT})?"
        rf"|(?P<{name}_named>{_NUMBER}){_UNIT}|(?P<{name}_bare>{_NUMBER})(?![\w.,]*\d){_ENDS})"
    )


_BELOW = r"(?:under|below|less\s+than|cheaper\s+than|lower\s+than)"
_ABOVE = r"(?:over|above|more\s+than|higher\s+than)"
_MOST = (
    r"(?:at\s+most|up\s+to|no\s+more\s+than|not\s+more\s+than|not\s+over|not\s+above|maximum|max)"
)
_LEAST = r"(?:at\s+least|no\s+less\s+than|not\s+less\s+than|not\s+under|not\s+below|minimum|min)"
_FIRST = rf"(?:{_SIGN})?(?P<low>{_NUMBER})(?:{_UNIT})?"
_SECOND = rf"(?:{_SIGN}(?P<high_signed>{_NUMBER})(?:{_UNIT})?|(?P<high_named>{_NUMBER}){_UNIT})"
_FROM_SIGN = rf"{_SIGN}(?P<low>{_NUMBER})"

_RULES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(rf"(?<![\w'’])(?:{pattern})", re.IGNORECASE))
    for kind, pattern in (
        ("range", rf"between\s+{_FIRST}\s+and\s+{_SECOND}"),
        ("range", rf"between\s+{_FROM_SIGN}\s+and\s+(?P<high_bare>{_NUMBER}){_ENDS}"),
        ("range", rf"(?:from\s+)?{_FIRST}\s*(?:-|–|to)\s*{_SECOND}"),
        ("range", rf"(?:from\s+)?{_FROM_SIGN}\s*(?:-|–|to)\s*(?P<high_bare>{_NUMBER}){_ENDS}"),
        ("most", rf"{_MOST}\s+{_money('high')}"),
        ("least", rf"{_LEAST}\s+{_money('low')}"),
        ("below", rf"{_BELOW}\s+{_money('high')}"),
        ("above", rf"{_ABOVE}\s+{_money('low')}"),
        ("most", rf"{_money('high').replace(_ENDS, '')}\s+or\s+(?:less|under|below|cheaper)"),
        ("least", rf"{_money('low').replace(_ENDS, '')}\s+or\s+(?:more|over|above)"),
    )
)
"""In the order tried at one place. ``low`` and ``high`` are the bounds that a rule gives."""

_UNCLEAR_PRICE = re.compile(
    rf"(?:(?<!\w)(?:{_BELOW}|{_ABOVE}|{_MOST}|{_LEAST}|around|about|roughly|between|from)\s+)?"
    rf"(?:{_SIGN}{_NUMBER}|(?<![\w.,]){_NUMBER}{_UNIT})"
    rf"|(?<!\w)(?:{_BELOW}|{_MOST}|{_LEAST})\s+(?:\w+\s+){{1,3}}?(?:dollars?|bucks?|euros?)\b"
    rf"|(?<!\w)(?:{_BELOW}|{_ABOVE}|{_MOST}|{_LEAST})\s+{_NUMBER}(?:\s+[^\W\d_]+)?",
    re.IGNORECASE,
)

_DENIAL = re.compile(
    r"(?<![\w'’-])(?:anything\s+(?:but|except)|except(?:\s+for)?|other\s+than|without(?:\s+any)?"
    r"|but\s+no|but\s+not|and\s+no|and\s+not|no|not)(?![\w'’-])\s+(?:the\s+|any\s+|an?\s+)?",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(
    r"(?:only|too|so|sure|just|very|necessarily|really|that|more|less|matter|over|under|below"
    r"|above|least|most|without|no|not|except|all|every|idea|problem|longer|need|doubt)\b",
    re.IGNORECASE,
)
_DENIED_ENDS = re.compile(
    r"\s*(?:[,;.!?:()\n](?=\s|$)|[;!?:()]|\s(?:and|but|for|with|without|under|over|below|above"
    r"|between|except|not|no|please|in|from|that|which|at|less|more|cheaper|to|if|because"
    r"|instead|up)\b|$)",
    re.IGNORECASE,
)
_OR = re.compile(r"\s+(?:or|nor)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Price:
    """Bounds of a price; an open bound is itself outside."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a text states a limit, and which: words, a price, or neither (not understood)."""

    start: int
    end: int
    denied: tuple[str, ...] = ()
    price: Price | None = None


def limits(text: str) -> Iterator[Limit]:
    """The limits of a text from left to right, none overlapping another.

    >>> [(limit.denied, limit.price and limit.price.high) for limit in
    ...  limits("yogurt, not Chobani, under $5")]
    [(('Chobani',), None), ((), 5.0)]
    """
    at = 0
    finders = [_Finder(text, rule, make) for rule, make in _FINDERS]
    while True:
        found = min((f.next(at) for f in finders), key=lambda limit: limit.start)
        if found is _END:
            return
        yield found
        at = found.end


class _Finder:
    """Finds what one pattern gives, looking at each part of the text once."""

    def __init__(
        self, text: str, rule: re.Pattern[str], make: Callable[[re.Match[str]], Limit]
    ) -> None:
        self._text, self._rule, self._make = text, rule, make
        self._found: Limit | None = None

    def next(self, at: int) -> Limit:
        """The first limit that begins at ``at`` or later."""
        if self._found is None or self._found.start < at:
            found = self._rule.search(self._text, at)
            self._found = self._make(found) if found else _END
        return self._found


def _price_maker(kind: str) -> Callable[[re.Match[str]], Limit]:
    def make(found: re.Match[str]) -> Limit:
        low, high = _bound(found, "low"), _bound(found, "high")
        price = Price(low, high, kind == "above", kind == "below")
        return Limit(found.start(), found.end(), price=price)

    return make


def _bound(found: re.Match[str], name: str) -> float | None:
    for group, value in found.groupdict().items():
        if value is not None and group.startswith(name):
            return float(value.replace(",", ""))
    return None


def _denial(found: re.Match[str]) -> Limit:
    text = found.string
    excuse = _NO_DENIAL.match(text, found.end())
    if excuse:
        return Limit(found.start(), excuse.end())
    ends = _DENIED_ENDS.search(text, found.end())
    stop = ends.start() if ends else len(text)
    denied = tuple(part.strip() for part in _OR.split(text[found.end() : stop]) if part.strip())
    return Limit(found.start(), stop, denied)


def _unclear(found: re.Match[str]) -> Limit:
    return Limit(found.start(), found.end())


_END = Limit(2**62, 2**62)
# At one place a price is tried before a denial, and that before something unclear.
_FINDERS = (
    *((rule, _price_maker(kind)) for kind, rule in _RULES),
    (_DENIAL, _denial),
    (_UNCLEAR_PRICE, _unclear),
)
