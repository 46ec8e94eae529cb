"""Bounds in a text: ``under $20``, ``at least 4 stars``, ``between 5 and 10 dollars``.

A number is a price if it has a currency, or if nothing follows that it could count ("under 20",
not "under 20 calories"). It bounds another attribute if that one's name or unit stands beside it
("at least 4 stars", "rating above 4"). Everything else that looks like a bound is unclear.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from p5rec.language.request_vocabulary import ENDS_CLAUSE, NEGATED, any_phrase, any_word
from p5rec.language.vocabulary import COUNTED, NUMBERS

PRICE = "price"

_DIGITS = r"(?:\d{1,3}(?:,\d{3}){1,3}|\d{1,9})(?:\.\d{1,4})?(?![.,]?\d)"
_NUMBER = rf"(?:{_DIGITS}|{'|'.join(COUNTED)})"
_SIGN = r"(?:(?:us)?[$€£]|usd|eur)\s*"
_MONEY = r"\s*-?(?:dollars?|bucks?|euros?|pounds?|usd|eur|[$€£])(?!\w)"
_CENTS = r"\s*-?(?:cents?(?!\w)|¢)"
# A bare number is a price only at the end of a clause: "under 20 calories" is none.
_AFTER = rf"(?:{any_word(ENDS_CLAUSE)}|or(?!\s+\d)|tops|max|rated|each)\b"
_ENDS = rf"(?!\w)(?=\s*(?:$|[,;.!?:)](?:\s|$)|\(|{_AFTER}))"
_OTHERWISE = re.compile(
    r"(?:kids?|child(?:ren)?|bab(?:y|ies)|toddlers?|teens?|adults?|people|persons?|men|women|boys?"
    r"|girls?|anyone|everyone|someone|players?|ages?|aged|years?|old|for|sizes?"
    r"|(?:packs?|sets?|box(?:es)?|bags?|pairs?|out)\s+of)\s+$",
    re.IGNORECASE,
)
"""Before a bare bound these make it one of age, size or number: "kids under 5"."""

_NOT = rf"(?:not|never|cannot|(?:do|does|ca|wo|should|must|would){NEGATED})"
_VERBS = r"(?:\s+(?:want|wanna|like|need|have|to|it|them|spend|pay|cost|go|be|priced|any)){0,5}"
_OVER = r"(?:over|above|more\s+than|more\s+expensive\s+than|pricier\s+than|higher\s+than|beyond)"
_UNDER = (
    r"(?:under|below|(?:less|fewer)\s+than|less\s+expensive\s+than|cheaper\s+than|lower\s+than)"
)
_NOTHING = r"(?:no(?:\s+(?:prices?|items?|products?|things?))?|nothing|none|not\s+anything)"
_MOST = (
    rf"(?:at\s+(?:the\s+)?most|up\s+to|{_NOTHING}\s+{_OVER}"
    rf"|{_NOT}{_VERBS}\s+(?:{_OVER}|exceed(?:ing)?)|maximum(?:\s+of)?|max\.?|within"
    r"|(?:a\s+|my\s+)?budget\s*(?:of|is|:)?|capped\s+at)"
)
_LEAST = (
    rf"(?:at\s+(?:the\s+)?least|{_NOTHING}\s+{_UNDER}"
    rf"|{_NOT}{_VERBS}\s+{_UNDER}|minimum(?:\s+of)?|min\.?|upwards\s+of|starting\s+(?:at|from))"
)
_OR_LESS = r"\s*(?:(?:or|and)\s+(?:less|under|below|cheaper|lower)|tops|max(?:imum)?|at\s+most)\b"
_OR_MORE = r"\s*(?:(?:or|and)\s+(?:more|over|above|up|higher|better)|at\s+least|minimum)\b"
_PLUS = r"\s*\+"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a number; an open bound is itself outside."""

    attribute: str = PRICE
    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    @property
    def empty(self) -> bool:
        """Whether no number is within."""
        if self.low is None or self.high is None:
            return False
        return self.low > self.high or (self.low == self.high and (self.low_open or self.high_open))

    def within(self, other: Bounds) -> Bounds:
        """The numbers that are within both.

        >>> Bounds(low=2).within(Bounds(low=1, high=5, high_open=True))
        Bounds(attribute='price', low=2, high=5, low_open=False, high_open=True)
        """
        lows = [(b.low, b.low_open) for b in (self, other) if b.low is not None]
        highs = [(b.high, not b.high_open) for b in (self, other) if b.high is not None]
        low, low_open = max(lows, default=(None, False))
        high, closed = min(highs, default=(None, True))
        return Bounds(self.attribute, low, high, low_open, not closed)

    def without(self, other: Bounds) -> Bounds:
        """The bounds on the sides on which the other has none.

        >>> Bounds(low=2, high=5).without(Bounds(high=9))
        Bounds(attribute='price', low=2, high=None, low_open=False, high_open=False)
        """
        low, low_open = (self.low, self.low_open) if other.low is None else (None, False)
        high, high_open = (self.high, self.high_open) if other.high is None else (None, False)
        return Bounds(self.attribute, low, high, low_open, high_open)

    def describe(self) -> list[str]:
        """The bounds in words.

        >>> Bounds(low=4, high=20, high_open=True).describe()
        ['price at least 4.00', 'price under 20.00']
        """
        form = ".2f" if self.attribute == PRICE else "g"
        told = []
        if self.low is not None:
            told.append(f"{'over' if self.low_open else 'at least'} {self.low:{form}}")
        if self.high is not None:
            told.append(f"{'under' if self.high_open else 'at most'} {self.high:{form}}")
        return [f"{self.attribute.replace('_', ' ')} {one}" for one in told]


def bound_rules(
    units: Mapping[str, str],
) -> tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Bounds | None]], ...]:
    """Patterns of bounds, in the order tried at one place, each with what it makes of a match.

    What is made is None where the bound is not clear.

    :param units: words after or before a number → the attribute that they bound.
    """
    subject, measure, amount = _subject(units), _measure(units), _Amount(units)
    cues = (("most", _MOST), ("least", _LEAST), ("below", _UNDER), ("above", _OVER))
    signs = (("most", "(?:<=|≤)"), ("least", "(?:>=|≥)"), ("below", "<"), ("above", ">"))
    between = rf"between\s+{amount.first}\s+(?:and|to|-)\s+"
    dashed = rf"(?:from\s+)?{amount.first}\s*(?:-|–|to|through)\s*"
    patterns = [
        ("range", rf"{subject}{between}{amount.of('high')}"),
        ("range", rf"{subject}{dashed}{amount.of('high', bare=False)}"),
        ("range", rf"{subject}(?(subject){dashed}{amount.of('high')}|(?!))"),
        ("range", rf"{subject}(?:from\s+)?{amount.signed}\s*(?:-|–|to)\s*{amount.of('high')}"),
        *((kind, rf"{subject}{cue}{measure}\s+{amount.of(_END_OF[kind])}") for kind, cue in cues),
        *((kind, rf"{subject}{sign}\s*{amount.of(_END_OF[kind])}") for kind, sign in signs),
        *(
            (kind, rf"{subject}{amount.followed(_END_OF[kind], after)}")
            for kind, after in (("most", _OR_LESS), ("least", _OR_MORE), ("least", _PLUS))
        ),
    ]
    lowered = {unit.casefold(): attribute for unit, attribute in units.items()}
    return tuple(
        (re.compile(rf"(?<![\w'’])(?:{pattern})", re.IGNORECASE), _maker(kind, lowered))
        for kind, pattern in patterns
    )


_END_OF = {"most": "high", "below": "high", "least": "low", "above": "low"}

UNCLEAR = re.compile(
    rf"(?:(?<!\w)(?:{_MOST}|{_LEAST}|{_UNDER}|{_OVER}|around|about|roughly|between|from)\s+)?"
    rf"(?:{_SIGN}[\d.,]*\d\w*|(?<![\w.,])[\d.,]*\d{_MONEY})"
    rf"|(?<!\w)(?:{_UNDER}|{_MOST}|{_LEAST})\s+(?:\w+\s+){{1,3}}?(?:dollars?|bucks?|euros?)\b"
    rf"|(?<!\w)(?:{_UNDER}|{_OVER}|{_MOST}|{_LEAST})\s+[\d.,]*\d%?"
    rf"(?:\s*(?!(?:{any_word(ENDS_CLAUSE)})\b)[^\W\d_]+)?"
    rf"|(?<![\w.,])(?:\d[\d.]*|(?:{'|'.join(COUNTED)})(?!\w))(?:\s+out\s+of\s+\d+)?\+?[\s-]*stars?"
    r"(?:\s+(?:or|and)\s+\w+)?\b"
    r"|(?<![\w.,])\d[\d.]*\s+out\s+of\s+\d+(?:\s+(?:or|and)\s+\w+)?\b",
    re.IGNORECASE,
)
"""What looks like a bound and is none of the patterns."""


class _Amount:
    """Patterns of a number with what it is a number of."""

    def __init__(self, units: Mapping[str, str]) -> None:
        self._units = rf"(?:{any_phrase(units)})(?!\w)"
        self.first = rf"(?:{_SIGN})?(?P<low>{_NUMBER})(?:{_MONEY}|[\s-]*{self._units})?"
        self.signed = rf"{_SIGN}(?P<low>{_NUMBER})"

    def of(self, name: str, *, bare: bool = True) -> str:
        """An amount whose number is the bound ``name``."""
        ways = [
            rf"{_SIGN}(?P<{name}_signed>{_NUMBER})(?:{_MONEY})?(?!\w|%)",
            rf"(?P<{name}_named>{_NUMBER}){_MONEY}",
            rf"(?P<{name}_cents>{_NUMBER}){_CENTS}",
            rf"(?P<{name}_counted>{_NUMBER})[\s-]*(?P<unit>{self._units})",
        ]
        if bare:
            ways.append(rf"(?P<{name}_bare>{_DIGITS}){_ENDS}")
        return f"(?:{'|'.join(ways)})"

    def followed(self, name: str, after: str) -> str:
        """An amount with words after it that make it a bound; the unit may come after those."""
        ways = [
            rf"{_SIGN}(?P<{name}_signed>{_NUMBER})(?:{_MONEY})?{after}",
            rf"(?P<{name}_named>{_NUMBER})(?:{_MONEY}{after}|{after}{_MONEY})",
            rf"(?P<{name}_cents>{_NUMBER}){_CENTS}{after}",
            rf"(?P<{name}_counted>{_NUMBER})[\s-]*(?P<unit>{self._units}){after}",
            rf"(?P<{name}_before>{_NUMBER}){after}[\s-]*(?P<after>{self._units})",
        ]
        bare = rf"(?P<{name}_bare>{_DIGITS}){after}{_ENDS}"
        # Nobody knows what "4+" counts, unless "rated" is before it.
        ways.append(rf"(?(subject){bare}|(?!))" if after == _PLUS else bare)
        return f"(?:{'|'.join(ways)})"


def _names(units: Mapping[str, str]) -> str:
    return rf"prices?|priced|costs?|costing|(?:{any_phrase(units)})(?!\w)"


def _subject(units: Mapping[str, str]) -> str:
    """What the bound is of, named before it; may be missing."""
    return rf"(?:(?P<subject>{_names(units)})\s*(?:(?:is|of|at|:|that\s+is)\s*)?)?"


def _measure(units: Mapping[str, str]) -> str:
    """The same after the words that bound: "maximum price 10"."""
    return rf"(?:\s+(?P<measure>{_names(units)})(?:\s+(?:is|of)|:)?)?"


def _maker(kind: str, units: Mapping[str, str]) -> Callable[[re.Match[str]], Bounds | None]:
    def make(found: re.Match[str]) -> Bounds | None:
        given = {name: value for name, value in found.groupdict().items() if value is not None}
        attribute = _attribute(given, units)
        bare = any(name.endswith("_bare") for name in given)
        named = "subject" in given or "measure" in given
        if bare and not named and _OTHERWISE.search(found.string[: found.start()][-20:]):
            return None
        low, high = _bound(given, "low"), _bound(given, "high")
        if low is not None and any(name.endswith("_cents") for name in given) and kind == "range":
            low /= 100
        return Bounds(attribute, low, high, kind == "above", kind == "below")

    return make


def _attribute(given: Mapping[str, str], units: Mapping[str, str]) -> str:
    """The attribute that a match bounds."""
    if any(name.endswith(("_signed", "_named", "_cents")) for name in given):
        return PRICE
    kinds = ("unit", "after", "subject", "measure")
    named = next((given[kind] for kind in kinds if kind in given), "")
    return units.get(named.casefold(), PRICE)


def _bound(given: Mapping[str, str], name: str) -> float | None:
    for group, value in given.items():
        if group.startswith(name):
            number = float(NUMBERS.get(value.lower()) or value.replace(",", ""))
            return number / 100 if group.endswith("_cents") else number
    return None
