"""Attribute values as words: for comparison, and for reading."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable


def tidy(text: str) -> str:
    """The text as written, with every run of white space as one space and accents composed (NFC).

    >>> tidy(" L'Oreal  Paris ")
    "L'Oreal Paris"
    """
    return " ".join(unicodedata.normalize("NFC", text).split())


def comparable(text: str) -> str:
    r"""The text with case, white space, width (NFKC) and invisible characters evened out.

    >>> comparable("L'OREAL ") == comparable("l'oreal")
    True
    >>> comparable("ＴＯＰ\u200b")
    'top'
    """
    if text.isascii():
        return tidy(text.casefold())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return tidy("".join(ch for ch in folded if unicodedata.category(ch) != "Cf"))


def in_words(value: object) -> str | None:
    """A value of a catalogue as text; None where it says nothing (null, NaN, blank).

    >>> in_words(5.0), in_words("  "), in_words(float("nan"))
    ('5', None, None)
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value)
    return text if comparable(text) else None


def numbered_apart(labels: Iterable[str]) -> list[str]:
    """The labels, with a number after each repeated one.

    >>> numbered_apart(["milk", "tea", "milk"])
    ['milk', 'tea', 'milk (2)']
    """
    seen: dict[str, int] = {}
    result = []
    for label in labels:
        seen[label] = seen.get(label, 0) + 1
        result.append(label if seen[label] == 1 else f"{label} ({seen[label]})")
    return result
