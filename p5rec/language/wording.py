"""How a domain words its reasons, learnt from reference explanations, and new ones that hold.

What is learnt: openings ("The user would enjoy the business for its …"), and how telling a thing
that a record names is, by how often explanations take it up. What is written: openings followed by
things that the item's record or the user's words name, so that nothing is invented.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from p5rec.errors import TrainingError
from p5rec.language.facts import speak
from p5rec.language.support import PLAIN, Records, telling
from p5rec.language.verify import split_sentences
from p5rec.language.words import fold, words

OPENINGS = 12
MOST_THINGS = 3
RECURRING = 0.2
"""An opening recurs if it is used at least so often, as a share of the commonest."""
TAIL = 3
"""Of so many words at an opening's end one says whether it is about the person."""
_WORD = re.compile(r"[^\W_]+(?:['’\-&][^\W_]+)*")
_CUT = re.compile(
    r"[.;:()\"“”!?]|\b(?:who|looking|here|under|about|along with|set|filled|written|narrated|"
    r"whom|that|which|will|would|should|is|are|was|were|be|may|might|can|"
    r"to|as|in|on|at|from|by|for|while|despite|but|because|if|their|his|her|this|these|those|it|they|"
    r"enjoys?|enjoying|appreciates?|offers?|offering|featuring|features?|includ(?:e|es|ing)|prefers?|"
    r"provid(?:e|es|ing)|values?|seeks?|seeking|finds?|loves?|such as|like|likes|fans of|drawn)\b",
    re.IGNORECASE,
)
_LIST = re.compile(r",\s*(?:and\s+|or\s+)?|\s+and\s+|\s+or\s+", re.IGNORECASE)
_ENDS = frozenset(
    words(
        "offers offer offering enjoy enjoys appreciate appreciates its provides love loves "
        "features the of likes like prefer prefers for "
    )
)
_DETERMINERS = re.compile(r"^(?:an?|the|its|his|her|their|some|any|both|all|also|with)\s+", re.I)
# Openings that tell what someone did or wrote before: no record says so.
_TOLD = frozenset(
    words(
        "enjoyed appreciated loved found liked was were had highlighted highlight review "
        "mentioned expressed experience previously "
    )
)
_PEOPLE = frozenset(
    words(
        "fan reader audience goer guest enthusiast lover buff admirer devotee family couple foodie "
        "drinker student adult"
    )
)
_LIKING = frozenset(words("enjoy appreciate love like prefer fan drawn"))
_NOUN_AFTER = frozenset(words("of in with that for at on from to which who by as is are "))


@dataclass(frozen=True)
class Lesson:
    """One reference explanation, with what was known of the item and of the user."""

    item_words: str
    user_words: str
    text: str


@dataclass
class Wording:
    """What was learnt from reference explanations; plain data.

    ``first`` and ``later`` are openings of first and of later sentences with their counts, the
    commonest first; ``taken`` is how often a word was taken up of those times that a record had
    it; ``nouns`` are words that end the name of a thing.
    """

    first: list[tuple[str, int]] = field(default_factory=list)
    later: list[tuple[str, int]] = field(default_factory=list)
    taken: dict[str, float] = field(default_factory=dict)
    nouns: frozenset[str] = frozenset()

    @classmethod
    def learn(cls, lessons: Sequence[Lesson]) -> Wording:
        """Learn from reference explanations.

        :raises TrainingError: if no opening recurs.
        """
        first: Counter[str] = Counter()
        later: Counter[str] = Counter()
        for lesson in lessons:
            for number, sentence in enumerate(split_sentences(lesson.text)):
                opening = _opening(sentence)
                if opening:
                    (later if number else first)[opening] += 1
        if not first:
            raise TrainingError(
                "no reference explanation begins in a way that could be learnt. Expected sentences "
                "such as 'The user would enjoy the business for its …' in the explanation column."
            )
        texts = [text for lesson in lessons for text in (lesson.text, lesson.item_words)]
        return cls(_commonest(first), _commonest(later), _taken(lessons), _nouns(texts))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "first": self.first,
            "later": self.later,
            "taken": self.taken,
            "nouns": sorted(self.nouns),
        }

    @classmethod
    def from_dict(cls, told: dict[str, Any]) -> Wording:
        """What :meth:`to_dict` gave."""
        first, later = ([(text, int(n)) for text, n in told[key]] for key in ("first", "later"))
        return cls(first, later, dict(told["taken"]), frozenset(told["nouns"]))

    def things(self, text: str) -> list[str]:
        """What a record names, in its own words: names of things of one to six words."""
        found: dict[str, str] = {}
        for stretch in _CUT.split(text):
            for part in _LIST.split(stretch):
                thing = _DETERMINERS.sub("", _DETERMINERS.sub("", speak(part.strip())))
                named = _WORD.findall(thing)
                if 1 <= len(named) <= 6 and fold(named[-1]) in self.nouns and telling(thing):
                    if fold(named[-1]) in _PEOPLE or fold(named[0]) in PLAIN:
                        continue
                    if all(word[0].isupper() for word in named):
                        continue
                    found.setdefault(" ".join(words(thing)), thing)
        return list(found.values())

    def worth(self, thing: str, others: frozenset[str] = frozenset()) -> float:
        """How likely explanations take a thing up; more where ``others`` (stems) name it too."""
        found = telling(thing)
        rate = sum(self.taken.get(one, 0.02) for one in found) / max(len(found), 1)
        return rate * (1 + len(others.intersection(found)) / max(len(found), 1))

    def evidence(self, item_words: str, user_words: str) -> list[str]:
        """What the item offers, most telling first: what the user is known to like counts twice."""
        theirs = frozenset(telling(user_words))
        things = self.things(item_words)
        return sorted(things, key=lambda thing: -self.worth(thing, theirs))

    def sentences(self, item_words: str, user_words: str, *, openings: int = 4) -> list[list[str]]:
        """Sentences to choose from, for the first and for the second place; all of them hold.

        What is said of the item stands in its record, and what the person is said to like in
        what is known of the person. The first sentence is about the item where that can be.
        """
        offered = self.evidence(item_words, user_words)
        told = Records([user_words])
        liked = sorted(self.things(user_words), key=lambda one: -self.worth(one))
        of_item = [one for one, _ in self.first if not _about_person(one)] if offered else []
        first = of_item or [one for one, _ in self.first if _about_person(one)]
        used = offered[:MOST_THINGS] if of_item else liked[:MOST_THINGS]
        later = [one for one, _ in self.later]
        left = [thing for thing in liked if not Records(used).support(thing)]
        places = [
            _worded(first[:openings], offered, liked),
            _worded(later[:openings], offered[MOST_THINGS:], left),
        ]
        item = Records([item_words])
        held = [
            [one for one in place if (told if _about_person(one) else item).verify(one).holds]
            for place in places
        ]
        return [place for place in held if place]


def _about_person(text: str) -> bool:
    """Whether a sentence, or its opening, says what a person likes.

    >>> _about_person("They appreciate the"), _about_person("The user would enjoy it for its")
    (True, False)
    """
    opening = _opening(text) or text
    return not _LIKING.isdisjoint(words(opening)[-TAIL:])


def _worded(openings: Sequence[str], offered: Sequence[str], liked: Sequence[str]) -> list[str]:
    """Each opening with what it can be followed by, in two lengths."""
    texts = []
    for opening in openings:
        things = liked if _about_person(opening) else offered
        for most in (MOST_THINGS, MOST_THINGS - 1) if things else ():
            texts.append(f"{opening} {listed(_sized(things, most))}.")
    return list(dict.fromkeys(texts))


def _commonest(openings: Counter[str]) -> list[tuple[str, int]]:
    """The commonest openings, without those that another of them only begins with."""
    found = openings.most_common(2 * OPENINGS)
    least = RECURRING * found[0][1] if found else 0
    return [
        (one, n)
        for one, n in found
        if n >= least and not any(other.startswith(f"{one} ") and m * 5 > n for other, m in found)
    ][:OPENINGS]


def listed(things: Sequence[str]) -> str:
    """Things as a sentence lists them.

    >>> listed(["tacos"]), listed(["tacos", "beer"]), listed(["tacos", "beer", "patio"])
    ('tacos', 'tacos and beer', 'tacos, beer, and patio')
    """
    if len(things) < 3:
        return " and ".join(things)
    return ", ".join(things[:-1]) + f", and {things[-1]}"


def _sized(things: Sequence[str], most: int) -> list[str]:
    """The first things that say something new."""
    kept: list[str] = []
    said: set[str] = set()
    for thing in things:
        stems = set(telling(thing))
        if not stems & said:
            kept.append(thing)
            said |= stems
        if len(kept) == most:
            break
    return kept


def _opening(sentence: str) -> str:
    """The words of a sentence before its first telling one, where a list of things can follow."""
    end = 0
    last = ""
    for found in _WORD.finditer(sentence):
        if fold(found.group()) not in PLAIN or "," in sentence[end : found.start()]:
            break
        end, last = found.end(), found.group()
    opening = sentence[:end]
    said = words(opening)
    fits = (
        bool(last)
        and fold(last) in _ENDS
        and len(said) > 2
        and '"' not in opening
        and _TOLD.isdisjoint(said)
    )
    return opening if fits else ""


def _taken(lessons: Iterable[Lesson]) -> dict[str, float]:
    had: Counter[str] = Counter()
    took: Counter[str] = Counter()
    for lesson in lessons:
        known = set(telling(lesson.item_words))
        had.update(known)
        took.update(known.intersection(telling(lesson.text)))
    return {stem: round((took[stem] + 0.2) / (n + 5), 4) for stem, n in had.items() if n > 1}


def _nouns(texts: Iterable[str]) -> frozenset[str]:
    """Words that mostly stand at the end of what they name, before a pause or a preposition."""
    ending: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    for text in texts:
        found = list(_WORD.finditer(text))
        for one, after in zip(found, [*found[1:], None], strict=True):
            gap = text[one.end() : after.start() if after else len(text)]
            following = "" if after is None else after.group().lower()
            if following in ("and", "or") and not gap.strip():
                continue
            closes = after is None or bool(gap.strip()) or following in _NOUN_AFTER
            (ending if closes else inside)[fold(one.group())] += 1
    return frozenset(word for word, n in ending.items() if n > 1 and n > inside[word])
