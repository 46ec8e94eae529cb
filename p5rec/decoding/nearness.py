"""How near each item is to the newest events of a history, by its companions in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.arrays import ragged
from p5rec.decoding.companions import KINDS, Companions

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

REACH = 30
"""Companions of so many of the newest events are looked at."""

RATES = (1.0, 4.0, np.inf)
"""An event ``a`` sessions before the newest one counts ``exp(-a / rate)``."""

NEARNESS = (
    *(f"{kind}/{rate:g}" for kind in KINDS for rate in RATES),
    "events",
    "lent",
    "own",
    "history events",
)
"""Names of the features, in order: for each kind of closeness and rate of forgetting the logarithm
of the sum over the events, how many of the events the item is a companion of, whether it is cold
and its closeness lent, whether it is in the history itself, and the length of the history."""

LENT = NEARNESS.index("lent")

FROM_EVENTS = len(NEARNESS) - 2

FLOOR = 1e-4


@dataclass(frozen=True)
class Recent:
    """The newest events of contexts: of event ``e``, ``context[e]``, ``item[e]`` (a catalogue row)
    and ``age[e]``, in sessions before the newest.
    """

    context: IntArray
    item: IntArray
    age: IntArray


def near_items(
    recent: Recent, companions: Companions, leaf_of_item: NDArray[np.int32]
) -> tuple[IntArray, FloatArray]:
    """The companions of recent events, and how near they are.

    :return: ``context * n_items + leaf`` in ascending order, and the features of each that the
        events give: all but the last two.
    """
    start = companions.offsets[recent.item]
    size = companions.offsets[recent.item + 1] - start
    event, pair = np.repeat(np.arange(len(size)), size), ragged(start, size)
    key = recent.context[event] * len(leaf_of_item) + leaf_of_item[companions.items[pair]]
    order = np.argsort(key, kind="stable")
    key, event, pair = key[order], event[order], pair[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    if not len(starts):
        return key, np.empty((0, FROM_EVENTS), dtype=np.float32)
    decay = np.exp(-recent.age[:, None] / np.array(RATES)).astype(np.float32)[event]
    cells = (companions.values[pair][:, :, None] * decay[:, None, :]).reshape(len(pair), -1)
    sums = np.add.reduceat(cells, starts, axis=0)
    events = np.diff(starts, append=len(key))[:, None]
    lent = companions.lent[companions.items[pair[starts]]][:, None]
    features = np.concatenate([np.log(sums + np.float32(FLOOR)), np.log1p(events), lent], axis=1)
    return key[starts], features.astype(np.float32)


def beside_histories(
    found: Sequence[tuple[IntArray, FloatArray]], *, own: IntArray, ends: IntArray, n_items: int
) -> tuple[IntArray, FloatArray]:
    """What :func:`near_items` found for groups of contexts as one, with all :data:`NEARNESS`.

    :param own: ``context * n_items + leaf`` of the items of the histories themselves.
    :param ends: how many events each context's history has.
    """
    key = np.concatenate([np.empty(0, dtype=np.int64), *(part for part, _ in found)])
    order = np.argsort(key, kind="stable")
    key = key[order]
    values = [np.empty((0, FROM_EVENTS), dtype=np.float32), *(part for _, part in found)]
    held = np.isin(key, own, assume_unique=True)
    events = np.log1p(ends[key // n_items])
    features = np.column_stack([np.concatenate(values)[order], held, events])
    return key, features.astype(np.float32)
