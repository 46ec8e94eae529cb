"""The typed pieces of a prompt: text is never control.

A prompt is a tuple of segments and never one string, so that what a seller or a user typed cannot
become an item or a special token: only an ``ItemRef`` turns into item tokens, only a ``Control``
into a special token, and both carry no text.
"""

from __future__ import annotations

from dataclasses import dataclass

from p5rec.errors import RequestError


@dataclass(frozen=True, slots=True)
class Literal:
    """Text of a template, written by whoever wrote the template."""

    text: str


@dataclass(frozen=True, slots=True)
class ItemRef:
    """An item, by its row in the catalogue.

    :raises RequestError: if the row is negative, the mark of an unknown item.
    """

    row: int

    def __post_init__(self) -> None:
        if self.row < 0:
            raise RequestError(
                f"An item reference has row {self.row}, which marks an unknown item. "
                "Rows count from 0. Drop unknown items before a prompt is made."
            )


@dataclass(frozen=True, slots=True)
class Attribute:
    """Text from the catalogue or from the table of users; sellers type it, so trust it no more."""

    text: str


@dataclass(frozen=True, slots=True)
class UntrustedText:
    """Words that a user typed, or that a model is to generate."""

    text: str


@dataclass(frozen=True, slots=True)
class Control:
    """A special token by its role, such as ``end``; the backbone knows its id."""

    name: str


TextSegment = Literal | Attribute | UntrustedText
Segment = Literal | ItemRef | Attribute | UntrustedText | Control
Prompt = tuple[Segment, ...]
