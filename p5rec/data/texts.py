"""Text that comes from outside: what is wrong with an id, and what is taken out of a text."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

LONGEST_TEXT = 10_000
LONGEST_ID = 1_000
# Control and format characters (bidi marks, zero-width characters), line and paragraph separators.
INVISIBLE = r"[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]"
_BREAKS = r"[\p{Cc}\p{Zl}\p{Zp}]+"
# Zero-width joiners (200C, 200D) stay: emoji and some scripts are misspelt without them.
_HIDDEN = (
    r"[\x{00AD}\x{200B}\x{200E}\x{200F}\x{202A}-\x{202E}\x{2060}-\x{2064}\x{2066}-\x{206F}\x{FEFF}]"
)


def clean(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int, int]:
    r"""A text column made fit to be shown, and how many texts were cleaned and how many cut.

    Control characters and line breaks become a space; bidi controls and zero-width characters
    are removed; texts are cut at 10,000 characters. Only line breaks and tabs: not counted.

    >>> column, cleaned, cut = clean(pa.chunked_array([["a\u202eb", "c\nd"]]))
    >>> column.to_pylist(), cleaned, cut
    (['ab', 'c d'], 1, 0)
    """
    short = pc.utf8_slice_codeunits(column, 0, LONGEST_TEXT)
    cut = int(pc.sum(pc.not_equal(pc.utf8_length(column), pc.utf8_length(short))).as_py() or 0)
    spaced = pc.replace_substring_regex(short, r"[\t\r\n]+", " ")
    shown = pc.replace_substring_regex(
        pc.replace_substring_regex(spaced, _HIDDEN, ""), _BREAKS, " "
    )
    cleaned = int(pc.sum(pc.not_equal(shown, spaced)).as_py() or 0)
    return shown, cleaned, cut


def fit_to_show(name: str, column: pa.ChunkedArray, notes: list[str]) -> pa.ChunkedArray:
    """``clean``, with a note in ``notes`` of what was changed in the column called ``name``."""
    shown, cleaned, cut = clean(column)
    if cleaned:
        notes.append(f"{name}: control or hidden characters were removed from {cleaned:,} texts")
    if cut:
        notes.append(f"{name}: {cut:,} texts were cut at {LONGEST_TEXT:,} characters")
    return shown


def shorten(value: object, length: int = 80) -> str | None:
    """A value as text of at most ``length`` characters, for a message; None stays None.

    >>> shorten("a" * 100, 5)
    'aaaa…'
    """
    if value is None:
        return None
    text = str(value)
    return text if len(text) <= length else text[: length - 1] + "…"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    >>> plural(1, "row"), plural(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def undecodable(texts: list[bytes | None]) -> list[int]:
    """Which of the texts are not UTF-8."""
    wrong = []
    for row, text in enumerate(texts):
        try:
            _ = text and text.decode("utf-8")
        except UnicodeDecodeError:
            wrong.append(row)
    return wrong


def has_lone_surrogate(text: str) -> bool:
    r"""Whether a text holds half a surrogate pair, which no file can store.

    >>> has_lone_surrogate("\ud800"), has_lone_surrogate("😀")
    (True, False)
    """
    return re.search("[\ud800-\udfff]", text) is not None
