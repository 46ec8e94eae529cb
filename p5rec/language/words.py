"""Text as comparable words: what requests, facts and checks of sentences all compare."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

# Vowel signs and other marks belong to their word, though \\w does not count them.
_MARKS = "".join(chr(code) for code in range(2**16) if unicodedata.category(chr(code))[0] == "M")
_LETTERS = rf"[^\W\d_](?:[^\W\d_]|[{_MARKS}])*"
_WORD = re.compile(rf"(?<![\w.])\.\d+|\d+(?:[.,/]\d+)*|{_LETTERS}(?:['’]{_LETTERS})*")
_APOSTROPHES = str.maketrans("", "", "'’")
_ES = ("ses", "xes", "zes", "ches", "shes", "oes")


class Token(NamedTuple):
    """A word of a text: ``word`` to compare, and where it stands (``text[start:end]``)."""

    word: str
    start: int
    end: int


def words(text: str) -> list[str]:
    """The comparable words of a text: no case, accents, apostrophes or plural; numbers apart.

    >>> words("L'Oréal CHIPS, 5.3OZ"), words(".750 oz")
    (['loreal', 'chip', '5.3', 'oz'], ['0.75', 'oz'])
    """
    return [fold(found) for found in _WORD.findall(text)]


def tokens(text: str) -> Iterator[Token]:
    """The words of a text with their places.

    >>> [token.word for token in tokens("two Apples")]
    ['two', 'apple']
    """
    for found in _WORD.finditer(text):
        yield Token(fold(found.group()), found.start(), found.end())


@lru_cache(maxsize=2**16)
def fold(word: str) -> str:
    """One word without case, accents, apostrophes and plural.

    >>> [fold(word) for word in ("Berries", "boxes", "Glass", "1,000")]
    ['berry', 'box', 'glass', '1000']
    """
    if word[0].isdigit() or word[0] == ".":
        return _number(word)
    if not word.isascii():
        split = unicodedata.normalize("NFKD", word.casefold())
        word = "".join(character for character in split if not unicodedata.combining(character))
    return _singular(word.casefold().translate(_APOSTROPHES))


def _number(written: str) -> str:
    """Digits in one form: ``1,000`` is ``1000``, ``5.30`` is ``5.3``, ``.5`` is ``0.5``."""
    plain = re.sub(r",(?=\d{3}(?!\d))", "", unicodedata.normalize("NFKC", written))
    if plain.count(".") == 1 and "/" not in plain and "," not in plain:
        plain = plain.rstrip("0").rstrip(".")
    return f"0{plain}" if plain.startswith(".") else plain


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(_ES):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
