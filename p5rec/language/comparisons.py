"""Sentences that compare, deny or count roughly: forms of their own, read before all others."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.language.explanation import Claim
from p5rec.language.mentions import Values
from p5rec.language.words import fold, words

IntArray = NDArray[np.int64]
Read = Callable[[str], list[Claim]]

OFTEN = 3
"""From so many events on, something was chosen often."""

_REWORDED = tuple(
    (re.compile(pattern, re.IGNORECASE), by)
    for pattern, by in (
        (r"\b(it|that)['’]s\b", r"\1 is"),
        (r"\b(is|have|did|does|do|has)n['’]t\b", r"\1 not"),
        (r"\byou['’]ve\b", "you have"),
        (r"\bit(?:'s| is) (?:made|produced|sold) by\b", "it is by"),
        (r"^(.{1,80}?) (?:makes|made|produces) (?:it|this|this item)\.?$", r"It is by \1."),
        (r"\bits (?=\w+(?: \w+)? is\b)", "the "),
        (r"\bits (?=\w+ with\b)", "the "),
        (r"^(.{1,80}?), which you (\w+), (is .{1,80}?) (?:too|as well)\.?$",
         r"You \2 \1, and this \3 too."),
    )
)  # fmt: skip
_IT = r"(?:it|this|this (?:item|product))"
_SUM = r"\d[\d,]{0,11}(?:\.\d{1,4})?"
_PRICE = re.compile(
    rf"^{_IT} (?:costs|is priced|is) (?P<how>less than|under|below|more than|over|above)"
    rf" (?:\$ ?(?P<sign>{_SUM})|(?P<word>{_SUM}) (?:dollars|usd))\.?$",
    re.IGNORECASE,
)
_THAN = re.compile(
    rf"^{_IT} (?P<how>is cheaper|costs less|is more expensive|is dearer|costs more)"
    r" than (?P<name>.+?)\.?$",
    re.IGNORECASE,
)
_SAME = re.compile(
    rf"^(?P<one>{_IT}|.{{1,80}}?) (?:is by|is from|has|is of|comes in|shares) (?:the same|the)"
    r" (?P<what>\w+(?: \w+)?) (?:as|with) (?P<name>.+?)\.?$",
    re.IGNORECASE,
)
_OFTEN = re.compile(r"^you (?:often|frequently|regularly) (?P<verb>\w+) (?P<what>.+?)\.?$", re.I)
_NOT = re.compile(rf"^{_IT} (?:is|has) not (?P<what>.+?)\.?$", re.IGNORECASE)
_NEVER = re.compile(
    r"^you (?:have |did )?(?:never|not) (?P<verb>\w+) (?P<what>.+?)(?: before)?\.?$", re.IGNORECASE
)
_ROUGH = frozenset({"same", "than", "not", "never"})
_TYING = frozenset({"too", "both", "also", "well", "same"})
_CHEAPER = frozenset({"less than", "under", "below", "is cheaper", "costs less"})


def is_rough(sentence: str) -> bool:
    """Whether a sentence has a word that only the forms of this module can read rightly."""
    return not _ROUGH.isdisjoint(words(sentence))


def reworded(sentence: str) -> str:
    """The sentence in forms that can be read: no short forms, the maker after ``by``.

    >>> reworded("Chobani makes it."), reworded("It's a yogurt.")
    ('It is by Chobani.', 'It is a yogurt.')
    """
    for pattern, by in _REWORDED:
        sentence = pattern.sub(by, sentence)
    return sentence[:1].upper() + sentence[1:]


@dataclass(frozen=True)
class Comparisons:
    """Reads what compares items, denies or says ``often``.

    :param prices: the price of each item, None where unknown.
    """

    values: Values
    prices: Sequence[float | None] | None

    def claims(
        self, sentence: str, item: int, history: IntArray, read: Read, counts: Callable[[str], int]
    ) -> list[Claim] | None:
        """The claims of a sentence of one of these forms; None for any other.

        :param read: gives the claims of a plain sentence.
        :param counts: how many events the things have that a phrase of the history names.
        """
        if found := _PRICE.match(sentence):
            return [Claim(sentence, "price", self._priced(found, item))]
        if found := _THAN.match(sentence):
            cheaper = found["how"].lower() in _CHEAPER
            return [Claim(sentence, "price", self._compared(found["name"], item, cheaper))]
        if found := _SAME.match(sentence):
            told = self._same(found, item, history)
            return None if told is None else [Claim(sentence, "shared", told)]
        if found := _OFTEN.match(sentence):
            plain = f"You {found['verb']} {found['what']}."
            return [Claim(sentence, "count", counts(plain) >= OFTEN)]
        return self._denied(sentence, read)

    def _denied(self, sentence: str, read: Read) -> list[Claim] | None:
        """A denial holds where what is denied can be read, and no record supports it."""
        if found := _NEVER.match(sentence):
            denied = read(f"You {found['verb']} {found['what']}.")
            wrong = bool(denied) and all(claim.kind == "history" for claim in denied)
        elif found := _NOT.match(sentence):
            denied = read(f"It is {found['what']}.")
            wrong = bool(denied) and all(
                claim.kind not in ("unreadable", "none", "history") for claim in denied
            )
            wrong = wrong and all(claim.text in self.values.of_key for claim in denied)
        else:
            return None
        single = len(denied) == 1 and not denied[0].supported
        return [Claim(sentence, "denial", wrong and single)]

    def _priced(self, found: re.Match[str], item: int) -> bool:
        price = self._price(item)
        limit = float((found["sign"] or found["word"]).replace(",", ""))
        if price is None:
            return False
        return price < limit if found["how"].lower() in _CHEAPER else price > limit

    def _compared(self, name: str, item: int, cheaper: bool) -> bool:
        own = self._price(item)
        others = [self._price(row) for row in self._named(name)]
        if own is None or not others or any(other is None for other in others):
            return False
        pairs = [(own, other) for other in others if other is not None]
        return all(a < b if cheaper else a > b for a, b in pairs)

    def _same(self, found: re.Match[str], item: int, history: IntArray) -> bool | None:
        """Whether two items have an attribute in common; None if no attribute is named."""
        name, _, told = found["name"].partition(", which you ")
        others = self._named(name)
        one = found["one"].lower()
        if one not in ("it", "this", "this item", "this product") and item not in self._named(one):
            return None
        if not others:
            return None
        if told and not np.isin(others, history).any():
            return False
        what = fold(found["what"].lower())
        if what == "price":
            own = self._price(item)
            return own is not None and any(self._price(row) == own for row in others)
        attribute = self.values.attributes.get(what, found["what"].lower())
        if attribute not in self.values.facts.attributes:
            return None
        own_value = self._value(item, attribute)
        return own_value is not None and any(
            self._value(row, attribute) == own_value for row in others if row != item
        )

    def _value(self, row: int, attribute: str) -> str | None:
        """An item's value of an attribute; of several, such as categories, the deepest."""
        facts = self.values.facts
        own = (fact for fact in facts.of(row) if facts.attributes[fact] == attribute)
        fact = next(own, None)
        return None if fact is None else self.values.keys[fact]

    def _named(self, name: str) -> list[int]:
        """The items of a name, the whole of it."""
        number = self.values.names.get(" ".join(words(name)))
        return [] if not number else np.flatnonzero(self.values.name_of_row == number).tolist()

    def _price(self, row: int) -> float | None:
        return None if self.prices is None else self.prices[row]


def sentence_parts(sentence: str) -> Iterator[str]:
    """The parts of a sentence around ``and`` and ``but``, where each could stand alone.

    >>> list(sentence_parts("It is by Lindt, and you bought Corn Chips."))
    ['It is by Lindt.', 'You bought Corn Chips.']
    """
    if not _TYING.isdisjoint(words(sentence)):
        yield sentence
        return
    parts = re.split(r",? (?:and|but) (?=(?:it|this|you)\b)", sentence, flags=re.IGNORECASE)
    for part in parts:
        plain = part.strip().rstrip(".")
        yield f"{plain[:1].upper()}{plain[1:]}."
