"""A limit in a text, before it is known whether the shop can hold it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from p5rec.language.bounds import Bounds


@dataclass(frozen=True, slots=True)
class Limit:
    """Where a text states a limit, and which: words, bounds, or neither (not understood).

    ``none`` says that it only looked like a limit; ``waived`` is what a text says need not hold,
    in which nothing else limits.
    """

    start: int
    end: int
    denied: tuple[str, ...] = ()
    bounds: Bounds | None = None
    none: bool = False
    waived: str | None = None


Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], Limit]]
"""A pattern, and what a match of it says."""
