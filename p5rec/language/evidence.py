"""Which events of a history carried an item, measured on the model itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.decoding.next_item import NextItemRanker
from p5rec.language.explanation import Evidence, EvidenceEvent, Shared
from p5rec.language.facts import ItemFacts, facts_of

IntArray = NDArray[np.int64]


def measure_evidence(
    ranker: NextItemRanker,
    histories: Histories,
    items: IntArray,
    catalogue: Catalogue,
    *,
    most: int = 3,
    considered: int = 32,
) -> list[Evidence]:
    """Score each item again without each distinct item of its history, all in one batched pass.

    Taking an item out takes out all its events; sessions and days of the others stay as they
    were. Of a history with more than ``considered`` distinct items these are tried: the suggested
    item itself, then by turns the most recent and those that share most with the suggested item
    (the information of shared attributes, see ``ItemFacts``). An item whose absence does not
    lower the log-probability carried nothing and is left out.

    :param items: the item to account for, one catalogue row a history, ``int64[U]``.
    :param most: at most so many events of evidence.
    """
    facts = facts_of(catalogue)
    wanted = np.asarray(items, dtype=np.int64)
    tried = [
        _considered(facts, histories.items[histories.slice(user)], int(wanted[user]), considered)
        for user in range(len(histories))
    ]
    # -1 stands for nothing taken out.
    removed = np.concatenate([np.empty(0, np.int64), *(np.append(-1, rows) for rows in tried)])
    users = np.repeat(np.arange(len(histories)), [len(rows) + 1 for rows in tried])
    scores = _score_without(ranker, histories, wanted, users, removed)
    starts = np.searchsorted(users, np.arange(len(histories)))
    return [
        _evidence(
            facts,
            histories.items[histories.slice(user)],
            int(wanted[user]),
            rows,
            scores[start : start + len(rows) + 1],
            most,
        )
        for user, (rows, start) in enumerate(zip(tried, starts.tolist(), strict=True))
    ]


def _score_without(
    ranker: NextItemRanker,
    histories: Histories,
    items: IntArray,
    users: IntArray,
    removed: IntArray,
) -> NDArray[np.float64]:
    """Scores of ``items[users]``, each with one item of the history taken out."""
    # Histories of like length are scored side by side, which saves padding.
    order = np.argsort(histories.lengths[users], kind="stable")
    variants = without(histories.take(users[order]), removed[order])
    scores = np.empty(len(users))
    scores[order] = ranker.score(variants, items[users[order]])
    return scores


def without(histories: Histories, removed: IntArray) -> Histories:
    """Each history without the events of one item; session numbers stay as they were.

    :param removed: the catalogue row to take out of each history, ``int64[U]``.
    """
    owner = np.repeat(np.arange(len(histories)), histories.lengths)
    kept = histories.items != removed[owner]
    lengths = np.bincount(owner[kept], minlength=len(histories))
    return Histories(
        histories.user_ids,
        np.append(0, np.cumsum(lengths)).astype(np.int64),
        histories.items[kept],
        None if histories.days is None else histories.days[kept],
        histories.sessions[kept],
    )


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


def _evidence(
    facts: ItemFacts,
    history: IntArray,
    item: int,
    tried: IntArray,
    scores: NDArray[np.float64],
    most: int,
) -> Evidence:
    weights = scores[0] - scores[1:]
    carried = np.argsort(-weights, kind="stable")
    heaviest = [at for at in carried[:most].tolist() if weights[at] > 0]
    events = tuple(_event(history, int(tried[at]), float(weights[at])) for at in heaviest)
    return Evidence(item, float(scores[0]), events, shared_of(facts, item, events))


def _event(history: IntArray, row: int, weight: float) -> EvidenceEvent:
    positions = np.flatnonzero(history == row)
    last = int(positions[-1])
    return EvidenceEvent(last, row, weight, len(positions), len(history) - last)


def shared_of(facts: ItemFacts, item: int, events: Sequence[EvidenceEvent]) -> tuple[Shared, ...]:
    """What an item has in common with the items of events."""
    times = sum(event.count for event in events if event.item == item)
    return facts.shared(item, [event.item for event in events], times=times)
