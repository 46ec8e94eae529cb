"""The closed vocabulary of requests: words that limit, and words that say nothing of a thing."""

from __future__ import annotations

import re
from collections.abc import Iterable

from p5rec.language.vocabulary import FUNCTION_WORDS, word_set
from p5rec.language.words import fold

SEARCHED = 4096
"""Characters of a request in which words and limits are looked for."""


GENERIC_WORDS = word_set(
    "one item product thing stuff brand kind type sort flavour flavor anything something company"
)
"""Words after a denied name that say nothing: "no Alpro products" denies Alpro."""
REQUEST_WORDS = FUNCTION_WORDS | word_set(
    "i i'm im i'd i'll me my mine we us our he she they them their his her who whom whose "
    "a an the and or but if then than so such no not nor only just some any each every all both "
    "of in on at by for from to with without into onto over under about around up down out off "
    "be am is are was were been being do does did doing done have has had having can could may "
    "might must shall should will would want wants wanted need needs needed look looking looks "
    "find finding found search searching show give tell recommend suggest suggestion please "
    "thanks thank hello hi hey maybe perhaps really very quite rather also too as when where "
    "while there here how why what which these those anything something someone thing stuff kind "
    "sort lot bit don't doesn't didn't won't can't isn't aren't let lets let's good best "
    "instead yes ok okay"
)
"""Words that in a request say nothing of the thing that is asked for."""

LABELS = word_set(
    "vegan vegetarian organic kosher halal decaf unscented unsweetened unsalted pescatarian "
    "biodegradable hypoallergenic"
)
"""Words that are a limit by themselves."""
FREE_OF = word_set(
    "gluten sugar dairy lactose nut peanut fat caffeine alcohol fragrance cruelty paraben soy egg "
    "wheat sulfate bpa gmo salt carb"
)
"""Words that are a limit with "free" after them."""
GROUPS: dict[str, frozenset[str]] = {
    word: group
    for group in map(
        word_set,
        (
            *("men man male", "women woman female ladies", "kids child children"),
            *("baby infant newborn toddler", "boys", "girls", "teens teenagers", "adults"),
            *("seniors", "dogs puppies", "cats kittens", "beginners"),
        ),
    )
    for word in group
}
"""Whom a thing can be for → all words for them."""

ONLY = word_set("only exclusively strictly")
ONLY_PASSES = word_set("want need like eat drink buy take use the from by show me")
"""Words that may stand between "only" and a name."""
NO_ONLY = word_set("the if not have has had thing way one got reason problem ones can do am is")
"""Words beside "only" with which it is no limit: "the only thing", "if only"."""
NAMES_IT = word_set("is of be must should called named like either")
"""Words that may stand between what an attribute is called and its value."""
NO_BRAND = word_set(
    "new name any same another which what every favorite favourite my a no other different"
)
"""Words beside "brand" with which it names none: "brand new", "another brand"."""
NO_MAKER = word_set(
    "deliver delivered ship shipped send sent work away far order ordered bought fresh"
)
"""Words before "from" with which no maker follows: "delivered from home"."""
EXCEPT = frozenset(
    {
        ("but",),
        ("except",),
        ("except", "for"),
        (fold("besides"),),
        ("other", "than"),
        ("apart", "from"),
    }
)
"""Words between "nothing" and what is all that may be."""
JOINTS = frozenset({"or", "and"})
ENDS_CLAUSE = (
    "and but for with without under over below above between except not no nothing please from "
    "that which who at if because instead i i'm we you they he she it this today tonight thanks "
    "thank again anymore either though only maybe rather is are as since so by in on around about"
)
"""Words before which a clause ends, whatever it says; the one list of them."""
CLAUSE_STOPS = word_set(f"{ENDS_CLAUSE} less more to")
"""Those before which a phrase that names something ends."""


NEGATED = r"(?:n['’]?t|\s+not)"
"""What after "do", "is" and the like denies them."""


def any_phrase(phrases: Iterable[str]) -> str:
    """A pattern of one of some phrases, the longest first; of nothing if there are none."""
    return "|".join(map(re.escape, sorted(phrases, key=len, reverse=True))) or "(?!)"


def any_word(text: str) -> str:
    """A pattern of one of some words, whichever apostrophe is written.

    >>> any_word("so i'm")
    "so|i['’]m"
    """
    return "|".join(word.replace("'", "['’]") for word in text.split())
