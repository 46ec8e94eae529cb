"""Which events of a history carried an item, measured on the model itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.decoding.next_item import NextItemRanker
from p5rec.language.explanation import Evidence, EvidenceEvent, EvidenceGroup, Shared
from p5rec.language.facts import ItemFacts, facts_of

IntArray = NDArray[np.int64]

SHARE = 0.2
"""Of the heaviest weight: what weighs less is not worth being named beside it."""


def measure_evidence(
    ranker: NextItemRanker,
    histories: Histories,
    items: IntArray,
    catalogue: Catalogue,
    *,
    most: int = 3,
    considered: int = 32,
    groups: int = 3,
) -> list[Evidence]:
    """Score each item again without each distinct item of its history, all in one batched pass.

    Taking an item out takes out all its events; sessions and days of the others stay as they
    were. Of a history with more than ``considered`` distinct items these are tried: the suggested
    item itself, then by turns the most recent and those that share most with the suggested item
    (the information of shared attributes, see ``ItemFacts``). An item whose absence does not
    lower the log-probability carried nothing and is left out, as is what weighs less than a fifth
    of the heaviest. In the same pass, items of the history that share a telling attribute with the
    suggested one are taken out together; such a group, too, must weigh a fifth of that item.

    :param items: the item to account for, one catalogue row a history, ``int64[U]``.
    :param most: at most so many events of evidence.
    :param groups: at most so many groups of two items and more are tried.
    """
    facts = facts_of(catalogue)
    wanted = np.asarray(items, dtype=np.int64)
    trials = [
        _Trial.of(
            facts, histories.items[histories.slice(user)], int(wanted[user]), considered, groups
        )
        for user in range(len(histories))
    ]
    removed = [rows for trial in trials for rows in trial.removed]
    users = np.repeat(np.arange(len(trials)), [len(trial.removed) for trial in trials])
    scores = score_without(ranker, histories, wanted, users, removed)
    starts = np.searchsorted(users, np.arange(len(trials)))
    return [
        trial.evidence(facts, scores[start : start + len(trial.removed)], most)
        for trial, start in zip(trials, starts.tolist(), strict=True)
    ]


def score_without(
    ranker: NextItemRanker,
    histories: Histories,
    items: IntArray,
    users: IntArray,
    removed: Sequence[IntArray],
) -> NDArray[np.float64]:
    """Log-probability of ``items[users]``, each without some items of the user's history.

    Where several items are asked of one history, it is read once without the same items.

    :param users: numbers of histories, ``int64[V]``; one may come many times.
    :param removed: for each of ``users`` the catalogue rows to take out; none of them is allowed.
    """
    same = _same_history(histories)
    numbers: dict[tuple[int, bytes], int] = {}
    keys = [
        (same[user], np.sort(rows).tobytes()) for user, rows in zip(users, removed, strict=True)
    ]
    of = np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
    _, first = np.unique(of, return_index=True)
    variants = without(histories.take(users[first]), [removed[at] for at in first.tolist()])
    return ranker.score(variants, items[users], of=of)


def _same_history(histories: Histories) -> list[int]:
    """A number a history, the same for those that hold the same events."""
    numbers: dict[tuple[bytes, ...], int] = {}
    columns: list[NDArray[Any]] = [histories.items, histories.sessions]
    columns += [] if histories.days is None else [histories.days]
    return [
        numbers.setdefault(
            tuple(column[histories.slice(user)].tobytes() for column in columns), len(numbers)
        )
        for user in range(len(histories))
    ]


def without(histories: Histories, removed: Sequence[IntArray]) -> Histories:
    """Each history without all events of some items; session numbers stay as they were.

    :param removed: the catalogue rows to take out of each history.
    """
    owner = histories.user_of_event
    taken = np.repeat(np.arange(len(removed)), [len(rows) for rows in removed])
    rows = np.concatenate([np.empty(0, np.int64), *removed])
    width = 1 + max(int(histories.items.max(initial=0)), int(rows.max(initial=0)))
    kept = ~np.isin(owner * width + histories.items, taken * width + rows)
    lengths = np.bincount(owner[kept], minlength=len(histories))
    return Histories(
        histories.user_ids,
        np.append(0, np.cumsum(lengths)).astype(np.int64),
        histories.items[kept],
        None if histories.days is None else histories.days[kept],
        histories.sessions[kept],
    )


@dataclass(frozen=True)
class _Trial:
    """What is taken out of one history in turn: nothing, each single item, each group."""

    history: IntArray
    item: int
    single: IntArray
    groups: list[tuple[int, IntArray]]

    @classmethod
    def of(
        cls, facts: ItemFacts, history: IntArray, item: int, considered: int, groups: int
    ) -> _Trial:
        return cls(
            history,
            item,
            _considered(facts, history, item, considered),
            facts.alike(item, np.unique(history), most=groups),
        )

    @property
    def removed(self) -> list[IntArray]:
        singles = [self.single[at : at + 1] for at in range(len(self.single))]
        return [np.empty(0, np.int64), *singles, *(rows for _, rows in self.groups)]

    def evidence(self, facts: ItemFacts, scores: NDArray[np.float64], most: int) -> Evidence:
        weights = scores[0] - scores[1:]
        single, grouped = weights[: len(self.single)], weights[len(self.single) :]
        tried = [
            self._event(*pair) for pair in zip(self.single.tolist(), single.tolist(), strict=True)
        ]
        carried = sorted(tried, key=lambda event: -event.weight)[:most]
        least = SHARE * max(0.0, carried[0].weight if carried else 0.0)
        events = tuple(event for event in carried if event.weight > least)
        return Evidence(
            self.item,
            float(scores[0]),
            events,
            shared_of(facts, self.item, events),
            self._groups(facts, grouped, least),
            tuple(sorted(tried, key=lambda event: event.position)),
        )

    def _event(self, row: int, weight: float) -> EvidenceEvent:
        positions = np.flatnonzero(self.history == row)
        last = int(positions[-1])
        return EvidenceEvent(last, row, weight, len(positions), len(self.history) - last)

    def _groups(
        self, facts: ItemFacts, weights: NDArray[np.float64], least: float
    ) -> tuple[EvidenceGroup, ...]:
        found = []
        for (fact, rows), weight in zip(self.groups, weights.tolist(), strict=True):
            count = int(np.isin(self.history, rows).sum())
            named = facts.attributes[fact], facts.values[fact]
            found.append(EvidenceGroup(*named, tuple(rows.tolist()), weight, count))
        found.sort(key=lambda group: -group.weight)
        return tuple(group for group in found if group.weight > least)


def _considered(facts: ItemFacts, history: IntArray, item: int, most: int) -> IntArray:
    distinct, ago = np.unique(history[::-1], return_index=True)
    if len(distinct) <= most:
        return distinct
    # A place in either order counts, so both take turns; the item itself goes before all.
    likeness = facts.likeness(item, distinct)
    by_age = np.argsort(np.argsort(ago))
    by_likeness = np.argsort(np.lexsort([ago, -likeness]))
    place = np.minimum(2 * by_age, np.where(likeness > 0, 2 * by_likeness + 1, 2 * len(distinct)))
    place[distinct == item] = -1
    chosen: IntArray = distinct[np.argsort(place, kind="stable")[:most]]
    return chosen


def shared_of(facts: ItemFacts, item: int, events: Sequence[EvidenceEvent]) -> tuple[Shared, ...]:
    """What an item has in common with the items of events."""
    times = sum(event.count for event in events if event.item == item)
    return facts.shared(item, [event.item for event in events], times=times)
