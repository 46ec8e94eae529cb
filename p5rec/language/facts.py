"""What is known about each item, as facts that can be said and compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from html import unescape
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from p5rec.data.arrays import is_text, ragged
from p5rec.data.catalogue import Catalogue
from p5rec.language.explanation import Shared
from p5rec.language.vocabulary import FUNCTION_WORDS
from p5rec.language.words import words

IntArray = NDArray[np.int64]

LONGEST = 80
_ASIDE = ("item_id", "title", "description", "price", "categories", "brand", "variant")
_MARKUP = re.compile(r"<[^<>]*>|\w+://\S*|www\.\S*")
# Brackets, braces and the like could be read as markup; quotation marks bound names in sentences.
_POINT = re.compile(r"(?<![\w.])\.(?=\d)")
_SIGNS = re.compile(r"[<>{}\[\]|\\^~`*#_=\"“”„«»]|[.!?…]+(?=\s|$)")
_EDGES = re.compile(r"^[\W_]+|[^\w)%]+$")
_CAPITALS = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


def speak(text: str) -> str:
    """A catalogue text as a sentence can hold it: no markup, no full stops, not all in capitals.

    >>> speak("<b>FLUID MILK</b> (WHITE"), speak("1/2 GAL."), speak("Dr. {Pepper}")
    ('Fluid Milk (White)', '1/2 gal', 'Dr Pepper')
    >>> speak(".75 oz"), speak("Burt&#39;s Bees"), speak("(600) 4 lb")
    ('0.75 oz', "Burt's Bees", '600 4 lb')
    """
    plain = _POINT.sub("0.", _MARKUP.sub(" ", unescape(text[: 4 * LONGEST])))
    plain = " ".join(_SIGNS.sub(" ", plain).split())
    if plain.isupper():
        plain = plain.lower() if plain[0].isdigit() else _CAPITALS.sub(_capitalised, plain)
    if len(plain) > LONGEST:
        plain = plain[:LONGEST].rsplit(" ", 1)[0]
    plain = _EDGES.sub("", plain)
    unopened = max(0, plain.count(")") - plain.count("("))
    plain = plain.replace(")", "", unopened)
    return plain + ")" * max(0, plain.count("(") - plain.count(")"))


def _capitalised(word: re.Match[str]) -> str:
    return word.group().capitalize()


def can_be_said(text: str) -> bool:
    """Whether a spoken text names something: it has a word that is not a word of grammar.

    >>> can_be_said("Oat milk"), can_be_said("You"), can_be_said("🎉")
    (True, False, False)
    """
    return any(word not in FUNCTION_WORDS for word in words(text))


class ItemFacts:
    """The facts of all items: each item's brand, categories, variant and further text attributes.

    A fact is an attribute with a value; two values are one if their words are. ``attributes[f]``
    and ``values[f]`` are the words for fact ``f``; ``information[f]`` is how telling it is, the
    log of items in all over items that have it. Prices, other numbers and descriptions are none.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.attributes: list[str] = []
        self.values: list[str] = []
        self._numbers: dict[tuple[str, str], int] = {}
        number = cache(self._number)
        per_item = [
            [fact for fact in dict.fromkeys(number(*pair) for pair in pairs) if fact >= 0]
            for pairs in _pairs(catalogue)
        ]
        self.offsets: IntArray = np.concatenate([[0], np.cumsum([len(f) for f in per_item])])
        self.offsets = self.offsets.astype(np.int64)
        self.facts: IntArray = np.fromiter(
            (fact for facts in per_item for fact in facts), np.int64, int(self.offsets[-1])
        )
        having = np.bincount(self.facts, minlength=len(self.values))
        self.information = np.log(max(len(catalogue), 1) / np.maximum(having, 1)) + 1e-3
        self._common = having > max(len(catalogue) / 4, 10)
        self._titles = _titles(catalogue)
        self._ids = catalogue.item_ids
        self._labels: dict[int, str] = {}

    def of(self, row: int) -> list[int]:
        """The facts of an item: deepest category first, then brand, variant and the rest."""
        facts: list[int] = self.facts[self.offsets[row] : self.offsets[row + 1]].tolist()
        return facts

    def label(self, row: int) -> str:
        """What to call an item in a sentence; empty if nothing about it can be said.

        The title; without one, the last category with brand and variant; without these the id,
        where it is no number, which a reader would take for a count.
        """
        if row not in self._labels:
            self._labels[row] = self._label(row)
        return self._labels[row]

    def has_own_name(self, row: int) -> bool:
        """Whether no other item is called the same, so that what is said of the name holds."""
        return self._named[self.label(row)] == 1

    @cached_property
    def _named(self) -> Counter[str]:
        return Counter(self.label(row) for row in range(len(self._ids)))

    def title(self, row: int) -> str:
        """The item's title as it can be said; empty if there is none."""
        title = self._titles[row]
        spoken = speak(title) if title else ""
        return spoken if can_be_said(spoken) else ""

    def likeness(self, item: int, rows: IntArray) -> NDArray[np.float64]:
        """The information that each row's item shares with ``item``, ``float64[len(rows)]``."""
        weight = np.zeros(len(self.values))
        own = self.facts[self.offsets[item] : self.offsets[item + 1]]
        weight[own] = self.information[own]
        starts, sizes = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        ends = np.cumsum(sizes)
        sums = np.concatenate([[0.0], np.cumsum(weight[self.facts[ragged(starts, sizes)]])])
        return np.asarray(sums[ends] - sums[ends - sizes])

    def shared(self, item: int, rows: Sequence[int], *, times: int = 0) -> tuple[Shared, ...]:
        """What the item has in common with other items, most telling first.

        :param times: how often the item itself was chosen; from 1 on that comes first.
        """
        others = [row for row in dict.fromkeys(rows) if row != item]
        theirs = [set(self.of(row)) for row in others]
        found = []
        for fact in self.of(item):
            having = tuple(r for r, facts in zip(others, theirs, strict=True) if fact in facts)
            if having:
                found.append((-float(self.information[fact]), fact, having))
        found.sort(key=lambda entry: entry[0])
        again = [Shared("again", str(times), (item,))] if times else []
        facts = (Shared(self.attributes[f], self.values[f], rows) for _, f, rows in found)
        return (*again, *facts)

    def alike(self, item: int, rows: IntArray, *, most: int) -> list[tuple[int, IntArray]]:
        """Facts of the item that two and more of ``rows`` have, most telling first, and which.

        Facts that most items have are left out, and of facts with the same rows all but one.
        """
        theirs = [set(self.of(row)) if row != item else set() for row in rows.tolist()]
        own = sorted(self.of(item), key=lambda fact: -self.information[fact])
        found: dict[tuple[int, ...], int] = {}
        for fact in own:
            having = tuple(at for at, facts in enumerate(theirs) if fact in facts)
            if len(having) > 1 and not self._common[fact]:
                found.setdefault(having, fact)
        return [(fact, rows[list(having)]) for having, fact in list(found.items())[:most]]

    def is_telling(self, shared: Shared) -> bool:
        """Whether a shared fact is worth a sentence: not if over a quarter of all items have it."""
        fact = self._numbers.get((shared.attribute, " ".join(words(shared.value))))
        return fact is not None and not self._common[fact]

    def _number(self, attribute: str, value: str) -> int:
        """The number of a fact, a new one if need be; -1 if it cannot be said."""
        spoken = speak(value) if len(value) <= LONGEST else ""
        if not can_be_said(spoken):
            return -1
        fact = self._numbers.setdefault((attribute, " ".join(words(spoken))), len(self.values))
        if fact == len(self.values):
            self.attributes.append(attribute)
            self.values.append(spoken)
        return fact

    def _label(self, row: int) -> str:
        title = self.title(row)
        if title:
            return title
        named: dict[str, str] = {}
        for fact in self.of(row):
            named.setdefault(self.attributes[fact], self.values[fact])
        parts = [named[name] for name in ("category", "brand", "variant") if name in named]
        if parts:
            return parts[0] + (f" ({', '.join(parts[1:])})" if parts[1:] else "")
        name = speak(self._ids[row])
        return name if can_be_said(name) and not name.isdecimal() else ""


def _pairs(catalogue: Catalogue) -> Iterator[list[tuple[str, str]]]:
    """The attributes of each item with their values as written, in the order they are said."""
    empty: list[None] = [None] * len(catalogue)
    present = catalogue.table.column_names
    columns = [
        (name, catalogue.column(name) if name in present else empty)
        for name in ("brand", "variant")
    ]
    for name in present:
        kind = catalogue.table.schema.field(name).type
        attribute = speak(name.replace("_", " ")).lower()
        if name not in _ASIDE and is_text(kind) and words(attribute):
            columns.append((attribute, catalogue.column(name)))
    paths = catalogue.column("categories") if "categories" in present else empty
    for row, path in enumerate(paths):
        said = [("category", category) for category in reversed(path or ()) if category]
        yield said + [(name, column[row]) for name, column in columns if column[row]]


def _titles(catalogue: Catalogue) -> list[str | None]:
    if "title" in catalogue.table.column_names:
        return catalogue.column("title")
    return [None] * len(catalogue)


_KNOWN: WeakKeyDictionary[Catalogue, ItemFacts] = WeakKeyDictionary()


def facts_of(catalogue: Catalogue) -> ItemFacts:
    """The facts of a catalogue, made once and kept as long as the catalogue is."""
    found = _KNOWN.get(catalogue)
    if found is None:
        found = _KNOWN[catalogue] = ItemFacts(catalogue)
    return found
