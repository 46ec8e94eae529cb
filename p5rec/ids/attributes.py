"""Semantic IDs from attributes: the shop's own hierarchy, with wide nodes split by similarity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.ids.columns import read_levels
from p5rec.ids.content import content_order, full_texts, kind_texts
from p5rec.ids.grouping import group_levels, number_nodes, widths
from p5rec.ids.semantic_ids import LEAF_LEVEL, SemanticIDs
from p5rec.ids.text_vectors import fit_text_vectors
from p5rec.ids.words import tidy

Ints = npt.NDArray[np.int64]
Leaves = Literal["unique", "shared"]

NO_TEXT = "(no text)"


def fit_attribute_ids(
    catalogue: Catalogue,
    *,
    levels: Sequence[str],
    leaves: Leaves,
    max_width: int,
    seed: int = 0,
) -> SemanticIDs:
    """Give each item a path made of its attributes.

    A level is a column, or ``categories[i]`` (``categories[-1]``: the last one an item has). Its
    codes are the distinct values, compared without case, white space and width, shared by all
    parents and numbered by label; a missing value is a code too. Where a node would have more than
    ``max_width`` children, a level of groups of similar children is inserted before them.

    Nothing depends on the order of the rows or on item ids, except which of several items of
    identical content gets which of their paths. ``notes`` of the result tells the levels that were
    dropped or inserted.

    >>> import pyarrow as pa
    >>> shop = Catalogue.from_table(
    ...     pa.table({"item_id": ["1", "2", "3"], "title": ["oat milk", "tofu", "whole milk"],
    ...               "brand": ["Alpo", None, "ALPO"]})
    ... )
    >>> ids = fit_attribute_ids(shop, levels=["brand"], leaves="unique", max_width=256)
    >>> [ids.path_in_words(row) for row in range(3)]  # doctest: +NORMALIZE_WHITESPACE
    [['ALPO', 'oat milk, Alpo'], ['(no brand)', 'tofu'], ['ALPO', 'whole milk, ALPO']]

    :param leaves: ``unique`` gives each item a last code of its own, ``shared`` numbers siblings.
    :param seed: of the projection that similarity is measured in.
    :raises SemanticIDError: if there are no items, a level is unknown, or an argument is not valid.
    """
    _check_arguments(catalogue, leaves=leaves, max_width=max_width)
    columns, notes = read_levels(catalogue, levels)
    order = content_order(catalogue)
    tree = _Tree(catalogue, order, max_width=max_width, seed=seed, taken=levels)
    for column in columns:
        tree.add(column.name, column.codes[order], column.labels)
    tree.add_leaves(unique=leaves == "unique")
    codes = np.empty((len(order), len(tree.names)), dtype=np.int32)
    codes[order] = np.column_stack(tree.codes)
    return SemanticIDs(
        levels=tuple(tree.names),
        codes=codes,
        labels=tuple(tree.labels),
        notes=(*notes, *tree.notes),
    )


def _check_arguments(catalogue: Catalogue, *, leaves: str, max_width: int) -> None:
    if len(catalogue) == 0:
        raise SemanticIDError(
            "the catalogue is empty; expected at least one item. Check the file of items."
        )
    if leaves not in ("unique", "shared"):
        raise SemanticIDError(f"leaves is {leaves!r}; expected 'unique' or 'shared'.")
    if max_width < 2:
        raise SemanticIDError(f"max_width is {max_width}; expected at least 2, for example 256.")


class _Tree:
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
        self.codes: list[Ints] = []
        self.labels: list[tuple[str, ...]] = []
        self.notes: list[str] = []
        self.nodes: Ints = np.zeros(len(order), dtype=np.int64)

    def add(self, name: str, codes: Ints, labels: tuple[str, ...]) -> None:
        """Put a level of attribute codes below what is there."""
        self._split_for(name, codes, kind_texts)
        self._append(name, codes, labels)

    def add_leaves(self, *, unique: bool) -> None:
        """Put the items themselves below what is there."""
        items = np.arange(len(self.order))
        self._split_for(LEAF_LEVEL, items, full_texts)
        leaves = number_nodes(self.nodes, items)
        if unique:
            rows = self.order[np.argsort(leaves)].tolist()
            labels = [tidy(self.catalogue.texts[row]) or NO_TEXT for row in rows]
        else:
            counts = np.bincount(self.nodes)
            leaves -= (np.cumsum(counts) - counts)[self.nodes]
            labels = [str(number + 1) for number in range(int(counts.max()))]
        self._append(LEAF_LEVEL, leaves, tuple(labels))

    def _append(self, name: str, codes: Ints, labels: tuple[str, ...]) -> None:
        self.names.append(name)
        self.codes.append(codes)
        self.labels.append(labels)
        self.nodes = number_nodes(self.nodes, codes)

    def _split_for(
        self, name: str, codes: Ints, describe: Callable[[Catalogue], list[str]]
    ) -> None:
        """Insert group levels if a node would have too many of the children to come."""
        children = number_nodes(self.nodes, codes)
        if widths(self.nodes, children).max() <= self.max_width:
            return
        texts = describe(self.catalogue)
        vectors = fit_text_vectors([texts[row] for row in self.order.tolist()], seed=self.seed)
        inserted = group_levels(self.nodes, children, max_width=self.max_width, texts=vectors)
        for level in inserted:
            group_name = self._free_name(f"{name} group")
            self.notes.append(
                f"level {group_name!r} was inserted: nodes with more than {self.max_width} "
                f"children at level {name!r} were split ({level.divided} into "
                f"{level.groups} groups)"
            )
            self._append(group_name, level.codes, level.labels)

    def _free_name(self, name: str) -> str:
        number = 1
        free = name
        while free in self.taken:
            number += 1
            free = f"{name} {number}"
        self.taken.add(free)
        return free
