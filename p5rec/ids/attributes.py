"""Semantic IDs from attributes: the shop's own hierarchy, with wide nodes split by similarity."""

from __future__ import annotations

from collections.abc import Sequence

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.ids.columns import read_levels
from p5rec.ids.content import content_order
from p5rec.ids.scheme import Leaves, Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.ids.tree import Tree


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
    check_items(catalogue)
    Scheme(leaves=leaves, max_width=max_width)
    columns, notes = read_levels(catalogue, levels)
    order = content_order(catalogue)
    tree = Tree(catalogue, order, max_width=max_width, seed=seed, taken=levels)
    for column in columns:
        tree.add(column.name, column.codes[order], column.labels)
    tree.add_leaves(unique=leaves == "unique")
    return tree.finish(notes)


def check_items(catalogue: Catalogue) -> None:
    """Refuse a catalogue of nothing.

    :raises SemanticIDError: if there are no items.
    """
    if len(catalogue) == 0:
        raise SemanticIDError(
            "the catalogue is empty; expected at least one item. Check the file of items."
        )
