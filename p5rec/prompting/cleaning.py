"""Makes text from outside plain: one line of visible characters in one normal form."""

from __future__ import annotations

import re
import unicodedata

# Invisible by Unicode's Default_Ignorable_Code_Point though not of a control category: combining
# grapheme joiner, Hangul fillers, Khmer inherent vowels, Mongolian and other variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
# Control, format (bidi, zero-width, soft hyphen, tags) and lone surrogates.
_DROPPED = frozenset({"Cc", "Cf", "Cs"})


def clean(text: str, *, max_characters: int) -> str:
    r"""Normalise text to NFKC, drop what cannot be seen, and make each run of blanks one space.

    Cleaning a second time changes nothing.

    >>> clean("ﬁne\u200b\u202e  pea\nsoup\x00", max_characters=100)
    'fine pea soup'

    :param max_characters: how much of the text is looked at, and at most returned.
    """
    text = text[:max_characters]
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    normal = unicodedata.normalize("NFKC", text)
    visible = "".join(map(_visible, _INVISIBLE.sub("", normal)))
    # Two characters may have become neighbours that compose, and a long one may have grown.
    composed = unicodedata.normalize("NFKC", " ".join(visible.split()))
    return composed[:max_characters].rstrip()


def _visible(character: str) -> str:
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _DROPPED else character
