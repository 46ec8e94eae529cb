"""The grammar of limits in a request: what is denied, and within which bounds.

It understands ``not X``, ``no X``, ``without X``, ``anything but X``, ``nothing from X``,
``I don't like X`` and the like: ``X`` up to a comma, ``and``, ``but``, ``for`` and so on; ``or``
joins what is denied, and so do commas where ``or`` comes at their end. ``bounds`` has the bounds.
What looks like a limit and isn't one of these is reported as it stands, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from p5rec.language.bounds import UNCLEAR, Bounds, bound_rules

_NOT = r"(?:do|does|did|can|ca|wo|would|should)(?:n['’]?t|\s+not|not)"
_WANT = (
    r"(?:want|like|need|eat|drink|have|include|get|love|enjoy|show(?:\s+me)?|give(?:\s+me)?"
    r"|care\s+for|stand)"
)
_BEING = r"(?:is|are|was|were)(?:n['’]?t|\s+not)"
_FROM = r"(?:\s+(?:from|by|with|made\s+(?:by|of|with)|containing|like|in))?"
_DENIAL = re.compile(
    rf"(?<![\w'’-])(?:any(?:thing|one|\s+\w+)?\s+(?:but|except|besides)(?:\s+for)?{_FROM}"
    rf"|(?:all|everything)\s+(?:but|except)(?:\s+for)?{_FROM}"
    r"|except(?:\s+for)?|excluding|exclude|other\s+than|apart\s+from|aside\s+from"
    r"|instead\s+of|rather\s+than|free\s+(?:of|from)|leave\s+out|hold\s+the|minus"
    r"|avoid(?:ing)?|skip(?:ping)?|hates?|dislikes?|allergic\s+to"
    r"|(?:sick|tired)\s+of|nothing\s+(?:from|by|with|containing|made\s+(?:by|of|with)|like|in)"
    rf"|never(?:\s+{_WANT})?|{_NOT}\s+{_WANT}|{_BEING}{_FROM}|neither"
    rf"|(?:but|and|or)\s+(?:no|not|without|nor)(?:\s+any)?{_FROM}|without(?:\s+any)?|no|not{_FROM}"
    r")(?![\w'’-])\s+(?:(?:the|any|an?|more|those|these|your|some)\s+)*",
    re.IGNORECASE,
)
_NO_DENIAL = re.compile(
    r"(?:only|too|so|very|necessarily|really|that|more|less|over|under|below|above|least|most"
    r"|without|no|not|except|all|every|exactly|quite|overly|particularly|super|as|much|many|enough"
    r"|always)\b",
    re.IGNORECASE,
)
"""After a denial these make it one of degree, which no filter is."""
_NO_LIMIT = re.compile(
    r"(?:sure|just|matter|idea|problem|longer|need|doubt|rush|thanks|worries|one|bad|to|be|mind|way"
    r"|wonder|if|yet|worry|care|fussy|picky|preference|clue|hurry|biggie|else)\b",
    re.IGNORECASE,
)
"""After a denial these say that it was none."""
_LEAVES_OUT = re.compile(
    r"(?:any|all|every|except|exclud|other|apart|aside|instead|rather|free|leave|hold|minus|avoid"
    r"|skip|hate|dislike|allergic|sick|tired|without)",
    re.IGNORECASE,
)
"""Denials that say nothing but what is left out."""
_NO_WORDS = re.compile(r"(?:please|thanks|and|but|or)\b", re.IGNORECASE)
_STOPS = (
    r"and|but|for|with|without|under|over|below|above|between|except|not|no|please|from|that"
    r"|which|at|less|more|cheaper|to|if|because|instead|up|i|i['’]m|we|you|they|he|she|it|today"
    r"|tonight|thanks|thank|again|anymore|either|this|though|only|maybe|rather|is|are|as|since|so"
    r"|max|by|in"
)
_DENIED_ENDS = re.compile(
    rf"\s*(?:[,;.!?:()\n](?=\s|$)|[;!?:()]|\s[-–—]\s|\s(?:{_STOPS})\b|$)", re.IGNORECASE
)
_SERIES = re.compile(r"\s*(?:,\s*(?:or|nor)\b|,|\b(?:or|nor)\b)\s*", re.IGNORECASE)
_SERIES_ENDS = re.compile(
    rf"\s*(?:[;.!?:()\n](?=\s|$)|[;!?:()]|\s[-–—]\s|,?\s(?:{_STOPS})\b|$)", re.IGNORECASE
)
_BOTH = re.compile(r"\s+and\s+(?!(?:a|an|some|the|no|not|without|also|i|maybe|with)\b)", re.I)
_ALL_OF = re.compile(r"(?:without|avoid|exclud|free|allergic|nothing|minus|skip|except)", re.I)
_ARTICLES = re.compile(r"^(?:the|any|an?|from|by|with)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a text states a limit, and which: words, bounds, or neither (not understood).

    ``none`` says that it only looked like a limit.
    """

    start: int
    end: int
    denied: tuple[str, ...] = ()
    bounds: Bounds | None = None
    none: bool = False


class Grammar:
    """Finds limits in texts.

    :param units: words beside a number → the attribute that they make it a bound of.

    >>> grammar = Grammar({"stars": "rating"})
    >>> [(limit.denied, limit.bounds and limit.bounds.describe()) for limit in
    ...  grammar.limits("yogurt, not Chobani, under $5, at least 4 stars")]
    [(('Chobani',), None), ((), ['price under 5.00']), ((), ['rating at least 4'])]
    """

    def __init__(self, units: Mapping[str, str]) -> None:
        # At one place bounds are tried before a denial, and that before something unclear.
        self._rules: list[tuple[re.Pattern[str], _Maker]] = [
            (pattern, _bounded(make)) for pattern, make in bound_rules(units)
        ]
        self._rules += [(_DENIAL, _denial), (UNCLEAR, _unclear)]

    def limits(self, text: str) -> Iterator[Limit]:
        """The limits of a text from left to right, none overlapping another."""
        at = 0
        finders = [_Finder(text, rule, make) for rule, make in self._rules]
        while True:
            found = min((f.next(at) for f in finders), key=lambda limit: limit.start)
            if found is _END:
                return
            yield found
            at = found.end


_Maker = Callable[[re.Match[str]], Limit]


class _Finder:
    """Finds what one pattern gives, looking at each part of the text once."""

    def __init__(self, text: str, rule: re.Pattern[str], make: _Maker) -> None:
        self._text, self._rule, self._make = text, rule, make
        self._found: Limit | None = None

    def next(self, at: int) -> Limit:
        """The first limit that begins at ``at`` or later."""
        if self._found is None or self._found.start < at:
            found = self._rule.search(self._text, at)
            self._found = self._make(found) if found else _END
        return self._found


def _bounded(make: Callable[[re.Match[str]], Bounds | None]) -> _Maker:
    return lambda found: Limit(found.start(), found.end(), bounds=make(found))


def _denial(found: re.Match[str]) -> Limit:
    text, begun = found.string, found.end()
    excuse = _NO_DENIAL.match(text, begun)
    if excuse:
        return Limit(found.start(), excuse.end())
    if _NO_WORDS.match(text, begun):
        return Limit(found.start(), begun)
    if _NO_LIMIT.match(text, begun) and not _LEAVES_OUT.match(found.group()):
        return Limit(found.start(), begun, none=True)
    stop, parts = _series(text, begun)
    if parts is None:
        ends = _DENIED_ENDS.search(text, begun)
        stop = ends.start() if ends else len(text)
        parts = re.split(r"\s+(?:or|nor)\s+", text[begun:stop], flags=re.IGNORECASE)
        both = _BOTH.match(text, stop)
        if both and _ALL_OF.match(found.group()):
            ends = _DENIED_ENDS.search(text, both.end())
            stop = ends.start() if ends else len(text)
            parts.append(text[both.end() : stop])
    denied = (_ARTICLES.sub("", part.strip()) for part in parts)
    return Limit(found.start(), stop, tuple(part for part in denied if part))


def _series(text: str, begun: int) -> tuple[int, list[str] | None]:
    """``A, B or C`` after a denial: where it ends and its parts; None if there is none."""
    ends = _SERIES_ENDS.search(text, begun)
    stop = ends.start() if ends else len(text)
    series = text[begun:stop]
    joined = re.search(r"\b(?:or|nor)\b", series, re.IGNORECASE)
    if "," not in series or not joined or series.rfind(",") > joined.end():
        return begun, None
    parts = [part for part in _SERIES.split(series) if part.strip()]
    return (stop, parts) if all(len(part.split()) <= 3 for part in parts) else (begun, None)


def _unclear(found: re.Match[str]) -> Limit:
    return Limit(found.start(), found.end())


_END = Limit(2**62, 2**62)
