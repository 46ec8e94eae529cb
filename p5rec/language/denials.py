"""What a request denies: ``not X``, ``no X``, ``without X``, ``anything but X``, ``I hate X``.

``X`` goes up to a comma, ``and``, ``but``, ``for`` and so on. ``or`` joins what is denied, and so
do commas where ``or`` comes at their end; after what only leaves out ("allergic to", "I don't
want") ``and`` joins as ``or`` does. Where ``and`` ends a list after a plain ``no``, the names that
the shop has decide (:mod:`p5rec.language.request_reading`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from p5rec.language.limits import Limit, Rule
from p5rec.language.request_vocabulary import (
    ENDS_CLAUSE,
    GENERIC_WORDS,
    NEGATED,
    any_phrase,
    any_word,
)

_NOT = rf"(?:do|does|did|can|ca|wo|would|should)(?:{NEGATED}|not)"
_WANT = (
    r"(?:want|like|need|eat|drink|have|include|get|love|enjoy|show(?:\s+me)?|give(?:\s+me)?"
    r"|care\s+for|stand|recommend|suggest|offer(?:\s+me)?|use|buy)"
)
_BEING = rf"(?:is|are|was|were){NEGATED}"
_OF = r"(?:from|by|with|containing|made\s+(?:by|of|with)|in)"
_FROM = rf"(?:\s+(?:{_OF}|like))?"
_BE = rf"(?:be{_FROM}|have|contain|include)"
_COMPARED = r"(?:more|less|fewer|over|under|above|below|pricier|cheaper|higher|lower)\b"
_BUT = r"(?:but|except|besides)(?:\s+for)?"
_LEAVING_OUT = (
    rf"any(?:thing|one|\s+\w+)?\s+{_BUT}{_FROM}",
    rf"(?:all|everything)\s+{_BUT}{_FROM}",
    r"except(?:\s+for)?",
    r"exclud(?:e|ing)",
    r"(?:any\s+)?other(?:\s+\w+)?\s+than",
    r"(?:apart|aside)\s+from",
    r"(?<=\w\s)besides",
    r"instead\s+of",
    r"rather\s+than",
    r"free\s+(?:of|from)",
    r"leave\s+out",
    r"hold\s+the",
    r"minus",
    r"avoid(?:ing)?",
    r"skip(?:ping)?",
    r"hates?",
    r"dislikes?",
    r"allergic\s+to",
    r"(?:sick|tired)\s+of",
    r"without(?:\s+any)?",
    r"w/o(?:\s+any)?",
)
"""Denials that say nothing but what is left out."""
_DENYING_EACH = (
    rf"nothing\s+(?:{_OF}|like|for)",
    rf"never(?:\s+{_WANT})?",
    rf"{_NOT}\s+want\s+(?:it|them|this)\s+to\s+{_BE}",
    rf"(?:must|may|can|ca|could|should|would|wo|will)(?:{NEGATED}|not)\s+{_BE}",
    rf"{_NOT}\s+{_WANT}",
    r"not\s+(?:from|by)",
    *_LEAVING_OUT,
)
"""Denials after which ``and`` joins what is denied."""
_DENYING = (
    *_DENYING_EACH,
    rf"{_BEING}{_FROM}",
    r"neither",
    rf"(?:but|and|or)\s+(?:no|not|without|nor)(?!\s+{_COMPARED})(?:\s+any)?{_FROM}",
    r"no",
    rf"not{_FROM}",
    # "Coke Zero cherry" denies nothing.
    r"(?:(?<=with\s)|(?<=has\s)|(?<=have\s)|(?<=and\s)|(?<=but\s)|(?<=[,;]\s)|\A)zero",
)
_ANY = r"(?:anything|everything|items?|products?|things?|stuff)"
_DENIAL = re.compile(
    rf"(?<![\w'’-])(?:{'|'.join(_DENYING)})(?![\w'’-])\s+"
    r"(?:(?:the|any|an?|more|those|these|your|some)\s+)*"
    rf"(?:{_ANY}\s+(?:that\s+(?:is|are|has|have)\s+)?{_OF}\s+(?:the\s+)?)?",
    re.IGNORECASE,
)
_LEAVES_OUT = re.compile("|".join(_LEAVING_OUT), re.IGNORECASE)
_DENIES_EACH = re.compile("|".join(_DENYING_EACH), re.IGNORECASE)
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
_NAMES_NOTHING = re.compile(r"(?:please|thanks|and|but|or)\b", re.IGNORECASE)
_NO_REQUIREMENT = re.compile(
    rf"(?<![\w'’-])(?:(?:nothing|no\s+(?:{any_word(' '.join(sorted(GENERIC_WORDS)))})s?)"
    rf"(?:\s+else)?\s+(?:{_BUT}|other\s+than|apart\s+from)"
    r"|or\s+not(?=\s*(?:$|[,;.!?)]|(?:please|thanks|does\w*|do\w*|is|i|we)\b)))(?![\w'’-])",
    re.IGNORECASE,
)
"""``nothing but X`` denies everything else; ``vegan or not`` nothing."""

_PAUSE = r"[;.!?:()\n](?=\s|$)|[;!?:()]|\s[-–—]\s"
_STOPS = rf"{any_word(ENDS_CLAUSE)}|less|more|cheaper|to|up|max"
# "anything from Lindt" goes on after "from".
_STOP = rf"\s(?:(?<!\banything\s)(?<!\bitems\s)(?<!\bproducts\s)(?:{_STOPS}))\b"
_ENDS = re.compile(rf"\s*(?:,(?=\s|$)|{_PAUSE}|{_STOP}|$)", re.IGNORECASE)
_NEW_WISH = (
    r"(?:\w+[\s-]free|an?|some|the|no|not|without|also|i|i['’]d|maybe|with|want|need|love|like|would|show|give"
    r"|find|prefer|just)\b"
)
_SUBJECT = re.compile(r"\s+(?:is|are|sounds?)\b", re.IGNORECASE)


class _Joint(NamedTuple):
    """What joins a series: its words, what parts it, and what ends it."""

    word: re.Pattern[str]
    parts: re.Pattern[str]
    ends: re.Pattern[str]

    @classmethod
    def of(cls, words: str) -> _Joint:
        """The joint of such words; no stop is one."""
        flags = re.IGNORECASE
        return cls(
            re.compile(rf"\b(?:{words})\b", flags),
            re.compile(rf"\s*(?:,\s*(?:{words})\b|,|\b(?:{words})\b)\s*", flags),
            re.compile(rf"\s*(?:{_PAUSE}|,?(?!\s(?:{words})\b){_STOP}|$)", flags),
        )


_OR = _Joint.of("or|nor")
_EXCEPTION = re.compile(
    r"\s+(?:(?:except|besides|unless)\b|(?:over|above|more\s+than)\s+[$€£\d])", re.IGNORECASE
)
"""After a denied thing: not all of it is denied."""
_OF_IT = re.compile(
    r"\s+(?:from|by|with|that\s+(?:has|have|contains?))\s+(?:(?:the|any)\s+)?(?![$€£\d]|now\b)",
    re.IGNORECASE,
)
_TAKES_NOUNS = re.compile(rf"(?:no|hate|avoid|exclud|{_NOT})", re.IGNORECASE)
_ARTICLES = re.compile(rf"^(?:{_ANY}\s+(?={_OF}\s))?(?:(?:the|any|an?|{_OF})\s+)?", re.IGNORECASE)


def denial_rules(labels: Iterable[str]) -> list[Rule]:
    """The patterns of what is denied.

    :param labels: words that are a limit by themselves.
    """
    label = rf"(?:{any_phrase(labels)})(?!\w)"
    non = rf"(?<![\w'’-])(?:non[-\s]?|nothing\s+(?:that\s+is\s+)?)(?P<label>{label})"
    return [
        (re.compile(non, re.IGNORECASE), _label),
        (_NO_REQUIREMENT, _none),
        (_DENIAL, _Denials(label).read),
    ]


def _label(found: re.Match[str]) -> Limit:
    return Limit(found.start(), found.end(), (found["label"],))


def _none(found: re.Match[str]) -> Limit:
    return Limit(found.start(), found.end(), none=True)


class _Denials:
    """Reads what is denied.

    :param label: a pattern of words that are a limit by themselves.
    """

    def __init__(self, label: str) -> None:
        self._label = re.compile(label, re.IGNORECASE)
        self._all_joined = _Joint.of(rf"or|nor|and(?!\s+{_NEW_WISH})")
        self._then_label = re.compile(rf",?\s+and\s+(?:\w+[\s-]free\b|{label})", re.IGNORECASE)
        # "Allergic to nuts and vegan" denies nothing vegan.
        self._joined = _Joint.of(rf"or|nor|and(?!\s+(?:{_NEW_WISH}|{label}))")

    def read(self, found: re.Match[str]) -> Limit:
        """The limit of a match."""
        text, start, begun = found.string, found.start(), found.end()
        if excuse := _NO_DENIAL.match(text, begun):
            return Limit(start, excuse.end())
        if _NAMES_NOTHING.match(text, begun):
            return Limit(start, begun)
        if _NO_LIMIT.match(text, begun) and not _LEAVES_OUT.match(found.group()):
            return Limit(start, begun, none=True)
        stop, parts = self._series(text, begun, each=bool(_DENIES_EACH.match(found.group())))
        if exception := _EXCEPTION.match(text, stop):
            return Limit(start, _end(_ENDS, text, exception.end()))
        of_it = _OF_IT.match(text, stop) if _TAKES_NOUNS.match(found.group()) else None
        if of_it:  # "no coffee by Alpro" denies neither all coffee nor all that is Alpro's
            stop = _end(self._joined.ends, text, of_it.end())
            owner = text[of_it.end() : stop]
            if len(parts) > 1 or self._joined.word.search(owner):
                return Limit(start, stop)
            parts = [f"{parts[0]} {owner}"]
        denied = (_ARTICLES.sub("", part.strip()) for part in parts)
        return Limit(start, stop, tuple(part for part in denied if part))

    def _series(self, text: str, begun: int, *, each: bool) -> tuple[int, list[str]]:
        """``A, B or C`` after a denial: where it ends, and its parts.

        :param each: whether ``and`` joins them, too, and a joint alone is enough.
        """
        joint = self._all_joined if self._label.match(text, begun) else self._joined
        joint = joint if each else _OR
        stop = _end(joint.ends, text, begun)
        series = text[begun:stop]
        if joined := joint.word.search(series):
            # What comes after "or B," is another thing.
            last, _, _ = series[joined.end() :].partition(",")
            series = series[: joined.end()] + last
        listed = joined or (each and self._then_label.match(text, stop))
        goes_on = each and _SUBJECT.match(text, stop)
        parts = [part for part in joint.parts.split(series) if part.strip()]
        short = all(len(part.split()) <= 3 for part in parts)
        if listed and not goes_on and short and (each or "," in series):
            return begun + len(series), parts
        stop = _end(_ENDS, text, begun)
        return stop, re.split(r"\s+(?:or|nor)\s+", text[begun:stop], flags=re.IGNORECASE)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.search(text, at)
    return found.start() if found else len(text)
