"""The words of a text by their place, and what stands between them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from p5rec.language.request_vocabulary import CLAUSE_STOPS
from p5rec.language.words import tokens

_BREAK = re.compile(r"[,;.!?:()\n]")


class SaidWords:
    """The tokens of a text, numbered from 0.

    :param taken: places of the text, from and to, whose tokens are left out.
    """

    def __init__(self, text: str, taken: Sequence[tuple[int, int]] = ()) -> None:
        self._text = text
        self._tokens = [
            token
            for token in tokens(text)
            if not any(start <= token.start < end for start, end in taken)
        ]
        self.words = [token.word for token in self._tokens]

    def word(self, at: int) -> str:
        """The comparable word of a place; "" outside of the text."""
        return self.words[at] if 0 <= at < len(self.words) else ""

    def phrase(self, start: int, end: int) -> tuple[str, ...]:
        """The comparable words of some tokens."""
        return tuple(self.words[start:end])

    def quoted(self, start: int, end: int) -> str:
        """The text of some tokens as written."""
        return " ".join(self._text[self._tokens[start].start : self._tokens[end - 1].end].split())

    def _between(self, at: int) -> str:
        """The text between a token and the next."""
        if at + 1 >= len(self._tokens):
            return "."
        return self._text[self._tokens[at].end : self._tokens[at + 1].start]

    def joined(self, at: int) -> bool:
        """Whether nothing but blanks or a hyphen is between a token and the next."""
        return at + 1 < len(self._tokens) and not self._between(at).strip(" \t-–'’\"“”")

    def follows(self, at: int) -> bool:
        """Whether the next token belongs to this one: a blank or a colon is between them."""
        return at + 1 < len(self._tokens) and not self._between(at).strip(" \t:'’\"“”")

    def comma(self, at: int) -> bool:
        """Whether a comma or slash, and nothing else, is before a token."""
        return self._between(at - 1).strip() in (",", "/")

    def ends(self, at: int) -> bool:
        """Whether a clause ends with a token."""
        return bool(_BREAK.search(self._between(at))) or self.word(at + 1) in CLAUSE_STOPS

    def clause_end(self, at: int) -> int:
        """Where the clause that a token begins ends."""
        end = at
        while end < len(self.words) and self.words[end] not in CLAUSE_STOPS:
            end += 1
            if _BREAK.search(self._between(end - 1)):
                break
        return end
