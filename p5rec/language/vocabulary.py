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


def word_set(text: str) -> frozenset[str]:
    """The comparable words of a list."""
    return frozenset(map(fold, text.split()))


HISTORY_VERBS = word_set("choose like love enjoy prefer purchased got get have buy own") | word_set(
    " ".join([*VERBS, *VERBS.values()])
)
YOU = word_set("you your yourself")
ITEM = word_set("it this")
IS = word_set("is has was comes belongs shares are")
SHARING = word_set("shares share shared same common both too also")
LIKENESS = word_set("like as with resembles")
REASON = word_set("because since due")
RELATIVE = word_set("which that what from")
BREAKS = word_set("and but while")
DANGLING = BREAKS | word_set(
    "because since due with by from of for to in at as than the a an which that your"
)
"""Words that no sentence ends with."""
NEWEST = word_set("recently last latest newest")
ROLES = {
    fold(word): role
    for word, role in (
        *(("brand", "brand"), ("by", "brand")),
        *(("category", "category"), ("variant", "variant"), ("size", "variant")),
    )
}
COUNTED = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
NUMBERS = {word: number for number, word in enumerate(COUNTED, start=1)} | {"once": 1, "twice": 2}
PLAIN = word_set(
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
