"""Requests in plain words: what is wished, and the limits that a person set."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.language.facts import ItemFacts, facts_of
from p5rec.language.limits import Limit, Price, limits
from p5rec.language.vocabulary import FUNCTION_WORDS
from p5rec.language.word_index import WordIndex
from p5rec.language.words import words
from p5rec.prompting.cleaning import clean

IntArray = NDArray[np.int64]

LONGEST_REQUEST = 64 * 1024
"""Bytes of UTF-8."""
SEARCHED = 4096
"""Characters in which limits are looked for."""
ANY_PRICE = Price()


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asks for.

    ``wish`` is the text without its limits; ``denied`` are words that no item may have, each
    entry all at once; ``price`` bounds the price. ``not_understood`` quotes what looked like a
    limit and could not be made one: it limits nothing.
    """

    text: str
    wish: str
    denied: tuple[str, ...] = ()
    price: Price = ANY_PRICE
    not_understood: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, index: WordIndex) -> Request:
        """Find the limits of a request; ``limits`` has the grammar.

        A denied word that no item has, a price where the catalogue has none, and prices that
        contradict each other are reported as not understood.

        >>> import pyarrow as pa
        >>> shop = Catalogue.from_table(pa.table({"item_id": ["a"], "title": ["Corn chips"]}))
        >>> Request.parse("a snack, no chips, under $3", WordIndex(shop)).describe()
        ['not: chips', 'not understood: under $3']

        :raises RequestError: if the text is empty or longer than 64 KiB.
        """
        size = len(text.encode("utf-8", errors="replace"))
        if size > LONGEST_REQUEST:
            raise RequestError(
                f"the request has {size:,} bytes. The limit is {LONGEST_REQUEST:,} bytes (64 KiB) "
                "of UTF-8. Say it shorter."
            )
        if not clean(text, max_characters=LONGEST_REQUEST):
            raise RequestError(
                "the request is empty. Expected words such as 'a light yogurt'. To get items "
                "without a request, use recommend."
            )
        return _Reading(text, index).request()

    @property
    def price_low(self) -> float | None:
        """The least price, or None."""
        return self.price.low

    @property
    def price_high(self) -> float | None:
        """The highest price, or None."""
        return self.price.high

    def describe(self) -> list[str]:
        """The limits as they were understood, to be shown to the person who asked."""
        told = [f"not: {denied}" for denied in self.denied]
        low, high = self.price.low, self.price.high
        if low is not None:
            told.append(f"price {'over' if self.price.low_open else 'at least'} {low:.2f}")
        if high is not None:
            told.append(f"price {'under' if self.price.high_open else 'at most'} {high:.2f}")
        return told + [f"not understood: {part}" for part in self.not_understood]


class _Reading:
    """One pass over a text, limit by limit."""

    def __init__(self, text: str, index: WordIndex) -> None:
        self.text = text
        self.index = index
        self.denied: list[str] = []
        self.unclear: list[str] = []
        self.prices: list[tuple[str, Price]] = []

    def request(self) -> Request:
        kept, at = [], 0
        for limit in limits(self.text[:SEARCHED]):
            if self._take(limit):
                kept.append(self.text[at : limit.start])
                at = limit.end
        kept.append(self.text[at:])
        if len(self.text) > SEARCHED:
            self.unclear.append(f"what follows the first {SEARCHED:,} characters")
        price = self._price()
        wish = _tidy(" ".join(kept))
        return Request(self.text, wish, tuple(self.denied), price, tuple(self.unclear))

    def _take(self, limit: Limit) -> bool:
        """Note a limit; whether its text is no part of the wish."""
        quoted = " ".join(self.text[limit.start : limit.end].split())
        if limit.price is not None and self.index.has_price:
            self.prices.append((quoted, limit.price))
            return True
        if not limit.denied:
            self.unclear.append(quoted)
            return limit.price is not None
        known = [part for part in limit.denied if len(self.index.rows_with_all(words(part)))]
        self.denied += [part for part in known if part not in self.denied]
        self.unclear += [
            f"{quoted} (no item has {part!r})" for part in limit.denied if part not in known
        ]
        return True

    def _price(self) -> Price:
        """All prices together: the narrowest bounds."""
        low, low_open = max(
            ((p.low, p.low_open) for _, p in self.prices if p.low is not None),
            default=(None, False),
        )
        high, closed = min(
            ((p.high, not p.high_open) for _, p in self.prices if p.high is not None),
            default=(None, True),
        )
        if low is not None and high is not None and low > high:
            self.unclear += [quoted for quoted, _ in self.prices]
            return ANY_PRICE
        return Price(low, high, low_open, not closed)


def _tidy(wish: str) -> str:
    """What is left of a text with its limits cut out, without the joints."""
    plain = re.sub(r"\s*,(?:\s*,)+", ",", " ".join(wish.split()))
    plain = re.sub(r"\s+(?=[,;.!?](?:\s|$))", "", plain)
    plain = re.sub(r"^(?:(?:and|but|or)\b|[\s,;.!?])+", "", plain, flags=re.IGNORECASE)
    # Only the end is looked at: the pattern would take time in the square of a long text.
    head, tail = plain[:-40], plain[-40:]
    return head + re.sub(r"(?:\s*(?:\b(?:and|but|or)|[,;]\.?))+$", "", tail, flags=re.IGNORECASE)


def denied_rows(request: Request, index: WordIndex) -> IntArray:
    """The catalogue rows that a request rules out, ascending.

    With a bound on the price, an item whose price is not known is ruled out as well.
    """
    out = np.zeros(index.n_items, dtype=bool)
    for denied in request.denied:
        out[index.rows_with_all(words(denied))] = True
    price = request.price
    if price.low is not None:
        out |= ~(index.prices > price.low if price.low_open else index.prices >= price.low)
    if price.high is not None:
        out |= ~(index.prices < price.high if price.high_open else index.prices <= price.high)
    return np.flatnonzero(out).astype(np.int64)


def named_rows(request: Request, index: WordIndex, *, share: float = 0.5) -> IntArray:
    """The catalogue rows whose words say the most of what is wished, ascending.

    A word of the wish counts by how rare it is among the items (its inverse document frequency);
    words of grammar and words that over a quarter of the items have do not count. What follows
    "for" is the occasion and counts only if no item has a word of the thing before it. Rows that
    the request rules out are no candidates.

    :param share: a row is named if its words count at least so much of the best row's.
    :return: nothing if no item has a word of the wish.

    >>> import pyarrow as pa
    >>> titles = "Frozen pizza,Frozen peas,Pizza cutter,Salt,Tea,Oil,Party hats,Jam".split(",")
    >>> table = pa.table({"item_id": [str(row) for row in range(8)], "title": titles})
    >>> shop = WordIndex(Catalogue.from_table(table))
    >>> named_rows(Request.parse("a frozen pizza", shop), shop, share=0.9).tolist()
    [0]
    >>> named_rows(Request.parse("pizza for a party", shop), shop).tolist()
    [0, 2]
    """
    wished = words(request.wish[:SEARCHED])
    thing = wished[: wished.index("for")] if "for" in wished else []
    denied = denied_rows(request, index)
    for said in (thing, wished):
        score = _telling(said, index)
        score[denied] = 0
        best = score.max(initial=0)
        if best > 0:
            return np.flatnonzero(score >= share * best)
    return np.empty(0, dtype=np.int64)


def _telling(said: list[str], index: WordIndex) -> NDArray[np.float64]:
    """How much of what is said each item's words tell, ``float64[n_items]``."""
    score = np.zeros(index.n_items)
    for word in dict.fromkeys(said):
        rows = index.rows(word)
        if word not in FUNCTION_WORDS and 0 < len(rows) <= max(1, index.n_items / 4):
            score[rows] += np.log(index.n_items / len(rows))
    return score


_OPENERS = (
    *("", "", "", "", "something like ", "i need ", "looking for ", "i want ", "any "),
    *("do you have ", "find me ", "show me ", "some ", "i would like "),
)
_CLOSERS = ("", "", "", "", "", "", " please", " for dinner", " for me", " for home", " for today")


def request_text(catalogue: Catalogue, row: int, rng: np.random.Generator) -> str:
    """A request that an item could be the answer to, made from its words, for the model to learn.

    Some of the item's attributes, whole or a few words of each, in any order and in lower case,
    at times within a polite phrase. The item id is never used; an item without words gives
    ``something``.
    """
    facts = facts_of(catalogue)
    draws = iter(rng.random(32).tolist())

    def pick(n: int) -> int:
        return int(next(draws) * n)

    phrases = _phrases(facts, row)
    if not phrases:
        return "something"
    count = 1 + pick(min(len(phrases), 4))
    chosen = [phrases.pop(pick(len(phrases))) for _ in range(count)]
    said = " ".join(part if pick(2) else _part(part, pick) for part in chosen)
    return f"{_OPENERS[pick(len(_OPENERS))]}{said}{_CLOSERS[pick(len(_CLOSERS))]}".lower()


def _phrases(facts: ItemFacts, row: int) -> list[str]:
    title = facts.title(row)
    return [*([title] if title else []), *(facts.values[fact] for fact in facts.of(row))]


def _part(phrase: str, pick: Callable[[int], int]) -> str:
    """Up to three neighbouring words of a phrase."""
    parts = phrase.split()
    size = min(len(parts), 1 + pick(3))
    start = pick(len(parts) - size + 1)
    return " ".join(parts[start : start + size]).strip(" ,;:-/&()")
