"""Whether a sentence is whole: nothing dangles at its ends, and brackets that close were opened."""

from __future__ import annotations

import re
from collections.abc import Sequence

from p5rec.language.mentions import Mention
from p5rec.language.vocabulary import BREAKS, DANGLING, HISTORY_VERBS, NUMBERS, SHARING
from p5rec.language.words import fold

_TELLING = HISTORY_VERBS | SHARING | frozenset(map(fold, NUMBERS))
_DANGLING = re.compile(r"[,;:(\[\-–—&]")
_DOUBLED = re.compile(r"[,;:]\s*[,;:]|\(\s*[),;:]")
_CLOSING = re.compile(r"[)%”’\"]*")


def unfinished(sentence: str, mentions: Sequence[Mention]) -> str:
    """Why a sentence is not whole; empty if it is. Signs within names are let be.

    :param mentions: what it mentions, in order.
    """
    if not mentions:
        return ""
    if _DANGLING.search(sentence[mentions[-1].end :]) or _joints(mentions):
        return "it has no end"
    if _DANGLING.match(sentence) and not sentence.startswith("("):
        return "it has no beginning"
    if any(_DOUBLED.search(mention.before) for mention in mentions):
        return "signs with nothing between them"
    if _balanced(sentence) != sentence:
        return "a bracket that nothing opened"
    return ""


def finished(sentence: str, mentions: Sequence[Mention]) -> str:
    """A sentence without what dangles at its ends; empty if it is nothing else."""
    kept = list(mentions[: len(mentions) - _joints(mentions)])
    if not kept:
        return ""
    closing = _CLOSING.match(sentence, kept[-1].end)
    end = kept[-1].end if closing is None else closing.end()
    body = _balanced(sentence[:end]).lstrip(",;:)]-–—& ")
    return f"{body[:1].upper()}{body[1:]}."


def _joints(mentions: Sequence[Mention]) -> int:
    """How many mentions at the end only join what comes before to nothing."""
    number = 0
    while number < len(mentions) and _joins(mentions[-1 - number]):
        number += 1
    for back, mention in enumerate(reversed(mentions), start=1):
        if mention.kind == "grammar" and mention.key in BREAKS:
            return max(number, back)
        if mention.kind != "grammar" or mention.key in _TELLING:
            break
    return number


def _joins(mention: Mention) -> bool:
    return mention.kind == "grammar" and mention.key in DANGLING


def _balanced(text: str) -> str:
    """A text without closing brackets that nothing opened."""
    depth, kept = 0, []
    for letter in text:
        depth += letter == "("
        if letter == ")":
            if not depth:
                continue
            depth -= 1
        kept.append(letter)
    return "".join(kept)
