"""Requests to learn from, written from the words of items."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from p5rec.data.catalogue import Catalogue
from p5rec.language.facts import ItemFacts, facts_of

_OPENERS = (
    *("", "", "", "", "something like ", "i need ", "looking for ", "i want ", "any "),
    *("do you have ", "find me ", "show me ", "some ", "i would like "),
)
_CLOSERS = ("", "", "", "", "", "", " please", " for dinner", " for me", " for home", " for today")


def request_text(catalogue: Catalogue, row: int, rng: np.random.Generator) -> str:
    """A request that an item could be the answer to, made from its words, for the model to learn.

    Some of the item's attributes, whole or a few words of each, in any order and in lower case,
    at times within a polite phrase. The item id is never used; an item without words gives
    ``something``.
    """
    facts = facts_of(catalogue)
    draws = iter(rng.random(32).tolist())

    def pick(n: int) -> int:
        return int(next(draws) * n)

    phrases = _phrases(facts, row)
    if not phrases:
        return "something"
    count = 1 + pick(min(len(phrases), 4))
    chosen = [phrases.pop(pick(len(phrases))) for _ in range(count)]
    said = " ".join(part if pick(2) else _part(part, pick) for part in chosen)
    return f"{_OPENERS[pick(len(_OPENERS))]}{said}{_CLOSERS[pick(len(_CLOSERS))]}".lower()


def _phrases(facts: ItemFacts, row: int) -> list[str]:
    title = facts.title(row)
    return [*([title] if title else []), *(facts.values[fact] for fact in facts.of(row))]


def _part(phrase: str, pick: Callable[[int], int]) -> str:
    """Up to three neighbouring words of a phrase."""
    parts = phrase.split()
    size = min(len(parts), 1 + pick(3))
    start = pick(len(parts) - size + 1)
    return " ".join(parts[start : start + size]).strip(" ,;:-/&()")
