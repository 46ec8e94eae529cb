"""The nodes of a tree of codes, level by level, with room for nodes that come later."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from p5rec.ids.grouping import members
from p5rec.ids.growth import Centres

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

# Keys are looked up in a table where that takes no more than this many places for each.
_SPARSE = 8


class LevelNodes:
    """The nodes of one level: which codes each parent has, and how many items lie under each.

    Nodes are numbered in the order of (parent, code); those that are added later follow. ``keys``
    (int64, rising) hold both in one number, ``items`` counts the items under each node, ``room``
    says how many there should be at most, ``of_items`` (int64[N]) is the node of each item.
    """

    def __init__(self, parents: Ints, n_parents: int, codes: Ints, n_codes: int) -> None:
        self.n_codes = n_codes
        self.keys, self.of_items, self.items = _distinct(
            parents * n_codes + codes, n_parents * n_codes
        )
        self.room: Ints = np.zeros(len(self.items), dtype=np.int64)
        self._added: dict[tuple[int, int], int] = {}
        self._children: dict[int, list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        """How many nodes there are."""
        return len(self.items)

    def find(self, parent: int, code: int) -> int:
        """The node of a code below a parent, -1 where there is none."""
        if code < self.n_codes:
            key = parent * self.n_codes + code
            place = int(self.keys.searchsorted(key))
            if place < len(self.keys) and self.keys[place] == key:
                return place
        return self._added.get((parent, code), -1)

    def children(self, parent: int) -> tuple[Ints, Ints]:
        """Codes and nodes of the children of a parent."""
        bounds = self.keys.searchsorted([parent * self.n_codes, (parent + 1) * self.n_codes])
        nodes = np.arange(bounds[0], bounds[1])
        codes = self.keys[nodes] - parent * self.n_codes
        if parent in self._children:
            more = np.array(self._children[parent], dtype=np.int64)
            codes, nodes = np.append(codes, more[:, 0]), np.append(nodes, more[:, 1])
        return codes, nodes

    def add(self, parent: int, code: int, *, room: int) -> int:
        """A new node; it has no items yet."""
        node = len(self.items)
        self.items, self.room = np.append(self.items, 0), np.append(self.room, room)
        self._added[parent, code] = node
        self._children.setdefault(parent, []).append((code, node))
        return node

    def rows(self, parents: Ints, codes: Ints) -> Ints:
        """The nodes of many codes below their parents; all of them must be there."""
        return self.keys.searchsorted(parents * self.n_codes + codes).astype(np.int64)


class NodeCentres:
    """The middles of the nodes of one level, found by node."""

    def __init__(self, centres: Centres, levels: Sequence[LevelNodes], *, more: int) -> None:
        """``more``: how many nodes may be added; ``levels``: down to that of the centres."""
        nodes = np.zeros(len(centres.paths), dtype=np.int64)
        for level, codes in zip(levels, centres.paths.T, strict=True):
            nodes = level.rows(nodes, codes.astype(np.int64))
        self._first = centres
        self._count = len(nodes)
        self._paths = np.pad(centres.paths, ((0, more), (0, 0)))
        self._vectors = np.pad(centres.vectors, ((0, more), (0, 0)))
        self._row: Ints = np.pad(np.argsort(nodes), (0, more))

    @property
    def centres(self) -> Centres:
        """All of them, the new ones last."""
        return Centres(self._paths[: self._count], self._vectors[: self._count])

    def distances(self, nodes: Ints, vector: Floats) -> Floats:
        """How far a vector is from the middle of each of some nodes."""
        apart: Floats = np.square(self._vectors[self._row[nodes]] - vector).sum(axis=1)
        return apart

    def add(self, node: int, path: Codes, vector: Floats) -> None:
        """The middle of a new node: its first item."""
        self._row[node] = self._count
        self._paths[self._count], self._vectors[self._count] = path, vector
        self._count += 1

    def usual_code(self, vector: Floats) -> int:
        """The code whose nodes lay nearest on average at first, whatever their parents."""
        codes, averages = self._usual
        return int(codes[np.square(averages - vector).sum(axis=1).argmin()])

    @cached_property
    def _usual(self) -> tuple[Ints, Floats]:
        codes, numbers = np.unique(self._first.paths[:, -1], return_inverse=True)
        averaging, _ = members(numbers.astype(np.int64))
        return codes.astype(np.int64), np.asarray(averaging @ self._first.vectors)


def _distinct(keys: Ints, bound: int) -> tuple[Ints, Ints, Ints]:
    """The distinct keys, the place of each key among them, and how often each occurs."""
    if bound > _SPARSE * len(keys) + (1 << 20):
        distinct, places, counts = np.unique(keys, return_inverse=True, return_counts=True)
        return distinct, places.astype(np.int64), counts.astype(np.int64)
    counts = np.bincount(keys, minlength=bound)
    distinct = np.flatnonzero(counts)
    numbers = np.zeros(bound, dtype=np.int64)
    numbers[distinct] = np.arange(len(distinct))
    return distinct, numbers[keys], counts[distinct].astype(np.int64)
