"""Semantic IDs with learned levels: clusters of item vectors, alone or below attributes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.ids.attributes import check_items
from p5rec.ids.columns import read_levels
from p5rec.ids.content import content_order
from p5rec.ids.scheme import Leaves, Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.ids.tree import Tree
from p5rec.ids.vectors import ItemVectors, given_vectors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def fit_residual_ids(
    vectors: Floats | ItemVectors,
    catalogue: Catalogue,
    *,
    widths: Sequence[int] = (),
    leaves: Leaves = "unique",
    max_width: int = 128,
    seed: int = 0,
) -> SemanticIDs:
    """Give each item a path through clusters of like items, and clusters inside those.

    Clusters hold at most three times the mean of their node. One level's codes are shared by all
    parents, and mean much the same under each. Items that read the same and have like vectors are
    siblings, as far as a node holds them.

    :param vectors: a vector an item, float32[N, d], in the catalogue's order.
    :param widths: the number of codes of each level of clusters; by default from the number of
        items.
    :raises SemanticIDError: if there are no items, a vector cannot be used, or there are more items
        than the widths hold.
    """
    return fit_hybrid_ids(
        vectors,
        catalogue,
        levels=(),
        widths=widths,
        leaves=leaves,
        max_width=max_width,
        seed=seed,
    )


def fit_hybrid_ids(
    vectors: Floats | ItemVectors,
    catalogue: Catalogue,
    *,
    levels: Sequence[str],
    widths: Sequence[int] = (),
    leaves: Leaves = "unique",
    max_width: int = 128,
    seed: int = 0,
) -> SemanticIDs:
    """Give each item a path of attributes first, then of clusters inside their node.

    :param levels: as for :func:`p5rec.ids.attributes.fit_attribute_ids`.
    :param vectors: as for :func:`fit_residual_ids`, and so are the other parameters.
    :raises SemanticIDError: as :func:`fit_residual_ids`, and if a level is unknown.
    """
    check_items(catalogue)
    Scheme(leaves=leaves, max_width=max_width, widths=tuple(widths))
    items = vectors
    if not isinstance(items, ItemVectors):
        items = given_vectors(items, catalogue, seed=seed)
    columns, notes = read_levels(catalogue, levels)
    order = content_order(catalogue, profile=items.vectors)
    tree = Tree(catalogue, order, max_width=max_width, seed=seed, taken=levels)
    for column in columns:
        tree.add(column.name, column.codes[order], column.labels)
    largest = int(np.bincount(tree.nodes).max())
    tree.add_clusters(items, tuple(widths) or default_widths(largest, max_width))
    tree.add_leaves(unique=leaves == "unique")
    return tree.finish((*notes, *items.notes))


def default_widths(largest: int, max_width: int) -> tuple[int, ...]:
    """Widths of learned levels for nodes of at most so many items; at least one level.

    >>> default_widths(12_101, 128), default_widths(1_000_000, 128), default_widths(30, 128)
    ((111,), (100, 100), (6,))
    """
    levels = 1
    while max_width ** (levels + 1) < largest:
        levels += 1
    width = max(2, int(np.ceil(largest ** (1 / (levels + 1)))))
    return (min(width, max_width),) * levels
