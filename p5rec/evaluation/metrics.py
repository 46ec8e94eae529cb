"""Ranking metrics over whole batches of users: recall, ndcg, hit, mrr, coverage, invalid items.

A ranking is an array ``int64[U, k]`` of catalogue rows, best first; -1 is an empty slot. The
targets are one array of relevant rows a user. Every metric is a value a user, so that means,
intervals and paired tests can be taken from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from p5rec.errors import RequestError

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

METRICS = ("recall", "ndcg", "hit", "mrr")


def repeats(ranked: Ints) -> Bools:
    """Slots that name an item which already stands higher in the same list.

    >>> repeats(np.array([[4, 7, 4, -1, -1]])).tolist()
    [[False, False, True, False, False]]

    :param ranked: ``int64[U, k]``, -1 where a slot is empty.
    """
    order = np.argsort(ranked, axis=1, kind="stable")
    ordered = np.take_along_axis(ranked, order, axis=1)
    again = np.zeros(ranked.shape, dtype=np.bool_)
    again[:, 1:] = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] != -1)
    found = np.empty_like(again)
    np.put_along_axis(found, order, again, axis=1)
    return found


def hits(ranked: Ints, targets: Sequence[npt.NDArray[np.integer]]) -> Bools:
    """Slots that name a relevant item; a repeated item counts once, at its best rank.

    >>> hits(np.array([[4, 7, 4], [1, 2, -1]]), [np.array([4]), np.array([2, 9])]).tolist()
    [[True, False, False], [False, True, False]]

    :param ranked: ``int64[U, k]``, -1 where a slot is empty.
    :param targets: for each user the relevant rows.
    :raises RequestError: if the two do not describe the same number of users.
    """
    _check(ranked, targets)
    if ranked.size == 0:
        return np.zeros(ranked.shape, dtype=np.bool_)
    relevant = np.concatenate(targets).astype(np.int64)
    users = np.repeat(np.arange(len(targets)), [len(target) for target in targets])
    # One number for each (user, item) makes membership one lookup for all users together.
    width = int(max(ranked.max(initial=0), relevant.max(initial=0))) + 1
    keys = np.where(ranked >= 0, ranked + np.arange(len(ranked))[:, None] * width, -1)
    return np.isin(keys, users * width + relevant) & ~repeats(ranked)


def evaluate_ranking(
    ranked: Ints,
    targets: Sequence[npt.NDArray[np.integer]],
    *,
    ks: Sequence[int] = (5, 10),
) -> dict[str, Floats]:
    """The values of recall@k, ndcg@k, hit@k and mrr@k of every user, for each k.

    recall@k is the share of the relevant items that stand in the first k slots; ndcg@k has binary
    gains and an ideal list of min(k, relevant items) hits; mrr@k is one over the rank of the first
    hit. A user with an empty list counts as 0, so that saying nothing cannot raise a mean.

    >>> values = evaluate_ranking(np.array([[3, 1]]), [np.array([1, 5])], ks=[2])
    >>> {name: round(float(value[0]), 3) for name, value in values.items()}
    {'recall@2': 0.5, 'ndcg@2': 0.387, 'hit@2': 1.0, 'mrr@2': 0.5}

    :param ranked: ``int64[U, K]`` with K at least the largest k; -1 where a slot is empty.
    :param targets: for each user the relevant rows, at least one.
    :raises RequestError: if a user has no relevant item, or the lists are shorter than a k.
    """
    if not ks or min(ks) < 1 or ranked.ndim != 2 or ranked.shape[1] < max(ks):
        raise RequestError(
            f"ks {tuple(ks)} cannot be measured on rankings of shape {ranked.shape}. Each k must be"
            " between 1 and the number of slots; rank at least as many items as the largest k."
        )
    hit = hits(ranked, targets)
    relevant = np.array([len(np.unique(target)) for target in targets], dtype=np.int64)
    if not relevant.all():
        raise RequestError(
            f"user {int(np.argmin(relevant))} has no relevant item, so recall is not defined. Leave"
            " out users with nothing held out."
        )
    discount = _discounts(ranked.shape[1])
    values: dict[str, Floats] = {}
    for k in ks:
        first = hit[:, :k]
        found = np.asarray(first.any(axis=1), dtype=np.float64)
        values[f"recall@{k}"] = first.sum(axis=1) / relevant
        gain: Floats = np.sum(first * discount[:k], axis=1)
        # A sum in another order may exceed the ideal by the last bit; 1 is the bound by definition.
        values[f"ndcg@{k}"] = (gain / ideal_gain(relevant, k=k)).clip(max=1.0)
        values[f"hit@{k}"] = found
        values[f"mrr@{k}"] = found / (first.argmax(axis=1) + 1)
    return values


def ideal_gain(relevant: npt.NDArray[np.integer], *, k: int) -> Floats:
    """The discounted gain of the best list of ``k`` for each number of relevant items, from 1 on.

    >>> ideal_gain(np.array([1, 2, 9]), k=2).round(3).tolist()
    [1.0, 1.631, 1.631]
    """
    gains: Floats = np.cumsum(_discounts(k))[np.minimum(k, relevant) - 1]
    return gains


def _discounts(k: int) -> Floats:
    """What a hit on each of the first ``k`` slots is worth."""
    worth: Floats = 1.0 / np.log2(np.arange(2, k + 2))
    return worth


def coverage(ranked: Ints, n_items: int) -> float:
    """The share of the catalogue that stands in at least one list.

    >>> coverage(np.array([[0, 1], [1, -1]]), 4)
    0.5
    """
    inside = ranked[(ranked >= 0) & (ranked < n_items)]
    return len(np.unique(inside)) / n_items if n_items else 0.0


def invalid_slots(ranked: Ints, n_items: int) -> Bools:
    """Slots that name something outside the catalogue, or repeat an item of the same list.

    >>> invalid_slots(np.array([[0, 9, 0, -1]]), 4).tolist()
    [[False, True, True, False]]
    """
    outside = (ranked < -1) | (ranked >= n_items)
    return outside | repeats(ranked)


def invalid_share(ranked: Ints, n_items: int) -> float:
    """The share of the filled slots that are invalid; 0 where no slot is filled.

    >>> invalid_share(np.array([[0, 9, 0, 1, -1]]), 4)
    0.5
    """
    filled = int((ranked != -1).sum())
    return int(invalid_slots(ranked, n_items).sum()) / filled if filled else 0.0


def _check(ranked: Ints, targets: Sequence[npt.NDArray[np.integer]]) -> None:
    if ranked.ndim != 2 or len(ranked) != len(targets):
        raise RequestError(
            f"rankings of shape {ranked.shape} do not fit the targets of {len(targets)} users. Give"
            " one row of items for each user, in the order of the targets."
        )
