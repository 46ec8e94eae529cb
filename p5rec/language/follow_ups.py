"""What a turn of a conversation says about the list before it: ``cheaper``, ``not that one``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from p5rec.language.request_vocabulary import NEGATED
from p5rec.language.vocabulary import COUNTED

Kind = Literal[
    "over", "cheaper", "dearer", "no dearer", "no cheaper", "brand", "like", "without", "else"
]

_ORDINALS = (
    *("first", "second", "third", "fourth", "fifth"),
    *("sixth", "seventh", "eighth", "ninth", "tenth"),
)
_ORDINAL = rf"(?:{'|'.join(_ORDINALS)}|last|\d{{1,3}}(?:st|nd|rd|th))"
_COUNT = rf"(?:\d{{1,3}}|{'|'.join(COUNTED)})"
_NUMBER = rf"(?:number|no\.?|item|#)\s*{_COUNT}"
_PLACE = (
    rf"(?:(?:the\s+)?(?:(?:first|last)\s+{_COUNT}|{_ORDINAL})(?:\s+(?:one|item|result|option)s?)?"
    rf"(?!\s+\w+day)|{_NUMBER})(?!\w)"
)
_JOINT = r"\s*(?:,\s*(?:(?:and|or|nor)\b)?|\b(?:and|or|nor)\b)\s*"
_ITEM = (
    rf"(?P<item>{_PLACE}(?:{_JOINT}{_PLACE})*"
    r"|(?:(?:this|that)(?:\s+(?:one|item))?|it|these|those|them|all\s+of\s+(?:these|those|them))"
    r"(?!\w))"
)
_SOME = r"(?:(?:something|anything|some(?:thing)?|one|ones|a|an|any|but|and|make\s+it)\s+)?"
_MORE_OR_LESS = r"(?:(?:(?:a\s+)?(?:bit|little|lot|much|even|slightly|way)|still)\s+)*"
_NO_SUM = (
    rf"(?!\s+than\s+(?:about\s+)?(?:[$€£\d]|{_COUNT}\s+(?:dollar|buck|euro|pound|cent)))"
    r"(?:\s+(?:ones?|options?|items?))?"
)
_CHEAPER = r"(?:cheaper|less\s+(?:expensive|pricey)|lower[\s-]priced)"
_DEARER = r"(?:more\s+expensive|pricier|dearer|fancier|higher[\s-](?:priced|end))"
_THAN = rf"{_NO_SUM}(?:\s+than\s+{_ITEM})?"
_IS = (
    rf"(?:{_ITEM}(?:\s+(?:is|was|are|were)|['’]?s|['’]re)\s+(?:(?:a\s+bit|way|still)\s+)?)?"
    r"(?<!not\s)(?<!n['’]t\s)"
)
_NO = r"(?:but\s+)?(?:not(?:\s+any(?:thing)?)?|nothing|none|no)\s+"
_CLAUSE_ENDS = r"(?=\s*(?:[,;.!?:]|$|(?:and|please|show|let)\b))"

_PATTERNS: tuple[tuple[Kind, str], ...] = (
    (
        "over",
        r"(?:let['’]?s\s+)?(?:start\s+(?:over|again|anew|afresh)|new\s+search"
        r"|clear\s+(?:it\s+)?all|clear\s+everything"
        rf"|(?<!to\s)(?<!the\s)(?<!a\s)reset(?:\s+(?:everything|it\s+all))?{_CLAUSE_ENDS}"
        r"|(?:forget|never\s*mind)\s+(?:it|that|everything|all\s+(?:of\s+)?that)"
        rf"{_CLAUSE_ENDS}|never\s*mind{_CLAUSE_ENDS})",
    ),
    ("no dearer", rf"{_NO}{_MORE_OR_LESS}{_DEARER}{_THAN}"),
    ("no cheaper", rf"{_NO}{_MORE_OR_LESS}{_CHEAPER}{_THAN}"),
    ("cheaper", rf"{_SOME}{_MORE_OR_LESS}{_CHEAPER}{_THAN}"),
    ("cheaper", rf"less\s+than\s+{_ITEM}"),
    (
        "cheaper",
        # "Too much caffeine" is no price.
        rf"{_IS}too\s+(?:expensive|pricey|dear|much(?:\s+(?:money|for\s+me)|(?!\s+\w)))",
    ),
    ("dearer", rf"{_SOME}{_MORE_OR_LESS}{_DEARER}{_THAN}"),
    ("dearer", rf"{_IS}too\s+cheap"),
    (
        "brand",
        r"(?:(?:from|by|of|in)\s+)?(?:an(?:y)?other|(?:a\s+)?different|some\s+other|other"
        r"|not\s+(?:this|that|the\s+same))\s+(?:brands?|makers?|manufacturers?|labels?)",
    ),
    (
        "without",
        r"(?:but\s+)?(?:not(?:\s+(?:like|similar\s+to))?|nothing\s+like|no\s+to|anything\s+but"
        r"|except(?:\s+for)?|without|drop|remove|skip|forget"
        rf"|i\s+(?:already\s+)?have|i\s+do{NEGATED}\s+(?:want|like))\s+{_ITEM}",
    ),
    (
        "like",
        rf"(?:(?:show\s+me\s+)?(?:more|something|anything|others?|some)\s+)?"
        # "I'd like it to be vegan" wants nothing like it.
        rf"(?:(?<!['’]d\s)(?<!would\s)like|similar\s+to|along\s+the\s+lines\s+of)\s+{_ITEM}",
    ),
    (
        "else",
        r"(?:something|anything|what|show\s+me\s+something)\s+(?:else|different)"
        r"|(?:show\s+me\s+|any\s+|some\s+)?other\s+(?:ones?|options?|items?|ideas?|suggestions?)"
        r"|(?:show\s+(?:me\s+)?)?more\s+(?:options|results|ideas|suggestions)|show\s+(?:me\s+)?more"
        r"|\A\s*more(?:\s+please)?(?=\W*\Z)"
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
    places = [place for one in re.split(_JOINT, item) if one for place in _places(one)]
    return FollowUp(kind, quoted, tuple(dict.fromkeys(places)))


def _places(item: str) -> tuple[int, ...]:
    """The places that words name; the first for "that one".

    >>> _places("the first two"), _places("last 2"), _places("the 3rd one"), _places("number two")
    ((0, 1), (-2, -1), (2,), (1,))
    """
    several = re.search(rf"\b(first|last)\s+({_COUNT})(?!\w)", item)
    if several and several[2] != "one":
        count = _number(several[2])
        return tuple(range(count)) if several[1] == "first" else tuple(range(-count, 0))
    for word in item.split():
        if word == "last":
            return (-1,)
        if word in _ORDINALS:
            return (_ORDINALS.index(word),)
        if re.match(r"\d+(?:st|nd|rd|th)", word):
            return (int(re.sub(r"\D", "", word)) - 1,)
    numbered = re.search(rf"(?:number|no\.?|item|#)\s*({_COUNT})", item)
    return (_number(numbered[1] if numbered else "one") - 1,)


def _number(said: str) -> int:
    return COUNTED.index(said) + 1 if said in COUNTED else int(said)
