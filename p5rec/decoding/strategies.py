"""How a list is made: search, draw or spread, and which of these suits whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from p5rec.decoding.choosing import Best, Capped, Chooser, Drawn, Greedy
from p5rec.decoding.trie import Trie
from p5rec.errors import RequestError
from p5rec.hints import did_you_mean

Kind = Literal["beam", "greedy", "sample"]
MOST_BEAMS = 10_000
POOL = 5
"""A diverse list is picked from so many times as many items as it has."""


def check_beams(beams: int) -> None:
    """Refuse a width that no search can have."""
    if not 1 <= beams <= MOST_BEAMS:
        raise RequestError(
            f"beams is {beams}; expected 1 to {MOST_BEAMS:,}. 20 to 100 suit most catalogues."
        )


@dataclass(frozen=True)
class Quota:
    """At most ``most`` items that share the first ``depth`` codes of their semantic IDs."""

    most: int
    depth: int = 1

    def __post_init__(self) -> None:
        if self.most < 1 or self.depth < 1:
            raise RequestError(
                f"the quota has most = {self.most} and depth = {self.depth}; expected at least 1 "
                "of each. A quota of 2 at depth 1 is two items of each top category."
            )


@dataclass(frozen=True)
class Strategy:
    """How the items of a list are found. All lists are best first and hold no item twice.

    - ``beam``: the most probable items, by a search with ``beams`` open walks a level (None: as
      many as the recipe says; never fewer than the list is long).
    - ``greedy``: always the best code first, going back only as far as needed to fill the list:
      a focused list, mostly of one category.
    - ``sample``: drawn without replacement at ``temperature`` from the ``nucleus`` of each node
      (see :class:`Drawn`).

    ``diversity`` above 0 picks the list from a five times longer one by maximal marginal
    relevance: each next item maximises ``(1 - diversity) * relevance - diversity * likeness``,
    relevance being its probability over that of the best item, likeness the largest share of
    levels that it has in common with an item already picked. Such a list is in the order of the
    picks. ``quota`` caps the items of a category.

    :raises RequestError: if a value is out of range.
    """

    kind: Kind = "beam"
    beams: int | None = None
    temperature: float = 1.0
    nucleus: float = 1.0
    diversity: float = 0.0
    quota: Quota | None = None

    def __post_init__(self) -> None:
        if self.kind not in ("beam", "greedy", "sample"):
            raise RequestError(
                f"there is no kind of strategy {self.kind!r}; expected beam, greedy or sample."
            )
        if self.beams is not None:
            check_beams(self.beams)
        for name, value, low, high in (
            ("temperature", self.temperature, 0.01, 100),
            ("nucleus", self.nucleus, 0.001, 1),
            ("diversity", self.diversity, 0, 1),
        ):
            if not low <= value <= high:
                raise RequestError(f"{name} is {value}; expected {low} to {high}. Change it.")
        if self.quota is not None and self.kind != "beam":
            raise RequestError(f"a quota goes with beam search, not with {self.kind!r}.")

    def chooser(self, k: int, *, beams: int, seeds: Sequence[int] | NDArray[np.uint64]) -> Chooser:
        """What makes the choices of one search for ``k`` items.

        :param beams: the width where the strategy has none of its own.
        :param seeds: one a prompt, for drawing.
        """
        width = self.beams or beams
        if self.kind == "greedy":
            return Greedy(k)
        if self.kind == "sample":
            return Drawn(k, temperature=self.temperature, nucleus=self.nucleus, seeds=seeds)
        if self.quota is not None:
            return Capped(k, width, depth=self.quota.depth, most=self.quota.most)
        return Best(k, width)


PRESETS: dict[str, Strategy] = {
    "explorer": Strategy("sample", nucleus=0.9),
    "conservative": Strategy(beams=5),
    "newcomer": Strategy("sample", temperature=1.2),
    "regular": Strategy("greedy"),
    "diverse": Strategy(diversity=0.3),
}
"""Named strategies.

- ``explorer``: drawn from each node's nucleus of 0.9: off the beaten track, yet plausible.
- ``conservative``: a beam of 5 (of k where more items are asked for): the safest items.
- ``newcomer``: drawn at temperature 1.2: a wide first look at the shop.
- ``regular``: greedy: deep in the category that comes next.
- ``diverse``: maximal marginal relevance with three tenths for being unlike the others.
"""

AUTO = "auto"
NEWCOMER_EVENTS = 5
REGULAR_REPEATS = 0.5
EXPLORER_REPEATS = 0.1
EXPLORER_SPREAD = 0.5


def preset_for(trie: Trie, history: NDArray[np.int64]) -> str:
    """The preset that suits a history of catalogue rows.

    Fewer than 5 events: ``newcomer``. At least half of the events repeat an earlier item:
    ``regular``. At most a tenth do, and there are at least half as many top categories (first
    codes) as different items: ``explorer``. Everyone else: ``conservative``.
    """
    if len(history) < NEWCOMER_EVENTS:
        return "newcomer"
    items = np.unique(history)
    repeats = 1 - len(items) / len(history)
    if repeats >= REGULAR_REPEATS:
        return "regular"
    categories = np.unique(trie.nodes_above(1, trie.leaf_of_item[items]))
    if repeats <= EXPLORER_REPEATS and len(categories) >= EXPLORER_SPREAD * len(items):
        return "explorer"
    return "conservative"


def strategy_of(given: str | Strategy | None) -> Strategy:
    """A strategy itself, by the name of a preset, or the plain beam search.

    >>> strategy_of("explorer").nucleus
    0.9

    :raises RequestError: if there is no such preset.
    """
    if given is None:
        return Strategy()
    if isinstance(given, Strategy):
        return given
    if given not in PRESETS:
        names = [*PRESETS, AUTO]
        raise RequestError(
            f"there is no strategy {given!r}.{did_you_mean(given, names)} Known: "
            f"{', '.join(names)}."
        )
    return PRESETS[given]


def with_beams(strategy: Strategy, beams: int | None) -> Strategy:
    """The strategy with a width of its own."""
    return strategy if beams is None else replace(strategy, beams=beams)
