"""The attributes and values of a catalogue as a person may name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import pyarrow as pa

from p5rec.data.arrays import is_list, is_number, is_text
from p5rec.data.catalogue import Catalogue
from p5rec.decoding.filter_expression import Expression, Member, Under
from p5rec.language.words import fold, words

Phrase = tuple[str, ...]

CATEGORIES = "categories"
_ASIDE = ("item_id", "title", "description")
_RATED = ("rated", "star", "stars")
_RATINGS = ("rating", "stars", "average_rating", "avg_rating")
_NO_UNITS = frozenset(
    {
        *("price", "number", "count", "id", "age", "people", "person", "player"),
        *("year", "month", "week", "day", "hour", "minute"),
    }
)
"""Last words of names that beside a number mostly count something else."""
LONGEST_NAME = 6
"""Words of a value that can be named; longer ones are texts."""


@dataclass
class Names:
    """What phrases of comparable words stand for: ``(attribute, value as written)``."""

    of: dict[Phrase, list[tuple[str, str]]] = field(default_factory=dict)
    longest: int = 0

    def add(self, attribute: str, value: str) -> None:
        """Let the words of a value stand for it."""
        phrase = tuple(words(value))
        if 0 < len(phrase) <= LONGEST_NAME:
            known = self.of.setdefault(phrase, [])
            if (attribute, value) not in known:
                known.append((attribute, value))
            self.longest = max(self.longest, len(phrase))

    def values(self, phrase: Sequence[str], attribute: str) -> list[str]:
        """The values of one attribute that a phrase stands for."""
        return [value for name, value in self.of.get(tuple(phrase), ()) if name == attribute]

    def longest_at(self, said: Sequence[str], at: int) -> int:
        """How many words from ``at`` on are a name, at most; 0 if none is."""
        for size in range(min(self.longest, len(said) - at), 0, -1):
            if tuple(said[at : at + size]) in self.of:
                return size
        return 0


class AttributeIndex:
    """Which attributes hold numbers, truth values and names, and which values those have."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        schema = catalogue.table.schema
        self.numbers = [f.name for f in schema if is_number(f.type) and f.name not in _ASIDE]
        self.truths = [f.name for f in schema if pa.types.is_boolean(f.type)]
        self.texts = [f.name for f in schema if is_text(f.type) and f.name not in _ASIDE]
        self.has_categories = CATEGORIES in schema.names and is_list(schema.field(CATEGORIES).type)

    @cached_property
    def units(self) -> dict[str, str]:
        """Words that, beside a number, say which attribute it bounds.

        An attribute's name, its last word if that is no other's and tells enough, and stars for a
        rating.
        """
        found: dict[str, str] = {}
        last: dict[str, list[str]] = {}
        for name in self.numbers:
            spoken = name.replace("_", " ").lower()
            found |= dict.fromkeys(_forms(spoken), name)
            last.setdefault(spoken.split()[-1], []).append(name)
        for word, names in last.items():
            if len(names) == 1 and fold(word) not in _NO_UNITS:
                found = dict.fromkeys(_forms(word), names[0]) | found
        rating = next((name for name in _RATINGS if name in self.numbers), None)
        if rating is not None:
            found |= dict.fromkeys(("rating", *_RATED), rating)
        found.pop("price", None)
        return found

    @cached_property
    def names(self) -> Names:
        """The values of brand, categories and other text attributes."""
        found = Names()
        for name in self.texts:
            for value in dict.fromkeys(self._catalogue.column(name)):
                if value:
                    found.add(name, value)
        for value in dict.fromkeys(self._categories()):
            found.add(CATEGORIES, value)
        return found

    def values_with(self, group: frozenset[str]) -> Expression | None:
        """Values of categories and attributes, but brands, that have a word of a group."""
        found: list[Expression] = []
        for phrase, known in self.names.of.items():
            if group & set(phrase):
                found += [
                    Under(name, value) if name == CATEGORIES else Member(name, (value,))
                    for name, value in known
                    if name != "brand"
                ]
        return reduce(Expression.__or__, found) if found else None

    @cached_property
    def truth_names(self) -> dict[Phrase, str]:
        """The words of each attribute that is true or false; ``is_vegan`` is "vegan", too."""
        named = {tuple(words(name.replace("_", " "))): name for name in self.truths}
        plain = {phrase[1:]: name for phrase, name in named.items() if phrase[0] == "is"}
        return {phrase: name for phrase, name in plain.items() if phrase} | named

    @cached_property
    def attribute_names(self) -> dict[Phrase, str]:
        """The words of each text attribute's name; ``category`` for categories."""
        found = {tuple(words(name.replace("_", " "))): name for name in ("brand", *self.texts)}
        if self.has_categories:
            also = ("category", "section", "department", "aisle")
            found |= {tuple(words(name)): CATEGORIES for name in also}
        return found

    def _categories(self) -> Iterator[str]:
        if self.has_categories:
            for path in self._catalogue.column(CATEGORIES):
                yield from (value for value in path or () if value)


def spoken(attribute: str) -> str:
    """How an attribute is said.

    >>> spoken("is_vegan"), spoken("in_stock")
    ('vegan', 'in stock')
    """
    return attribute.replace("_", " ").removeprefix("is ")


def _forms(spoken: str) -> Iterable[str]:
    """A name in the singular and the plural."""
    if spoken.endswith("ies"):
        return (spoken, spoken[:-3] + "y")
    if spoken.endswith("s"):
        return (spoken, spoken[:-1])
    return (spoken, spoken + "s")
