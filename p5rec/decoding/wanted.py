"""What a caller may ask for beside the history, checked before any model work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.decoding.filter_columns import rows_of
from p5rec.decoding.filter_expression import Comparison, Expression, Under
from p5rec.decoding.filter_parser import parse_filter
from p5rec.decoding.filters import Filters
from p5rec.decoding.next_item import Selection
from p5rec.decoding.strategies import (
    AUTO,
    PRESETS,
    Strategy,
    preset_for,
    strategy_of,
    with_beams,
)
from p5rec.errors import RequestError
from p5rec.hints import check_keywords
from p5rec.model.prompt_batch import EncodedPrompt

IntArray = NDArray[np.int64]
Filter = str | Expression


@dataclass(frozen=True)
class Steer:
    """Control codes: where a list should go.

    ``category``, ``price`` (least and most, None for open) and ``style`` (free words) are put
    into the prompt as a request. With ``hard``, category and price are a filter besides.
    """

    category: str | None = None
    price: tuple[float | None, float | None] | None = None
    style: str | None = None
    hard: bool = False

    def __post_init__(self) -> None:
        low, high = self.price or (None, None)
        if low is not None and high is not None and low > high:
            raise RequestError(
                f"the price is from {low:g} to {high:g}, which no price is. Give the lower first."
            )
        if not self.words:
            raise RequestError("nothing to steer by. Give a category, a price or a style.")

    @property
    def words(self) -> str:
        """The request in words.

        >>> Steer(category="Tea", price=(None, 5), style="green").words
        'green, Tea, under $5'
        """
        low, high = self.price or (None, None)
        money = {
            (False, True): f"under ${high}",
            (True, False): f"over ${low}",
            (True, True): f"${low} to ${high}",
        }.get((low is not None, high is not None))
        return ", ".join(part for part in (self.style, self.category, money) if part)

    @property
    def condition(self) -> Expression | None:
        """Category and price as a filter."""
        low, high = self.price or (None, None)
        parts: list[Expression] = []
        if self.category is not None:
            parts.append(Under("categories", self.category))
        if low is not None:
            parts.append(Comparison("price", ">=", float(low)))
        if high is not None:
            parts.append(Comparison("price", "<=", float(high)))
        return reduce(Expression.__and__, parts) if parts else None


class Wanted(TypedDict, total=False):
    """What to recommend; every key may be left out.

    - ``exclude_history``: never what the history holds already.
    - ``filter``: what every item must be (``filter_expression`` has the language), or a list with
      one a history (None for no filter).
    - ``allow``, ``deny``: the only items, and items never to be recommended, by item id.
    - ``strategy``: a :class:`Strategy`, the name of a preset, or ``auto`` for the preset that
      suits each history.
    - ``beams``: the width of a beam search.
    - ``steer``: control codes.
    - ``seed``: of what is drawn.
    """

    exclude_history: bool
    filter: Filter | Sequence[Filter | None] | None
    allow: Sequence[str] | None
    deny: Sequence[str]
    strategy: Strategy | str | None
    beams: int | None
    steer: Steer | None
    seed: int


class Plan:
    """What was wanted, resolved against a catalogue: what each history may get and how.

    :raises RequestError: if something that was wanted cannot be; no model was asked by then.
    """

    def __init__(
        self,
        wanted: Wanted,
        filters: Filters,
        histories: Histories,
        *,
        prompts: Sequence[EncodedPrompt] | None = None,
        denied: IntArray | None = None,
    ) -> None:
        """What holds beside what was wanted.

        :param prompts: one a history, in place of its own.
        :param denied: rows that no history may get.
        """
        check_keywords(wanted, Wanted.__annotations__)
        self._filters = filters
        self._histories = histories
        self._exclude_history = wanted.get("exclude_history", False)
        n_requests = len(histories)
        self._conditions = _conditions(wanted, filters, n_requests)
        self._masks = [None if c is None else filters.compile(c) for c in self._conditions]
        catalogue = filters.columns.catalogue
        allow, deny = wanted.get("allow"), _listed("deny", wanted.get("deny", ()))
        self._allowed = None if allow is None else rows_of(catalogue, _listed("allow", allow))
        self._denied = rows_of(catalogue, deny)
        if self._allowed is not None and not len(np.setdiff1d(self._allowed, self._denied)):
            raise RequestError(
                "allow and deny contradict each other: nothing is allowed that is not denied. "
                "Take an item out of deny, or leave allow out."
            )
        if denied is not None:
            self._denied = np.union1d(self._denied, denied)
        self.selection = Selection(
            [self._without(user) for user in range(n_requests)],
            [self._allowed] * n_requests,
            self._masks,
            self._strategies(wanted),
            prompts or [None] * n_requests,
            _seed(wanted.get("seed", 0)),
        )

    def why_empty(self, user: int) -> str:
        """Which part of what was wanted left nothing for a history."""
        trie, mask, condition = self._filters.trie, self._masks[user], self._conditions[user]
        if mask is not None and condition is not None and not mask.count:
            return f"nothing is left: {self._filters.explain_empty(condition)}"
        left = np.ones(trie.n_items, dtype=bool) if trie.live is None else trie.live.copy()
        if not left.any():
            return "nothing is left: all items are retired"
        if mask is not None:
            left &= mask.leaves
        if self._allowed is not None:
            allowed = np.zeros_like(left)
            allowed[trie.leaf_of_item[self._allowed]] = True
            left &= allowed
            if not left.any():
                return f"nothing is left: no item of the allowed ones passes {condition}"
        left[trie.leaf_of_item[self._denied]] = False
        if not left.any():
            return "nothing is left: all other items are denied"
        return "nothing is left: the history holds all other items, and exclude_history is set"

    def _without(self, user: int) -> IntArray:
        if not self._exclude_history:
            return self._denied
        held = np.asarray(self._histories.items[self._histories.slice(user)], dtype=np.int64)
        return np.concatenate([self._denied, held])

    def _strategies(self, wanted: Wanted) -> list[Strategy]:
        given, beams = wanted.get("strategy"), wanted.get("beams")
        if given != AUTO:
            return [with_beams(strategy_of(given), beams)] * len(self._histories)
        items, trie = np.asarray(self._histories.items, dtype=np.int64), self._filters.trie
        return [
            with_beams(PRESETS[preset_for(trie, items[self._histories.slice(user)])], beams)
            for user in range(len(self._histories))
        ]


def _conditions(wanted: Wanted, filters: Filters, n_requests: int) -> list[Expression | None]:
    """The filter of each request."""
    given = wanted.get("filter")
    several: Sequence[Filter | None]
    several = [given] * n_requests if given is None or isinstance(given, Filter) else given
    if len(several) != n_requests:
        raise RequestError(
            f"there are {len(several)} filters for {n_requests} histories. Give one filter for "
            "all, or one for each."
        )
    steer = wanted.get("steer")
    hard = steer.condition if steer is not None and steer.hard else None
    if steer is not None and steer.condition is not None:
        # A category that there is not would steer nowhere, hard or not.
        filters.compile(steer.condition)
    read: dict[str, Expression] = {}
    found: list[Expression | None] = []
    for one in several:
        if isinstance(one, str) and one not in read:
            read[one] = parse_filter(one)
        own = read[one] if isinstance(one, str) else one
        found.append(own & hard if own is not None and hard is not None else own or hard)
    return found


def _listed(name: str, items: Sequence[str]) -> Sequence[str]:
    if isinstance(items, str):
        raise RequestError(f"{name} is the text {items!r}; expected a list of ids: [{items!r}].")
    return items


def _seed(seed: int) -> int:
    if not 0 <= seed < 2**63:
        raise RequestError(f"seed is {seed}; expected a whole number from 0. Change it.")
    return seed
