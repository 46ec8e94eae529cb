"""The prefix trie of a catalogue: which codes can follow which, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.ids.semantic_ids import SemanticIDs

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Trie:
    """A prefix trie whose nodes are numbered level by level in the order of their codes.

    Depth 0 is the root, depth ``D`` the leaves; a leaf is one item. The children of a node lie
    side by side, and so do the leaves under it, so that a node is an interval of both.

    - ``child_start[d]``: children of node ``n`` at depth ``d`` are the nodes
      ``child_start[d][n] … child_start[d][n + 1] - 1`` at depth ``d + 1``.
    - ``leaf_start[d]``: leaves under node ``n`` at depth ``d``, in the same way.
    - ``code[d]``: the code of each node at depth ``d + 1``.
    - ``item_of_leaf``: the catalogue row of each leaf; ``leaf_of_item`` is its inverse.
    """

    child_start: tuple[IntArray, ...]
    leaf_start: tuple[IntArray, ...]
    code: tuple[IntArray, ...]
    item_of_leaf: IntArray
    leaf_of_item: IntArray

    @classmethod
    def from_semantic_ids(cls, ids: SemanticIDs) -> Trie:
        """Build the trie from the codes of all items; vectorised, no Python a node."""
        order = np.lexsort(ids.codes.T[::-1])
        codes = ids.codes[order].astype(np.int64)
        n_items, depth = codes.shape
        first = np.zeros(n_items, dtype=bool)
        first[0] = True
        starts = [np.array([0], dtype=np.int64)]
        for level in range(depth):
            first[1:] |= codes[1:, level] != codes[:-1, level]
            starts.append(np.flatnonzero(first))
        leaf_start = tuple(np.append(start, n_items) for start in starts)
        child_start = tuple(
            np.searchsorted(starts[d + 1], leaf_start[d]).astype(np.int64) for d in range(depth)
        )
        leaf_of_item = np.empty(n_items, dtype=np.int64)
        leaf_of_item[order] = np.arange(n_items)
        return cls(
            child_start=child_start,
            leaf_start=leaf_start,
            code=tuple(codes[starts[d + 1], d] for d in range(depth)),
            item_of_leaf=order.astype(np.int64),
            leaf_of_item=leaf_of_item,
        )

    @property
    def depth(self) -> int:
        """Number of codes in a semantic ID."""
        return len(self.code)

    @property
    def n_items(self) -> int:
        """Number of leaves, which is the number of items."""
        return len(self.item_of_leaf)

    @property
    def widths(self) -> tuple[int, ...]:
        """The largest number of children of any node, for each depth from the root."""
        return tuple(int(np.diff(start).max()) for start in self.child_start)

    def n_nodes(self, depth: int) -> int:
        """Number of nodes at ``depth`` (0 is the root)."""
        return len(self.leaf_start[depth]) - 1

    def node_of_leaf(self, depth: int) -> IntArray:
        """The node at ``depth`` above each leaf, ``int64[n_items]``."""
        return np.repeat(np.arange(self.n_nodes(depth)), np.diff(self.leaf_start[depth]))

    def nodes_of_items(self) -> IntArray:
        """The nodes on the way to each item, ``int64[n_items, depth + 1]``, the root first."""
        nodes = np.stack([self.node_of_leaf(d) for d in range(self.depth + 1)], axis=1)
        return nodes[self.leaf_of_item]
