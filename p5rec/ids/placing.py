"""Paths for items that come later: no old path changes, nothing is trained."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.ids.columns import encode_more
from p5rec.ids.content import content_order, full_texts
from p5rec.ids.grouping import UNDIVIDED
from p5rec.ids.growth import Centres, Growth, Source
from p5rec.ids.nodes import LevelNodes, NodeCentres
from p5rec.ids.semantic_ids import Codes, SemanticIDs
from p5rec.ids.tree import leaf_label
from p5rec.ids.twins import known_twins
from p5rec.ids.vectors import check_vectors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

_SINCE = "since the fit: "


def place_items(
    ids: SemanticIDs,
    catalogue: Catalogue,
    grown: Catalogue,
    *,
    vectors: Floats | None = None,
) -> SemanticIDs:
    """The semantic IDs of a catalogue that has changed since they were made.

    Items that were there keep their paths, whatever has changed about them. A new item follows its
    attributes, then goes where an item that reads the same is, or to the nearest group or cluster,
    as far as there is room, and gets a last code that no item has had. Values that no item has had
    get codes of their own, after all others. The codes of items that are gone are not given again.

    :param catalogue: the one that ``ids`` belong to.
    :param grown: the catalogue as it is now; the result has its rows. Items are known by their ids.
    :param vectors: for IDs that were made from vectors of the caller's: those of the new items,
        float32[n, d], in the order of their rows.
    :raises SemanticIDError: if the IDs were not fitted, or vectors are needed or cannot be used.
    """
    growth = ids.growth
    if growth is None or len(ids) != len(catalogue):
        raise SemanticIDError(
            "these semantic IDs cannot grow: "
            + (
                "they do not say how they were made. Fit them with this version of p5rec."
                if growth is None
                else f"they are those of {len(ids)} items, and the catalogue has {len(catalogue)}."
            )
        )
    before = _rows_before(catalogue, grown)
    new = np.flatnonzero(before < 0)
    items = Catalogue(grown.table.take(new))
    gone = np.ones(len(ids), dtype=bool)
    gone[before[before >= 0]] = False
    growth = replace(
        growth,
        retired=np.concatenate([growth.retired, ids.codes[gone]]),
        placed=growth.placed + len(new),
    )
    twins = known_twins(grown, new)
    twins[twins >= 0] = before[twins[twins >= 0]]
    walk = _Walk(ids, growth, items, twins, _vectors_of(growth, items, vectors))
    codes = np.empty((len(grown), ids.depth), dtype=np.int32)
    codes[before >= 0] = ids.codes[before[before >= 0]]
    codes[new] = walk.codes
    notes = [note for note in ids.notes if not note.startswith(_SINCE)]
    changed = f"{growth.placed:,} items were placed, {len(growth.retired):,} have gone"
    if growth.placed or len(growth.retired):
        crowded = f"; {walk.crowded} went to nodes that were full" if walk.crowded else ""
        notes.append(f"{_SINCE}{changed}{crowded}")
    return SemanticIDs(
        levels=ids.levels,
        codes=codes,
        labels=tuple(map(tuple, walk.labels)),
        notes=tuple(notes),
        growth=replace(growth, centres=walk.centres()),
    )


def _rows_before(catalogue: Catalogue, grown: Catalogue) -> Ints:
    """The row that each item had, -1 for a new one."""
    old, now = catalogue.table["item_id"], grown.table["item_id"]
    if now.slice(0, len(old)).equals(old):  # new items came after all others
        rows = np.full(len(now), -1, dtype=np.int64)
        rows[: len(old)] = np.arange(len(old))
        return rows
    return catalogue.rows_of(now)


def _vectors_of(growth: Growth, items: Catalogue, vectors: Floats | None) -> Floats | None:
    given = growth.space.given if growth.space is not None else 0
    if vectors is not None:
        if not given:
            raise SemanticIDError(
                "vectors were given, but these semantic IDs were not made from vectors of the "
                "caller's. Leave vectors= out."
            )
        vectors = check_vectors(vectors, items, dimensions=given)
    if growth.space is None or not len(items):
        return None
    return growth.space.place(full_texts(items), vectors)


class _Walk:
    """Leads new items down a tree, level by level, in the order of their content.

    ``twins``: for each new item, an old one that reads the same; -1 for none.
    """

    def __init__(
        self,
        ids: SemanticIDs,
        growth: Growth,
        items: Catalogue,
        twins: Ints,
        vectors: Floats | None,
    ) -> None:
        self.ids, self.growth, self.items, self.twins = ids, growth, items, twins
        self.taken = np.concatenate([ids.codes, growth.retired]).astype(np.int64)
        self.labels = [list(texts) for texts in ids.labels]
        self.codes: Codes = np.zeros((len(items), ids.depth), dtype=np.int32)
        self.crowded = 0
        self.levels: list[LevelNodes] = []
        self.near: dict[int, NodeCentres] = {}
        if len(items):
            self._read_attributes()
            self._number_nodes()
            order = content_order(items, profile=vectors)
            nodes = np.zeros(len(items), dtype=np.int64)
            for level, source in enumerate(growth.sources[:-1]):
                self._descend(level, source, order, nodes, vectors)
            self._number_leaves(order, nodes)

    def centres(self) -> dict[int, Centres]:
        """The middles of nodes, with those of nodes that are new."""
        return {**self.growth.centres, **{n: near.centres for n, near in self.near.items()}}

    def _read_attributes(self) -> None:
        for level, source in enumerate(self.growth.sources):
            if source == "attribute":
                name = self.ids.levels[level]
                self.codes[:, level] = encode_more(name, self.labels[level], self.items)

    def _number_nodes(self) -> None:
        above, n_above = np.zeros(len(self.taken), dtype=np.int64), 1
        for level in range(self.ids.depth - 1):
            nodes = LevelNodes(above, n_above, self.taken[:, level], self.ids.sizes[level])
            self.levels.append(nodes)
            above, n_above = nodes.of_items, len(nodes)
        room = np.full(n_above, self.growth.max_width, dtype=np.int64)
        for level in range(self.ids.depth - 2, -1, -1):
            nodes = self.levels[level]
            nodes.room = room
            parents = nodes.keys // nodes.n_codes
            n_parents = len(self.levels[level - 1]) if level else 1
            room = np.bincount(parents, weights=room, minlength=n_parents).astype(np.int64)
            if level in self.growth.centres:
                self.near[level] = NodeCentres(
                    self.growth.centres[level], self.levels[: level + 1], more=len(self.items)
                )

    def _descend(
        self, level: int, source: Source, order: Ints, nodes: Ints, vectors: Floats | None
    ) -> None:
        """Give every item its code at one level, and put its node into ``nodes``."""
        known = self.levels[level]
        ahead = self._next_attribute(level)
        groups = {} if ahead is None else self._groups_of_values(level, ahead, nodes)
        for row in order.tolist():
            parent = int(nodes[row])
            if source != "attribute":
                assert vectors is not None, source
                if ahead is None:
                    self.codes[row, level] = self._among_its_like(level, parent, row, vectors[row])
                else:
                    value = (parent, int(self.codes[row, ahead]))
                    if value not in groups:
                        groups[value] = self._nearest(level, parent, vectors[row], bounded=False)
                    self.codes[row, level] = groups[value]
            nodes[row] = self._enter(level, parent, self.codes[row], vectors, row)
            known.items[nodes[row]] += 1

    def _enter(self, level: int, parent: int, path: Codes, vectors: Floats | None, row: int) -> int:
        """The node of a path at one level, which may be new."""
        node = self.levels[level].find(parent, int(path[level]))
        if node < 0:
            node = self.levels[level].add(parent, int(path[level]), room=self.growth.max_width)
            if vectors is not None and level in self.near:
                self.near[level].add(node, path[: level + 1], vectors[row])
        return node

    def _next_attribute(self, level: int) -> int | None:
        """The level of attributes that a level of groups gathers the values of, if it does."""
        later = self.growth.sources[level:]
        gathers = later[0] == "group" and "attribute" in later
        return level + later.index("attribute") if gathers else None

    def _groups_of_values(self, level: int, ahead: int, nodes: Ints) -> dict[tuple[int, int], int]:
        """The group that each value which new items have already stands in, below their node."""
        above = self.levels[level - 1].of_items if level else np.zeros(len(self.taken), np.int64)
        size = len(self.labels[ahead])
        wanted = np.unique(nodes * size + self.codes[:, ahead])
        keys = above * size + self.taken[:, ahead]
        place = np.minimum(np.searchsorted(wanted, keys), len(wanted) - 1)
        rows = np.flatnonzero(wanted[place] == keys)
        pairs = zip(keys[rows].tolist(), self.taken[rows, level].tolist(), strict=True)
        return {divmod(key, size): code for key, code in pairs}

    def _among_its_like(self, level: int, parent: int, row: int, vector: Floats) -> int:
        """The code of the item that reads the same, or else of the nearest node with room."""
        beside = self._beside_twin(level, parent, row)
        return self._nearest(level, parent, vector, bounded=True) if beside is None else beside

    def _beside_twin(self, level: int, parent: int, row: int) -> int | None:
        """The code of the item that reads the same, if it is below this parent and has room."""
        twin, known = int(self.twins[row]), self.levels[level]
        if twin < 0 or (level and self.levels[level - 1].of_items[twin] != parent):
            return None
        node = known.of_items[twin]
        return int(self.taken[twin, level]) if known.items[node] < known.room[node] else None

    def _nearest(self, level: int, parent: int, vector: Floats, *, bounded: bool) -> int:
        """The code of the nearest node below a parent, if ``bounded`` the nearest with room."""
        known, near = self.levels[level], self.near[level]
        codes, nodes = known.children(parent)
        if not len(nodes):
            first = self.labels[level][0]
            return 0 if first == UNDIVIDED else near.usual_code(vector)
        apart = near.distances(nodes, vector)
        full = known.items[nodes] >= known.room[nodes]
        if bounded and full.all():
            self.crowded += 1
        elif bounded:
            apart[full] = np.inf
        return int(codes[apart.argmin()])

    def _number_leaves(self, order: Ints, nodes: Ints) -> None:
        """A last code for each item that no item has had, there or anywhere."""
        labels = self.labels[-1]
        if self.growth.unique:
            self.codes[order, -1] = len(labels) + np.arange(len(order))
            labels += [leaf_label(self.items, row) for row in order.tolist()]
            return
        above = self.levels[-1].of_items if self.levels else np.zeros(len(self.taken), np.int64)
        free = np.zeros(len(self.levels[-1]) if self.levels else 1, dtype=np.int64)
        np.maximum.at(free, above, self.taken[:, -1] + 1)
        for row in order.tolist():
            self.codes[row, -1] = free[nodes[row]]
            free[nodes[row]] += 1
        labels += [str(number + 1) for number in range(len(labels), int(free.max()))]
