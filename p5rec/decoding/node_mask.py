"""Which nodes of a trie have an eligible item under them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.decoding.trie import Trie

Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class NodeMask:
    """A set of leaves, and for every node whether it has one of them and how many.

    ``nodes[d]`` is ``bool[n_nodes(d)]`` for depth ``d``; the last is the leaves themselves.
    ``before[j]`` counts the leaves of the set before leaf ``8 j``, ``eights[j]`` holds the eight
    leaves from there as bits.
    """

    nodes: tuple[Tensor, ...]
    before: NDArray[np.int32]
    eights: NDArray[np.uint16]

    @classmethod
    def of(cls, trie: Trie, leaves: Mask) -> NodeMask:
        """The mask over nodes that a mask over leaves ``bool[n_items]`` gives.

        One cumulative sum over the leaves, then a subtraction for each node.
        """
        packed = np.packbits(leaves)
        before = np.zeros(len(packed) + 1, dtype=np.int32)
        np.cumsum(np.bitwise_count(packed), out=before[1:])
        eights = np.append(packed, np.uint8(0)).astype(np.uint16)
        inner = []
        for depth in range(trie.depth):
            rank = _rank(before, eights, trie.leaf_start[depth])
            inner.append(torch.from_numpy(rank[1:] > rank[:-1]))
        return cls((*inner, torch.from_numpy(leaves)), before, eights)

    def under(self, low: NDArray[np.integer], high: NDArray[np.integer]) -> NDArray[np.int32]:
        """How many leaves of the set lie in each ``[low, high)``."""
        return _rank(self.before, self.eights, high) - _rank(self.before, self.eights, low)

    @cached_property
    def leaves(self) -> Mask:
        """The set as a mask over leaves."""
        mask: Mask = self.nodes[-1].numpy()
        return mask

    @property
    def count(self) -> int:
        """How many leaves are in the set."""
        return int(self.before[-1])

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(map(len, self.nodes)) + self.before.nbytes + self.eights.nbytes


def _rank(
    before: NDArray[np.int32], eights: NDArray[np.uint16], leaf: NDArray[np.integer]
) -> NDArray[np.int32]:
    """How many leaves of the set come before each leaf."""
    eight = leaf >> 3
    first = eights[eight] >> (8 - (leaf & 7)).astype(np.uint16)
    rank: NDArray[np.int32] = before[eight] + np.bitwise_count(first).astype(np.int32)
    return rank


_LIVE: WeakKeyDictionary[Trie, NodeMask] = WeakKeyDictionary()


def live_mask(trie: Trie) -> NodeMask | None:
    """The nodes with an item that is not retired, or None where none is."""
    if trie.live is None:
        return None
    if trie not in _LIVE:
        _LIVE[trie] = NodeMask.of(trie, trie.live)
    return _LIVE[trie]
