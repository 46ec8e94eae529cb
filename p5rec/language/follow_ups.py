"""What a turn of a conversation says about the list before it: ``cheaper``, ``not that one``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["over", "cheaper", "dearer", "brand", "like", "without", "else"]

_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_ORDINAL = rf"(?:{'|'.join((*_ORDINALS, 'tenth'))}|last|\d{{1,3}}(?:st|nd|rd|th))"
_NUMBER = rf"(?:(?:number|no\.?|item|#)\s*(?:\d{{1,3}}|{'|'.join(_NUMBERS)}))|#\d{{1,3}}"
_ITEM = (
    rf"(?P<item>(?:the\s+)?{_ORDINAL}(?:\s+(?:one|item|result|option))?(?!\s+\w+day)|{_NUMBER}"
    r"|(?:this|that)(?:\s+(?:one|item))?|it|these|those|them|all\s+of\s+(?:these|those|them))(?!\w)"
)
_SOME = r"(?:(?:something|anything|some(?:thing)?|one|ones|a|an|any|but|and|make\s+it)\s+)?"
_MORE_OR_LESS = r"(?:(?:(?:a\s+)?(?:bit|little|lot|much|even|slightly|way)|still)\s+)*"
_NO_SUM = r"(?!\s+than\s+(?:about\s+)?[$€£\d])(?:\s+(?:ones?|options?|items?))?"

_PATTERNS: tuple[tuple[Kind, str], ...] = (
    (
        "over",
        r"(?:let['’]?s\s+)?(?:start\s+(?:over|again|anew|afresh)|new\s+search|reset"
        r"|forget\s+(?:it|that|everything|all\s+that|all\s+of\s+that)|never\s*mind"
        r"|clear\s+(?:it\s+)?all|clear\s+everything)",
    ),
    (
        "cheaper",
        rf"{_SOME}{_MORE_OR_LESS}(?:cheaper|less\s+(?:expensive|pricey)|lower[\s-]priced)"
        rf"{_NO_SUM}(?:\s+than\s+{_ITEM})?|(?:that['’]?s\s+|it['’]?s\s+)?too\s+(?:expensive"
        r"|pricey|dear|much)",
    ),
    (
        "dearer",
        rf"{_SOME}{_MORE_OR_LESS}(?:more\s+expensive|pricier|dearer|fancier"
        rf"|higher[\s-](?:priced|end)){_NO_SUM}(?:\s+than\s+{_ITEM})?|too\s+cheap",
    ),
    (
        "brand",
        r"(?:(?:from|by|of|in)\s+)?(?:an(?:y)?other|(?:a\s+)?different|some\s+other|other"
        r"|not\s+(?:this|that|the\s+same))\s+(?:brands?|makers?|manufacturers?|labels?)",
    ),
    (
        "without",
        rf"(?:but\s+)?(?:not(?:\s+like)?|no\s+to|anything\s+but|except(?:\s+for)?|without|drop|remove|skip"
        rf"|i\s+(?:already\s+)?have|i\s+do(?:n['’]?t|\s+not)\s+(?:want|like))\s+{_ITEM}",
    ),
    (
        "like",
        rf"(?:(?:show\s+me\s+)?(?:more|something|anything|others?|some)\s+)?"
        rf"(?:like|similar\s+to|along\s+the\s+lines\s+of)\s+{_ITEM}",
    ),
    (
        "else",
        r"(?:something|anything|what|show\s+me\s+something)\s+(?:else|different)"
        r"|(?:show\s+me\s+|any\s+|some\s+)?other\s+(?:ones?|options?|items?|ideas?|suggestions?)"
        r"|(?:show\s+(?:me\s+)?)?more\s+(?:options|results|ideas|suggestions)|show\s+(?:me\s+)?more"
        r"|others|none\s+of\s+(?:these|those|them)",
    ),
)
"""In the order tried."""
_RULES = tuple(
    (kind, re.compile(rf"(?<![\w'’-])(?:{pattern})(?![\w'’-])", re.IGNORECASE))
    for kind, pattern in _PATTERNS
)


@dataclass(frozen=True)
class FollowUp:
    """What is said about the list before: ``places`` in it from 0, -1 for its last.

    No places: the text names no item of the list. ``every`` means all of them.
    """

    kind: Kind
    quoted: str
    places: tuple[int, ...] = ()
    every: bool = False


def follow_ups(text: str) -> tuple[list[FollowUp], str]:
    """What a text says about the list before it, and the text without that.

    >>> found, rest = follow_ups("something cheaper, not the second one, vegan")
    >>> [(one.kind, one.places) for one in found], rest
    ([('cheaper', ()), ('without', (1,))], ',, vegan')
    """
    found: list[tuple[int, FollowUp]] = []
    rest = text
    for kind, rule in _RULES:
        for match in list(rule.finditer(rest)):
            found.append((match.start(), _read(kind, match)))
        # Blanks of the same length keep the places of what is left.
        rest = rule.sub(lambda match: " " * len(match.group()), rest)
    found.sort(key=lambda entry: entry[0])
    return [one for _, one in found], re.sub(r"\s+(?=,)", "", " ".join(rest.split()))


def _read(kind: Kind, match: re.Match[str]) -> FollowUp:
    item = (match.groupdict().get("item") or "").lower()
    quoted = " ".join(match.group().split())
    if re.search(r"\b(?:these|those|them)\b", item):
        return FollowUp(kind, quoted, every=True)
    return FollowUp(kind, quoted, _places(item))


def _places(item: str) -> tuple[int, ...]:
    """The place that words name; the first for "that one"."""
    if not item:
        return ()
    digits = re.search(r"\d+", item)
    if digits:
        return (int(digits.group()) - 1,)
    for word in item.split():
        if word == "last":
            return (-1,)
        if word in (*_ORDINALS, "tenth"):
            return ((*_ORDINALS, "tenth").index(word),)
    named = [word for word in re.findall(r"\w+", item) if word in _NUMBERS]
    if named and re.match(r"number|no|item|#", item):
        return (_NUMBERS.index(named[-1]),)
    return (0,)
