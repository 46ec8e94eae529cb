"""What a request says that items must be: ``only Alpro``, ``brand X or Y``, ``vegan``, ``for men``.

Each rule is a few words beside a name that the catalogue has: a value of a text attribute or a
category, or the name of an attribute that is true or false. Without such a name nothing is
required; a rule that can be meant in no other way is reported then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

from p5rec.decoding.filter_expression import Expression, Holds, Member, Under
from p5rec.language.attribute_index import CATEGORIES, AttributeIndex
from p5rec.language.request_vocabulary import (
    CLAUSE_STOPS,
    EXCEPT,
    FREE_OF,
    GENERIC_WORDS,
    GROUPS,
    JOINTS,
    LABELS,
    NAMES_IT,
    NO_BRAND,
    NO_MAKER,
    NO_ONLY,
    ONLY,
    ONLY_PASSES,
)
from p5rec.language.said_words import SaidWords
from p5rec.language.word_index import WordIndex
from p5rec.language.words import words


@dataclass(frozen=True)
class Requirement:
    """What items must be; ``shown`` is how to tell it, ``attribute`` the one whose value it is.

    An item fits if its attributes pass ``values``, or its texts have one of the phrases ``said``.
    """

    shown: str
    values: Expression | None = None
    said: tuple[tuple[str, ...], ...] = ()
    attribute: str | None = None


@dataclass(frozen=True)
class _Found:
    """A requirement (None: the words are not understood) in the tokens ``start`` to ``end``."""

    start: int
    end: int
    requirement: Requirement | None


def required(
    text: str, attributes: AttributeIndex, index: WordIndex, taken: Sequence[tuple[int, int]]
) -> tuple[list[Requirement], list[str]]:
    """What a text says that items must be, and what of that is not understood, as quoted.

    :param taken: places of the text, from and to, that are limits of another kind.
    """
    said = SaidWords(text, taken)
    reader = _Reader(said, attributes, index)
    requirements: list[Requirement] = []
    unclear: list[str] = []
    for found in reader.read():
        if found.requirement is None:
            unclear.append(said.quoted(found.start, found.end))
        elif found.requirement not in requirements:
            requirements.append(found.requirement)
    return requirements, unclear


class _Reader:
    """Tries each rule at each word, from left to right."""

    def __init__(self, said: SaidWords, attributes: AttributeIndex, index: WordIndex) -> None:
        self._said, self._attributes, self._index = said, attributes, index
        self._rules: tuple[Callable[[int], _Found | None], ...] = (
            self._only,
            self._nothing_but,
            self._named,
            self._of_maker,
            self._within,
            self._label,
            self._group,
        )

    def read(self) -> Iterator[_Found]:
        """All that is found, none overlapping another."""
        at = 0
        while at < len(self._said.words):
            found = next((f for rule in self._rules if (f := rule(at)) is not None), None)
            if found is not None:
                yield found
            at = found.end if found is not None else at + 1

    def _only(self, at: int) -> _Found | None:
        """``only X``, or ``X only``."""
        said, size = self._said, self._name_at(at)
        if size:
            requirement, end = self._values(at, size)
            if said.word(end) in ONLY and said.joined(end - 1) and not self._name_at(end + 1):
                return _Found(at, end + 1, requirement)
        named = size > 1 and said.word(at) in ONLY  # "Only Natural" is a brand
        if named or said.word(at) not in ONLY or said.word(at - 1) in NO_ONLY:
            return None
        return self._after_only(at, at + 1)

    def _nothing_but(self, at: int) -> _Found | None:
        """``nothing but X``, ``no brands except X``."""
        generic = self._said.word(at) == "no" and self._said.word(at + 1) in GENERIC_WORDS
        if self._said.word(at) != "nothing" and not generic:
            return None
        begun = at + 1 + generic
        begun += self._said.word(begun) == "else"
        size = next((n for n in (2, 1) if self._said.phrase(begun, begun + n) in EXCEPT), 0)
        return self._after_only(at, begun + size) if size else None

    def _after_only(self, at: int, begun: int) -> _Found | None:
        while self._said.word(begun) in ONLY_PASSES:
            begun += 1
        size = self._name_at(begun)
        end = self._said.clause_end(begun)
        phrase = self._said.phrase(begun, end)
        longer = size < len(phrase) <= 3 and len(self._index.rows_with_phrase(phrase))
        if size and not longer:
            requirement, named = self._values(begun, size)
            return _Found(at, named, requirement)
        label = self._label(begun)
        if label is not None:
            return label
        first = self._said.word(begun)
        if not first or first in NO_ONLY or first[0].isdigit():
            return None
        if phrase and GENERIC_WORDS.issuperset(phrase):
            return None
        if 0 < len(phrase) <= 3 and len(self._index.rows_with_all(phrase)):
            shown = self._said.quoted(begun, end)
            return _Found(at, end, Requirement(f"only: {shown}", said=(phrase,)))
        return _Found(at, max(begun, min(end, begun + 3)), None)

    def _named(self, at: int) -> _Found | None:
        """``brand X``, ``X brand``; the same with any other text attribute, and ``category``."""
        names = self._attributes.attribute_names
        for size in range(min(3, len(self._said.words) - at), 0, -1):
            attribute = names.get(self._said.phrase(at, at + size))
            if attribute is not None:
                return self._after_name(at, at + size, attribute)
        size = self._name_at(at)
        known = self._attributes.names.of.get(self._said.phrase(at, at + size), ())
        for attribute in dict.fromkeys(name for name, _ in known):
            requirement, end = self._values(at, size, attribute)
            if names.get((self._said.word(end),)) == attribute and self._said.joined(end - 1):
                return _Found(at, end + 1, requirement)
        return None

    def _after_name(self, at: int, begun: int, attribute: str) -> _Found | None:
        while self._said.word(begun) in NAMES_IT:
            begun += 1
        size = self._name_at(begun, attribute)
        if size:
            requirement, end = self._values(begun, size, attribute)
            return _Found(at, end, requirement)
        unnamed = (
            self._said.word(begun) in NO_BRAND | CLAUSE_STOPS or self._said.word(at - 1) in NO_BRAND
        )
        if attribute != "brand" or unnamed or not self._said.follows(begun - 1):
            return None
        return _Found(at, begun + 1, None)

    def _of_maker(self, at: int) -> _Found | None:
        """``by X`` and ``from X`` with a brand."""
        if self._said.word(at) not in ("by", "from") or self._said.word(at - 1) in NO_MAKER:
            return None
        size = self._name_at(at + 1, "brand")
        if not size:
            return None
        requirement, end = self._values(at + 1, size, "brand")
        return _Found(at, end, requirement)

    def _within(self, at: int) -> _Found | None:
        """``in X`` with a category, at the end of a clause."""
        # "Milk to put in coffee" is no coffee.
        if self._said.word(at) != "in" or "to" in self._said.words[max(0, at - 3) : at]:
            return None
        begun = at + 1 + (self._said.word(at + 1) in ("the", "your", "category"))
        size = self._name_at(begun, CATEGORIES)
        if not size:
            return None
        requirement, end = self._values(begun, size, CATEGORIES)
        if (self._said.word(end),) in self._attributes.attribute_names:
            end += 1
        return _Found(at, end, requirement) if self._said.ends(end - 1) else None

    def _label(self, at: int) -> _Found | None:
        """``vegan``, ``sugar-free``, or the name of an attribute that is true or false."""
        choices: list[tuple[str, ...]] = []
        end = at
        while (size := self._label_at(end)) > 0:
            choices.append(self._said.phrase(end, end + size))
            end += size
            if self._said.word(end) != "or" or not self._label_at(end + 1):
                break
            end += 1
        if not choices or self._said.phrase(end, end + 2) == ("or", "not"):
            return None
        truths = self._attributes.truth_names
        values: list[Expression] = [Holds(truths[one]) for one in choices if one in truths]
        said = tuple(choice for choice in choices if choice not in truths)
        known = all(len(self._index.rows_with_phrase(phrase)) for phrase in said)
        shown = f"only: {self._said.quoted(at, end)}"
        joined = reduce(Expression.__or__, values) if values else None
        return _Found(at, end, Requirement(shown, joined, said) if known else None)

    def _label_at(self, at: int) -> int:
        """How many words from ``at`` on are a label."""
        for size in range(min(4, len(self._said.words) - at), 0, -1):
            if self._said.phrase(at, at + size) in self._attributes.truth_names:
                return size
        if (
            self._said.word(at) in FREE_OF
            and self._said.word(at + 1) == "free"
            and self._said.joined(at)
        ):
            return 2
        return int(self._said.word(at) in LABELS)

    def _group(self, at: int) -> _Found | None:
        """``for men or boys`` at the end of a clause: values or texts that name a group."""
        if self._said.word(at) != "for":
            return None
        end, group = at + 1, frozenset[str]()
        while more := GROUPS.get(self._said.word(end)):
            group, end = group | more, end + 1
            if self._said.word(end) not in JOINTS or self._said.word(end + 1) not in GROUPS:
                break
            end += 1
        if (
            not group
            or not self._said.ends(end - 1)
            or self._said.quoted(at, end).endswith(("'", "’"))
        ):
            return None
        values = self._attributes.values_with(group)
        said = tuple(("for", word) for word in sorted(group))
        said = tuple(phrase for phrase in said if len(self._index.rows_with_phrase(phrase)))
        shown = f"only: {self._said.quoted(at, end)}"
        fits = Requirement(shown, values, said) if values is not None or said else None
        return _Found(at, end, fits)

    def _values(self, at: int, size: int, attribute: str | None = None) -> tuple[Requirement, int]:
        """The requirement of a name and of those joined to it by ``or``; where it ends."""
        own = self._attributes.names.of[self._said.phrase(at, at + size)]
        chosen = attribute or _preferred([name for name, _ in own])
        shown: list[str] = []
        conditions: list[Expression] = []
        while True:
            named = self._attributes.names.values(self._said.words[at : at + size], chosen)
            shown.append(named[0])
            if chosen == CATEGORIES:
                conditions += [Under(chosen, value) for value in named]
            else:
                conditions.append(Member(chosen, tuple(named)))
            end = at + size
            at = end + (self._said.word(end) in JOINTS)
            size = self._name_at(at, chosen)
            listed = at > end or (at < len(self._said.words) and self._said.comma(end))
            if not size or not listed:
                break
        told = "category" if chosen == CATEGORIES else chosen.replace("_", " ")
        values = reduce(Expression.__or__, conditions)
        return Requirement(f"{told}: {' or '.join(shown)}", values, attribute=chosen), end

    def _name_at(self, at: int, attribute: str | None = None) -> int:
        """How many words from ``at`` on are a value of the attribute (of any), at most."""
        names = self._attributes.names
        for size in range(min(names.longest, len(self._said.words) - at), 0, -1):
            known = names.of.get(self._said.phrase(at, at + size), ())
            if any(attribute in (None, name) for name, _ in known):
                return size
        return 0


def _preferred(attributes: Sequence[str]) -> str:
    """Of the attributes that have a value of one name: the brand, then the category."""
    return next((name for name in ("brand", CATEGORIES) if name in attributes), attributes[0])


def says(index: WordIndex, requirement: Requirement) -> list[int]:
    """The rows whose texts have one of the phrases of a requirement."""
    return sorted({row for said in requirement.said for row in index.rows_with_phrase(said)})


def name_words(requirement: Requirement) -> set[str]:
    """The comparable words that tell a requirement."""
    return set(words(requirement.shown.partition(": ")[2])) - {"or", "for"}
