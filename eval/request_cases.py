"""Held-out requests: written from an item's own words, in phrasings that training never saw.

Training's requests (``p5rec.language.requests.request_text``) are phrases of an item one after
the other, with a few openers and closers. Here the words stand in other frames and joints, out of
order, misspelt, with limits, or are those of a reference explanation. Items are drawn uniformly;
no event is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow.parquet as pq

from p5rec.data.catalogue import Catalogue

FRAMES = (
    "hey, could you point me to {}?",
    "my sister keeps raving about {}",
    "got anything along the lines of {}",
    "thinking of {} - what would you pick?",
    "{}? which one have you got",
    "on my list: {}",
    "can't decide, maybe {}",
    "what's your best bet when it comes to {}",
    "{} would be perfect right now",
    "we could use {} this weekend",
    "help me track down {}",
    "is there such a thing as {}?",
    "a friend told me to get {}",
    "been meaning to try {}",
    "{}, if you happen to carry that",
    "honestly just {}",
)
JOINTS = ("{0} by {1}", "{1}'s {0}", "{0}, the {1} one", "{0} (preferably {1})", "{1}, {0}")
LESS = ("nothing above ${}", "${} tops", "I can spend up to ${}", "for less than ${}", "below ${}")
MORE = ("costing more than ${}", "at least ${}", "${} or more", "over ${}")
BETWEEN = ("somewhere between ${} and ${}", "from ${} to ${}", "in the ${}-${} range")
DENIED = ("but not {}", "anything except {}", "minus the {}", "no {} please", "not from {}")
LEAST_PRICED = 0.5
PLAIN = re.compile(r"[^\W\d_]{3,}|\d+(?:[.,/]\d+)*")


@dataclass(frozen=True)
class Case:
    """A request, the item it was written from, what kind it is, and the limits that it states.

    ``low`` and ``high`` bound the price; ``denied`` is what no item may be.
    """

    text: str
    target: int
    kind: str
    low: float | None = None
    high: float | None = None
    denied: str | None = None


@dataclass
class Writer:
    """Writes requests for the items of a catalogue; a function of the seed alone."""

    catalogue: Catalogue
    seed: int = 0
    explained: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.brands = self._column("brand")
        self.categories = self._column("categories")
        self.titles = self._column("title")
        self.variants = self._column("variant")
        self.prices = self._column("price")

    def cases(self, n: int) -> list[Case]:
        """``n`` requests for as many different items (those with an explanation among them)."""
        rows = self.rng.permutation(len(self.catalogue)).tolist()
        cases = [self._explained(row) for row in sorted(self.explained)][: n // 10]
        kinds: list[Callable[[int], Case | None]] = [
            self._scattered,
            self._attributes,
            self._misspelt,
            self._limited,
        ]
        for row in rows:
            if len(cases) == n:
                break
            if row in self.explained:
                continue
            made = kinds[len(cases) % len(kinds)](row)
            if made is not None:
                cases.append(made)
        return cases

    def vague(self, row: int) -> str | None:
        """What the item is, in any frame."""
        thing = self._thing(row)
        return None if thing is None else self._framed(thing)

    def _scattered(self, row: int) -> Case | None:
        """Two to four words of the item in any order."""
        said = self._words(row)
        if len(said) < 2:
            return None
        size = min(len(said), 2 + int(self.rng.integers(3)))
        chosen = self.rng.permutation(len(said))[:size]
        return Case(self._framed(" ".join(said[i] for i in chosen)), row, "scattered")

    def _attributes(self, row: int) -> Case | None:
        """Two attributes of the item with a joint between them."""
        thing = self._thing(row)
        other = self._other(row)
        if thing is None or other is None:
            return None
        return Case(self._framed(self._pick(JOINTS).format(thing, other)), row, "attributes")

    def _misspelt(self, row: int) -> Case | None:
        """Two to four words of the item, one of them misspelt."""
        said = self._words(row)
        long = [word for word in said if len(word) > 4 and word.isalpha()]
        if len(said) < 2 or not long:
            return None
        wrong = self._pick(long)
        others = [word for word in said if word != wrong]
        chosen = self.rng.permutation(len(others))[: 1 + int(self.rng.integers(3))]
        words = [self._misspell(wrong), *(others[i] for i in chosen)]
        return Case(self._framed(" ".join(words)), row, "misspelt")

    def _limited(self, row: int) -> Case | None:
        """A thing with a bound on its price, or with something that it must not be."""
        base = self._scattered(row) if self.rng.random() < 0.5 else self._attributes(row)
        if base is None:
            return None
        price = self.prices[row]
        if price is not None and price >= LEAST_PRICED and self.rng.random() < 0.7:
            return self._priced(base, row, price)
        denied = self._denied(row)
        if denied is None:
            return None
        text = f"{base.text.rstrip('?')}, {self._pick(DENIED).format(denied)}"
        return Case(text, row, "limited", denied=denied)

    def _priced(self, base: Case, row: int, price: float) -> Case:
        low = float(np.floor(price * 0.6))
        high = float(np.ceil(price * 1.4 + 0.01))
        way = int(self.rng.integers(3))
        if way == 0:
            told, low = self._pick(LESS).format(f"{high:g}"), None
        elif way == 1:
            told, high = self._pick(MORE).format(f"{max(low, 0.25):g}"), None
            low = max(low, 0.25)
        else:
            low = max(low, 0.25)
            told = self._pick(BETWEEN).format(f"{low:g}", f"{high:g}")
        return Case(f"{base.text.rstrip('?')}, {told}", row, "limited", low, high)

    def _explained(self, row: int) -> Case:
        """What a reference explanation praises."""
        return Case(self._framed(self.explained[row]), row, "explained")

    def _denied(self, row: int) -> str | None:
        """A brand or category that the item does not have and one of its likes does."""
        own = {self.brands[row], *(self.categories[row] or ())}
        said = set(self._words(row, every=True))
        near = self._like(row)
        for other in self.rng.permutation(near)[:50].tolist():
            theirs = [self.brands[other], *reversed((self.categories[other] or ())[-3:])]
            if self.categories[row] is None:
                theirs = self._words(other)
            for value in theirs:
                if value and value not in own and not set(_plain(value)) <= said:
                    return value.lower() if self.rng.random() < 0.5 else value
        return None

    def _like(self, row: int) -> np.ndarray:
        """Items that share the item's last category, or else any."""
        path = self.categories[row]
        if not path:
            return self.rng.integers(len(self.catalogue), size=50)
        if not hasattr(self, "_by_last"):
            self._by_last: dict[str, list[int]] = {}
            for other, theirs in enumerate(self.categories):
                for name in (theirs or ())[-1:]:
                    self._by_last.setdefault(name, []).append(other)
        return np.array(self._by_last[path[-1]])

    def _thing(self, row: int) -> str | None:
        """What the item is: its last or any of its last categories; else words of the title."""
        path = self.categories[row]
        if path:
            last = path[-3:] if self.titles[row] else path[-1:]
            return self._pick(last).lower()
        said = self._words(row)
        return " ".join(said[:2]) if len(said) > 2 else None

    def _other(self, row: int) -> str | None:
        """Another attribute: brand, part of the title, or size."""
        ways = [self.brands[row], self.variants[row]]
        title = _plain(self.titles[row] or "")
        if len(title) > 2:
            ways.append(" ".join(title[-2:]))
        elif title:
            ways.append(title[0])
        known = [way for way in ways if way]
        return self._pick(known) if known else None

    def _words(self, row: int, *, every: bool = False) -> list[str]:
        """The words of title, brand, size and categories, in lower case, each once."""
        parts = [self.titles[row], self.brands[row], *(self.categories[row] or ())]
        if self.titles[row] is None or every:
            parts.append(self.variants[row])
        return list(dict.fromkeys(word for part in parts if part for word in _plain(part)))

    def _misspell(self, word: str) -> str:
        """A word with two letters swapped, one left out, one doubled or one wrong."""
        at = 1 + int(self.rng.integers(len(word) - 2))
        way = int(self.rng.integers(4))
        if way == 0:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        if way == 1:
            return word[:at] + word[at + 1 :]
        if way == 2:
            return word[:at] + word[at] + word[at:]
        return word[:at] + self._pick("aeioulnrst") + word[at + 1 :]

    def _framed(self, said: str) -> str:
        return self._pick(FRAMES).format(said)

    def _pick(self, values: Sequence[str]) -> str:
        return values[int(self.rng.integers(len(values)))]

    def _column(self, name: str) -> list:
        present = name in self.catalogue.table.column_names
        return self.catalogue.column(name) if present else [None] * len(self.catalogue)


def _plain(text: str) -> list[str]:
    return [word.lower() for word in PLAIN.findall(text.replace("'", ""))]


_PRAISE = re.compile(
    r"^.*?\b(?:because (?:of )?|for (?:its |the |their )?|due to )(?:(?:it|they) \w+ )?",
    re.IGNORECASE,
)


def explanations_by_title(file: str, catalogue: Catalogue) -> dict[int, str]:
    """What explanations praise in the items whose title no other item and no other row has."""
    rows: dict[str, list[int]] = {}
    for row, title in enumerate(catalogue.column("title")):
        if title:
            rows.setdefault(title, []).append(row)
    found: dict[int, str] = {}
    for record in pq.read_table(file).to_pylist():
        own = rows.get(record["title"], [])
        if len(own) == 1 and own[0] not in found:
            praise = _PRAISE.sub("", record["explanation"])
            found[own[0]] = re.split(r"[.;]|, making|, despite|, and (?:they|the )", praise)[0]
    return found
