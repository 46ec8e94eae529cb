"""Attribute values as words: for comparison, and for reading."""

from __future__ import annotations

import html
import math
import unicodedata
from collections.abc import Iterable

_UNSEEN = ("Cc", "Cf", "Cs")


def tidy(text: str) -> str:
    """The text as meant, with every run of white space as one space and accents composed (NFC).

    Entities of HTML, which shops' exports are full of, become what they stand for.

    >>> tidy(" L'Oreal  Paris ")
    "L'Oreal Paris"
    >>> tidy("L&#39;Oreal &amp; Co")
    "L'Oreal & Co"
    """
    return " ".join(unicodedata.normalize("NFC", _unescaped(text)).split())


def comparable(text: str) -> str:
    r"""The text with case, white space, width (NFKC) and invisible characters evened out.

    >>> comparable("L'OREAL ") == comparable("l'oreal")
    True
    >>> comparable("ＴＯＰ\u200b")
    'top'
    """
    text = _unescaped(text)
    if text.isascii():
        return " ".join(text.casefold().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(ch for ch in folded if unicodedata.category(ch) != "Cf").split())


def _unescaped(text: str) -> str:
    if "&" not in text:
        return text
    meant = html.unescape(text)
    # An entity can stand for a character that a catalogue keeps out: one that steers a terminal.
    return "".join(ch for ch in meant if ch.isspace() or unicodedata.category(ch) not in _UNSEEN)


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
