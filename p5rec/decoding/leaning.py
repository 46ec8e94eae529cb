"""A walk that leans towards items: what is known of each item beforehand, at every node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.decoding.contexts import SparseBiases
from p5rec.decoding.trie import Trie

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Lean:
    """Catalogue rows and how much a walk leans to each, in nats above 0; to all others not."""

    rows: IntArray
    scores: FloatArray


@dataclass(frozen=True)
class Leaning:
    """Contexts of walks that lean to items.

    An item with score ``s`` is to be ``exp(s)`` times as likely as the model alone makes it. A
    node's bias is the logarithm of the mean of ``exp(s)`` over the items under it: what a walk can
    expect there if these were equally likely. At the leaves it is ``s`` itself, so that a model
    that knows nothing ranks by ``s``.
    """

    biases: SparseBiases
    whole = False

    @classmethod
    def of(cls, trie: Trie, leans: Sequence[Lean | None], device: torch.device) -> Leaning:
        """One context for each of ``leans``; None leans to nothing."""
        leaves = [trie.leaf_of_item[lean.rows] for lean in leans if lean is not None]
        having = [number for number, lean in enumerate(leans) if lean is not None]
        context = np.repeat(np.array(having, dtype=np.int64), [len(own) for own in leaves])
        leaf = np.concatenate([np.empty(0, np.int64), *leaves]).astype(np.int64)
        score = np.concatenate([np.empty(0), *(lean.scores for lean in leans if lean is not None)])
        order = np.lexsort([leaf, context])
        context, leaf, score = context[order], leaf[order], score[order]
        keys, biases = [], []
        for depth in range(1, trie.depth + 1):
            key = context * trie.n_nodes(depth) + trie.nodes_above(depth, leaf)
            starts = np.flatnonzero(np.diff(key, prepend=-1))
            node = key[starts] % trie.n_nodes(depth)
            size = np.diff(trie.leaf_start[depth])[node]
            keys.append(torch.from_numpy(key[starts]).to(device))
            bias = _log_mean(score, starts, size).astype(np.float32)
            biases.append(torch.from_numpy(bias).to(device))
        sizes = [trie.n_nodes(depth) for depth in range(1, trie.depth + 1)]
        return cls(SparseBiases(keys, biases, sizes))

    def bias(self, *, level: int, context: Tensor, first: Tensor, width: Tensor) -> Tensor:
        """As in :class:`~p5rec.decoding.contexts.Contexts`."""
        none = torch.zeros(len(first), int(width.max()), device=first.device)
        return self.biases.add_to(none, level=level, context=context, first=first, width=width)

    def trust(self, level: int) -> Tensor | None:
        """None: what a person asks for says nothing of the network."""
        return None


def _log_mean(score: FloatArray, starts: IntArray, size: NDArray[np.integer]) -> FloatArray:
    """The logarithm of the mean of ``exp(score)`` over ``size`` items, unlisted ones having 0."""
    if not len(starts):
        return np.empty(0)
    largest = np.maximum.reduceat(score, starts)
    number = np.diff(np.append(starts, len(score)))
    risen = np.exp(score - np.repeat(largest, number))
    listed = np.add.reduceat(risen, starts)
    total = listed + (size - number) * np.exp(-largest)
    return np.asarray(largest + np.log(total / size))
