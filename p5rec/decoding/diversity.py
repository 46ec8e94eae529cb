"""Lists of items that are unlike each other: maximal marginal relevance over semantic paths."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from p5rec.decoding.trie import Trie


def likeness(trie: Trie, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float64]:
    """The share of levels above the item that two catalogue rows have in common, from the root.

    With a single level nothing but the item itself is alike.
    """
    leaves, others = trie.leaf_of_item[one], trie.leaf_of_item[other]
    levels = max(1, trie.depth - 1)
    same = [
        trie.nodes_above(depth, leaves) == trie.nodes_above(depth, others)
        for depth in range(1, levels + 1)
    ]
    share: NDArray[np.float64] = np.mean(same, axis=0)
    return share


def most_marginal(
    trie: Trie,
    items: NDArray[np.int64],
    scores: NDArray[np.float64],
    *,
    k: int,
    diversity: float,
) -> NDArray[np.int64]:
    """Places of the ``k`` items that maximal marginal relevance picks, in that order.

    Carbonell and Goldstein (1998), with probabilities over that of the best item as relevance.

    :param items: catalogue rows, best first; -1 (no item) is never picked.
    """
    n_items = int((items >= 0).sum())
    relevance = np.exp(scores[:n_items] - scores[0]) if n_items else np.empty(0)
    alike = np.zeros(n_items)
    picked: list[int] = []
    left = np.ones(n_items, dtype=bool)
    for _ in range(min(k, n_items)):
        gain = (1 - diversity) * relevance - diversity * alike
        place = int(np.argmax(np.where(left, gain, -np.inf)))
        picked.append(place)
        left[place] = False
        here = np.full(n_items, items[place])
        alike = np.maximum(alike, likeness(trie, items[:n_items], here))
    return np.array(picked, dtype=np.int64)
