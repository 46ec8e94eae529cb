"""What a sentence states, of the item and of the person's history, phrase by phrase."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Part:
    """One thing that a phrase names; ``role`` is the attribute that it is said to be."""

    key: str
    known: bool
    role: str | None = None
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class Phrase:
    """Parts that name one thing, and what is said of it.

    ``mode``: said of the suggested ``item``, of an item of the ``history``, or of either
    (``open``, of which something must be ``told``). ``chosen``: said to be in the history too.
    ``alike``: said to be like the item. ``reason``: said to be why it is suggested. ``itself``:
    the suggested item, by a pronoun. ``times``: in how many events; ``counted`` is where that
    stands. ``ago``: so many events ago. ``distinct``: of how many items.
    """

    mode: Literal["item", "history", "open"]
    start: int
    end: int
    parts: list[Part] = field(default_factory=list)
    itself: bool = False
    told: bool = False
    chosen: bool = False
    alike: bool = False
    reason: bool = False
    times: int | None = None
    ago: int | None = None
    distinct: int | None = None
    counted: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Statements:
    """What a sentence states.

    ``prices``: of the item, and where each begins and ends. ``sharing``: that item and history
    have something in common. ``refused`` says why it could not be read, if so.
    """

    phrases: list[Phrase] = field(default_factory=list)
    prices: list[tuple[float, int, int]] = field(default_factory=list)
    sharing: bool = False
    refused: str = ""
