"""The prefix trie of a catalogue: which codes can follow which, as flat arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from p5rec.errors import SemanticIDError
from p5rec.ids.semantic_ids import SemanticIDs

Numbers = NDArray[np.int32]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trie:
    """A prefix trie whose nodes are numbered level by level in the order of their codes.

    Depth 0 is the root, depth ``D`` the leaves; a leaf is one item. The children of a node lie
    side by side, and so do the leaves under it, so that a node is an interval of both. Items are
    known by their catalogue rows, which never change; the numbers of nodes and leaves are the
    trie's own and new in each trie.

    - ``child_start[d]``: children of node ``n`` at depth ``d`` are the nodes
      ``child_start[d][n] … child_start[d][n + 1] - 1`` at depth ``d + 1``.
    - ``leaf_start[d]``: leaves under node ``n`` at depth ``d``, in the same way.
    - ``code[d]``: the code of each node at depth ``d + 1``.
    - ``item_of_leaf``: the catalogue row of each leaf; ``leaf_of_item`` is its inverse.
    - ``live``: whether each leaf may be returned, or None where all may.
    """

    child_start: tuple[Numbers, ...]
    leaf_start: tuple[Numbers, ...]
    code: tuple[Numbers, ...]
    item_of_leaf: Numbers
    leaf_of_item: Numbers
    live: NDArray[np.bool_] | None = None

    @classmethod
    def from_semantic_ids(cls, ids: SemanticIDs) -> Trie:
        """Build the trie from the codes of all items; vectorised, no Python a node."""
        return cls.from_codes(ids.codes)

    @classmethod
    def from_codes(cls, codes: NDArray[np.integer]) -> Trie:
        """Build the trie from the path of each item, ``int[n_items, depth]``.

        :raises SemanticIDError: if two items have the same path.
        """
        order = _path_order(codes)
        n_items, depth = codes.shape
        first = np.zeros(n_items, dtype=bool)
        first[0] = True
        starts = [np.zeros(1, dtype=np.int32)]
        code = []
        for level in range(depth):
            column = codes[:, level].astype(np.int32, copy=False)[order]
            first[1:] |= column[1:] != column[:-1]
            starts.append(np.flatnonzero(first).astype(np.int32))
            code.append(column[starts[-1]])
        if len(starts[-1]) < n_items:
            twice = order[int(np.flatnonzero(~first)[0])]
            raise SemanticIDError(
                f"the path {codes[twice].tolist()} of the item in row {twice} is that of another "
                "item; expected a path of its own for each item. Give it another last code."
            )
        leaf_of_item = np.empty(n_items, dtype=np.int32)
        leaf_of_item[order] = np.arange(n_items, dtype=np.int32)
        end = np.array([n_items], dtype=np.int32)
        leaf_start = tuple(np.concatenate([start, end]) for start in starts)
        return cls(
            child_start=tuple(
                np.searchsorted(starts[d + 1], leaf_start[d]).astype(np.int32) for d in range(depth)
            ),
            leaf_start=leaf_start,
            code=tuple(code),
            item_of_leaf=order.astype(np.int32),
            leaf_of_item=leaf_of_item,
        )

    def with_items(self, codes: NDArray[np.integer]) -> Trie:
        """The trie with more items, which get the rows after those that there are.

        :param codes: the path of each new item, ``int[n, depth]``.
        :raises SemanticIDError: if a path is taken.
        """
        trie = Trie.from_codes(np.concatenate([self.codes_of_items(), codes]))
        if self.live is None:
            return trie
        live_items = np.ones(trie.n_items, dtype=bool)
        live_items[: self.n_items] = self.live[self.leaf_of_item]
        return replace(trie, live=live_items[trie.item_of_leaf])

    def without_items(self, rows: IntArray) -> Trie:
        """The trie with items retired: they keep their rows and paths and are never returned."""
        live = np.ones(self.n_items, dtype=bool) if self.live is None else self.live.copy()
        live[self.leaf_of_item[rows]] = False
        return replace(self, live=live)

    def with_restored(self, rows: IntArray) -> Trie:
        """The trie with retired items live again."""
        if self.live is None:
            return self
        live = self.live.copy()
        live[self.leaf_of_item[rows]] = True
        return replace(self, live=None if live.all() else live)

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

    @property
    def size(self) -> int:
        """Bytes of all arrays."""
        arrays = [*self.child_start, *self.leaf_start, *self.code]
        arrays += [self.item_of_leaf, self.leaf_of_item]
        return sum(array.nbytes for array in arrays) + (0 if self.live is None else self.n_items)

    def n_nodes(self, depth: int) -> int:
        """Number of nodes at ``depth`` (0 is the root)."""
        return len(self.leaf_start[depth]) - 1

    def nodes_above(self, depth: int, leaves: NDArray[np.integer]) -> IntArray:
        """The node at ``depth`` above each of some leaves."""
        if depth == self.depth:
            return leaves.astype(np.int64)
        # Looked up in the trie's own type: numpy would turn all of its array into another one.
        found = np.searchsorted(self.leaf_start[depth], leaves.astype(np.int32), side="right") - 1
        return found.astype(np.int64)

    def nodes_of_items(self) -> IntArray:
        """The nodes on the way to each item, ``int64[n_items, depth + 1]``, the root first."""
        return np.stack([self.nodes_above(d, self.leaf_of_item) for d in range(self.depth + 1)], 1)

    def codes_of_items(self) -> Numbers:
        """The path of each item, ``int32[n_items, depth]``."""
        columns = [
            np.repeat(self.code[level], np.diff(self.leaf_start[level + 1]))[self.leaf_of_item]
            for level in range(self.depth)
        ]
        return np.stack(columns, axis=1)


def _path_order(codes: NDArray[np.integer]) -> IntArray:
    """The rows of ``codes`` in the order of their paths."""
    sizes = [int(column.max()) + 1 for column in codes.T]
    if np.prod(np.array(sizes, dtype=np.float64)) >= 2**63:
        return np.lexsort(codes.T[::-1])
    key = np.zeros(len(codes), dtype=np.int64)
    for size, column in zip(sizes, codes.T, strict=True):
        key *= size
        key += column
    return np.argsort(key)
