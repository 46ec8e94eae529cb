"""A tree of items in the making: levels of attributes, of clusters, and the items themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.ids.brands import brand_families
from p5rec.ids.clusters import Clustered, Room, cluster_level
from p5rec.ids.content import full_texts, kind_texts
from p5rec.ids.grouping import group_levels, number_nodes, widths
from p5rec.ids.growth import LEARNED, Growth, Source, centres_of
from p5rec.ids.semantic_ids import LEAF_LEVEL, Codes, SemanticIDs
from p5rec.ids.text_vectors import fit_text_vectors
from p5rec.ids.twins import find_twins
from p5rec.ids.vectors import ItemVectors, text_items
from p5rec.ids.words import tidy

Ints = npt.NDArray[np.int64]

NO_TEXT = "(no text)"
CLUSTER_LEVEL = "cluster"


class Tree:
    """A tree that grows level by level over items in content order."""

    def __init__(
        self,
        catalogue: Catalogue,
        order: Ints,
        *,
        max_width: int,
        seed: int,
        taken: Sequence[str],
    ) -> None:
        self.catalogue, self.order = catalogue, order
        self.max_width, self.seed = max_width, seed
        self.taken = {*taken, LEAF_LEVEL}
        self.names: list[str] = []
        self.sources: list[Source] = []
        self.items: ItemVectors | None = None
        self.unique = True
        self.codes: list[Ints] = []
        self.labels: list[tuple[str, ...]] = []
        self.notes: list[str] = []
        self.nodes: Ints = np.zeros(len(order), dtype=np.int64)

    def add(self, name: str, codes: Ints, labels: tuple[str, ...]) -> None:
        """Put a level of attribute codes below what is there."""
        families = brand_families(labels)[codes] if name == "brand" else None
        self._split_for(name, codes, kind_texts, families)
        self._append(name, codes, labels, "attribute")

    def add_clusters(self, items: ItemVectors, sizes: Sequence[int]) -> None:
        """Put levels of clusters below what is there, ``sizes`` codes a level."""
        self.items = items
        vectors, texts = items.vectors[self.order], items.texts.take(self.order)
        clustered = Clustered(vectors, texts, find_twins(texts.same, vectors))
        for number, size in enumerate(sizes):
            below = math.prod(sizes[number + 1 :]) * self.max_width
            level = cluster_level(
                self.nodes, clustered, Room(size, below), first=number == 0, seed=self.seed
            )
            name = self._free_name(CLUSTER_LEVEL)
            self._append(name, level.codes, level.labels, "cluster")

    def add_leaves(self, *, unique: bool) -> None:
        """Put the items themselves below what is there."""
        self.unique = unique
        items = np.arange(len(self.order))
        self._split_for(LEAF_LEVEL, items, full_texts)
        leaves = number_nodes(self.nodes, items)
        if unique:
            rows = self.order[np.argsort(leaves)].tolist()
            labels = [leaf_label(self.catalogue, row) for row in rows]
        else:
            counts = np.bincount(self.nodes)
            leaves -= (np.cumsum(counts) - counts)[self.nodes]
            labels = [str(number + 1) for number in range(int(counts.max()))]
        self._append(LEAF_LEVEL, leaves, tuple(labels), "item")

    def _append(self, name: str, codes: Ints, labels: tuple[str, ...], source: Source) -> None:
        self.sources.append(source)
        self.names.append(name)
        self.codes.append(codes)
        self.labels.append(labels)
        self.nodes = number_nodes(self.nodes, codes)

    def _split_for(
        self,
        name: str,
        codes: Ints,
        describe: Callable[[Catalogue], list[str]],
        families: Ints | None = None,
    ) -> None:
        """Insert group levels if a node would have too many of the children to come."""
        children = number_nodes(self.nodes, codes)
        if widths(self.nodes, children).max() <= self.max_width:
            return
        texts = describe(self.catalogue)
        vectors = fit_text_vectors([texts[row] for row in self.order.tolist()], seed=self.seed)
        inserted = group_levels(
            self.nodes, children, max_width=self.max_width, texts=vectors, families=families
        )
        for level in inserted:
            group_name = self._free_name(f"{name} group")
            self.notes.append(
                f"level {group_name!r} was inserted: nodes with more than {self.max_width} "
                f"children at level {name!r} were split ({level.divided} into "
                f"{level.groups} groups)"
            )
            self._append(group_name, level.codes, level.labels, "group")

    def _free_name(self, name: str) -> str:
        number = 1
        free = name
        while free in self.taken:
            number += 1
            free = f"{name} {number}"
        self.taken.add(free)
        return free

    def finish(self, notes: Sequence[str] = ()) -> SemanticIDs:
        """The tree as semantic IDs, rows in the order of the catalogue."""
        codes = np.empty((len(self.order), len(self.names)), dtype=np.int32)
        codes[self.order] = np.column_stack(self.codes)
        return SemanticIDs(
            levels=tuple(self.names),
            codes=codes,
            labels=tuple(self.labels),
            notes=(*notes, *self.notes),
            growth=self._growth(codes),
        )

    def _growth(self, codes: Codes) -> Growth:
        learned = [level for level, source in enumerate(self.sources) if source in LEARNED]
        items = self.items
        if learned and items is None:
            items = text_items(self.catalogue, seed=self.seed)
        return Growth(
            sources=tuple(self.sources),
            unique=self.unique,
            max_width=self.max_width,
            space=None if items is None else items.space,
            centres={}
            if items is None
            else {level: centres_of(codes[:, : level + 1], items.vectors) for level in learned},
            retired=np.zeros((0, codes.shape[1]), dtype=np.int32),
        )


def leaf_label(catalogue: Catalogue, row: int) -> str:
    """What an item's own last code is called."""
    return tidy(catalogue.texts[row]) or NO_TEXT
