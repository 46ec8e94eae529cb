"""The closed vocabulary of statements: words that sentences may use beside those of items."""

from __future__ import annotations

from p5rec.language.words import fold

VERBS = {
    "chose": "chosen",
    "bought": "bought",
    "picked": "picked",
    "ordered": "ordered",
    "had": "had",
    "used": "used",
    "viewed": "viewed",
    "liked": "liked",
}
"""What a person can have done with an item, and its participle."""


def _set(text: str) -> frozenset[str]:
    return frozenset(map(fold, text.split()))


HISTORY_VERBS = _set("choose like love enjoy prefer purchased got get have buy own") | _set(
    " ".join([*VERBS, *VERBS.values()])
)
YOU = _set("you your yourself")
ITEM = _set("it this")
IS = _set("is has was comes belongs shares are")
SHARING = _set("shares share shared same common both too also")
LIKENESS = _set("like as with resembles")
REASON = _set("because since due")
RELATIVE = _set("which that what from")
BREAKS = _set("and but while")
JOINTS = BREAKS | _set(
    "because since due with by from of for to in at as than the a an which that your"
)
"""Words that no sentence ends with."""
NEWEST = _set("recently last latest newest")
ROLES = {
    fold(word): role
    for word, role in (
        *(("brand", "brand"), ("by", "brand")),
        *(("category", "category"), ("variant", "variant"), ("size", "variant")),
    )
}
COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {word: number for number, word in enumerate(COUNTED, start=1)} | {"once": 1, "twice": 2}
PLAIN = _set(
    "the a an of in to for at on so been before earlier previously already most ago "
    "time times event events item items product products thing things something "
    "choice choices purchase purchases suggested suggestion recommended "
    "costs cost price priced dollar dollars usd"
)
FUNCTION = (
    *(HISTORY_VERBS, YOU, ITEM, IS, SHARING, LIKENESS, REASON, RELATIVE, BREAKS, NEWEST),
    *(frozenset(ROLES), frozenset(map(fold, NUMBERS)), PLAIN),
)
FUNCTION_WORDS: frozenset[str] = frozenset().union(*FUNCTION)
"""Words that by themselves say nothing of an item; no item can be named with them alone."""
