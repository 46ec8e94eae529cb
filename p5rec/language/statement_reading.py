"""Reads a sentence as statements: what it says of the item, and what of the person's history.

The grammar is small on purpose. A sentence outside of it is not read, and so refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from p5rec.language.mentions import Mention, is_odd
from p5rec.language.statements import Part, Phrase, Statements
from p5rec.language.vocabulary import (
    BREAKS,
    HISTORY_VERBS,
    IS,
    ITEM,
    LIKENESS,
    NEWEST,
    NUMBERS,
    REASON,
    RELATIVE,
    SHARING,
    YOU,
)

_PAUSE = re.compile(r"[,;:–—]|\s-\s")
_MONEY = re.compile(r"[$€£]\s*$")
_CURRENCY = frozenset({"dollar", "usd"})
_THINGS = frozenset({"item", "product", "thing"})
_CHOICES = frozenset({"choice", "purchase"})


class _UnreadableError(Exception):
    pass


def read_statements(mentions: Sequence[Mention], attributes: Mapping[str, str]) -> Statements:
    """The statements of a sentence taken apart.

    :param attributes: words for attributes, such as ``category``, and the attribute of each.
    """
    reader = _Reader(mentions, attributes)
    try:
        reader.run()
    except _UnreadableError as error:
        reader.found.refused = str(error)
    return reader.found


class _Reader:
    """Reads from left to right, with what was said last in mind."""

    def __init__(self, mentions: Sequence[Mention], attributes: Mapping[str, str]) -> None:
        self.mentions = mentions
        self.attributes = attributes
        self.found = Statements()
        self.at = 0
        self.mode: Literal["item", "history", "open"] = "open"
        self.you = False  # "you" has been said, and no verb yet
        self.dangling = False  # "you chose" has been said, and not yet what
        self.alike = False
        self.reason = False
        self.newest = False
        self.role: str | None = None
        self.distinct: int | None = None
        self.phrase: Phrase | None = None  # may still grow
        self.last: Phrase | None = None

    def run(self) -> None:
        """Read all."""
        while self.at < len(self.mentions):
            mention = self.mentions[self.at]
            if mention.kind == "unknown":
                raise _UnreadableError(f"unknown word {mention.key!r}")
            if is_odd(mention.before):
                raise _UnreadableError("signs that are no punctuation")
            if _PAUSE.search(mention.before):
                self._close()
            if mention.kind == "grammar":
                self._grammar(mention)
            elif not self._number(mention):
                self._name(mention)
            self.at += 1
        self._finish()

    def _finish(self) -> None:
        self._close()
        if self.dangling:
            self._chosen_last()
        if self.you or self.role or self.distinct is not None:
            raise _UnreadableError("a statement that names nothing")
        if self.newest and not any(phrase.ago for phrase in self.found.phrases):
            spoken = [p for p in self.found.phrases if p.mode == "history" or p.chosen]
            if not spoken:
                raise _UnreadableError("a time of nothing")
            spoken[-1].ago = 1

    def _next(self, ahead: int = 1) -> str:
        at = self.at + ahead
        return self.mentions[at].key if at < len(self.mentions) else ""

    def _close(self) -> None:
        self.phrase = None

    def _name(self, mention: Mention) -> None:
        """A value or other words: a new phrase, or one more part of the last."""
        known = mention.kind == "value"
        part = Part(mention.key, known, self.role, mention.start, mention.end)
        self.role = None
        if self.phrase is None:
            self.phrase = Phrase(self.mode, mention.start, mention.end, reason=self.reason)
            self.phrase.alike, self.phrase.distinct = self.alike, self.distinct
            self.distinct = None
            self.found.phrases.append(self.phrase)
            if self.mode == "history":
                self.dangling = False
        parts = self.phrase.parts
        joined = not mention.before.strip() and parts and not (part.known or parts[-1].known)
        if joined and part.role is None:
            parts[-1].key += f" {part.key}"
            parts[-1].end = part.end
        else:
            parts.append(part)
        self.phrase.end, self.last = mention.end, self.phrase

    def _number(self, mention: Mention) -> bool:
        """A number that counts, dates or prices; False if it is part of a name."""
        value = _value(mention.key)
        if value is None:
            return False
        following = self._next()
        if _MONEY.search(mention.before) or following in _CURRENCY:
            if self.mode == "history":
                raise _UnreadableError("a price of something chosen before")
            self.found.prices.append((value, mention.start, mention.end))
            self.at += following in _CURRENCY
            self._close()
        elif following == "time":
            self._count(value, mention.start, self.mentions[self.at + 1].end)
            self.at += 1
        elif following == "event" and self._next(2) == "ago":
            self._target().ago = int(value)
            self.at += 2
        elif following in _THINGS and self.mode == "history" and self.dangling:
            self.distinct = int(value)
            self.at += 1
        elif not mention.key[0].isdigit():
            raise _UnreadableError(f"the number {mention.key!r} of nothing known")
        else:
            return False
        return True

    def _count(self, value: float, start: int, end: int) -> None:
        phrase = self._target()
        if value != int(value):
            raise _UnreadableError(f"a count of {value}")
        if phrase.times is not None:
            raise _UnreadableError("two counts of one thing")
        phrase.times, phrase.counted = int(value), (start, end)

    def _target(self) -> Phrase:
        """What a count or a time is about: the thing last said to be in the history."""
        if self.dangling:
            self._chosen_last()
        self._close()
        if self.last is None or not (self.last.mode == "history" or self.last.chosen):
            raise _UnreadableError("a count of nothing")
        return self.last

    def _chosen_last(self) -> None:
        """``which you chose`` and the like: what was named last is in the history as well."""
        self.dangling = False
        if self.last is None:
            raise _UnreadableError("a choice of nothing")
        self.last.chosen = True
        self.last.reason |= self.reason

    def _grammar(self, mention: Mention) -> None:
        word = mention.key
        handler = _HANDLERS.get(word)
        if word in self.attributes:
            self._attribute(word)
        elif word in NUMBERS:
            if word in ("once", "twice"):
                self._count(NUMBERS[word], mention.start, mention.end)
            else:
                self._number(mention)
        elif handler is not None:
            handler(self, mention)

    def _attribute(self, word: str) -> None:
        parts = self.phrase.parts if self.phrase else []
        following = self.at + 1 < len(self.mentions) and self.mentions[self.at + 1].kind
        if word != "by" and parts and parts[-1].role is None and following != "value":
            parts[-1].role = self.attributes[word]
        elif self.role is not None and word != self.role:
            raise _UnreadableError("two attributes of one value")
        else:
            self.role = self.attributes[word]

    def _you(self, mention: Mention) -> None:
        if self.dangling:
            self._chosen_last()
        self._close()
        self.you, self.alike = True, False

    def _verb(self, mention: Mention) -> None:
        if self.you:
            self.mode, self.you, self.dangling = "history", False, True
        elif mention.key in LIKENESS:
            self._likeness(mention)
        elif not (self.mode == "history" and self.dangling) and mention.key not in {"have", "had"}:
            raise _UnreadableError(f"nobody {mention.key!r}")
        self._close()

    def _likeness(self, mention: Mention) -> None:
        self._close()
        if self.dangling:
            self._chosen_last()
        self.mode, self.alike = "history", True

    def _item(self, mention: Mention) -> None:
        following = self._next()
        if following in _THINGS:
            following = self._next(2)
        if self.mode == "history" and self.dangling and following not in IS:
            self.last = Phrase("history", mention.start, mention.end, itself=True)
            self.last.reason, self.dangling = self.reason, False
            self.found.phrases.append(self.last)
        else:
            if self.dangling:
                self._chosen_last()
            self.mode, self.alike, self.reason = "item", False, False
        self._close()

    def _is(self, mention: Mention) -> None:
        """What follows is said of the item, or of what was just named: ``which is from …``."""
        before = self.mentions[self.at - 1] if self.at else None
        if mention.key in SHARING:
            self.found.sharing = True
        about_last = self.mode == "open" or (before is not None and before.key in RELATIVE)
        if about_last and self.last is not None:
            self.phrase, self.last.told = self.last, True
        else:
            self._close()

    def _sharing(self, mention: Mention) -> None:
        self.found.sharing = True
        if self.mode == "open":
            self.mode = "item"

    def _thing(self, mention: Mention) -> None:
        if self.mode == "open" and self.last is None and not self.you:
            self.mode = "item"

    def _choice(self, mention: Mention) -> None:
        if self.you:
            self.mode, self.you, self.dangling = "history", False, True

    def _because(self, mention: Mention) -> None:
        self._close()
        self.reason = True

    def _pause(self, mention: Mention) -> None:
        self._close()

    def _recent(self, mention: Mention) -> None:
        self.newest = True

    def _most(self, mention: Mention) -> None:
        if self._next() != "recently":
            raise _UnreadableError("'most' of nothing known")

    def _nothing_known(self, mention: Mention) -> None:
        raise _UnreadableError(f"{mention.key!r} without a number")


def _value(word: str) -> float | None:
    """The number that a word is; None for none, and for one beyond counting."""
    if word in NUMBERS:
        return float(NUMBERS[word])
    try:
        value = float(word) if word[0].isdigit() else math.inf
    except ValueError:
        return None
    return value if math.isfinite(value) else None


_Handler = Callable[[_Reader, Mention], None]
_HANDLERS: dict[str, _Handler] = {
    **dict.fromkeys(BREAKS | RELATIVE - {"from"}, _Reader._pause),
    **dict.fromkeys(SHARING, _Reader._sharing),
    **dict.fromkeys(LIKENESS, _Reader._likeness),
    **dict.fromkeys(HISTORY_VERBS, _Reader._verb),
    **dict.fromkeys(YOU, _Reader._you),
    **dict.fromkeys(ITEM, _Reader._item),
    **dict.fromkeys(IS, _Reader._is),
    **dict.fromkeys(REASON, _Reader._because),
    **dict.fromkeys(NEWEST, _Reader._recent),
    **dict.fromkeys(_THINGS | {"suggestion"}, _Reader._thing),
    **dict.fromkeys(_CHOICES, _Reader._choice),
    "most": _Reader._most,
    "ago": _Reader._nothing_known,
    "time": _Reader._nothing_known,
    "event": _Reader._nothing_known,
}
