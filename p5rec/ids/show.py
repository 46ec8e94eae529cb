"""An item's place in the tree, told in words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.ids.semantic_ids import SemanticIDs


@dataclass(frozen=True)
class Step:
    """One level of an item's path: the code taken, and what lies around and below it.

    ``choices`` counts the children of the parent, the taken one included; ``items`` the items that
    lie under the taken one.
    """

    level: str
    code: int
    label: str
    choices: int
    items: int


@dataclass(frozen=True)
class Sibling:
    """An item that differs from the shown one in the last code alone."""

    item_id: str
    name: str


@dataclass(frozen=True)
class ItemPlace:
    """Where an item stands: its steps from coarse to fine, and a few items beside it."""

    item_id: str
    name: str
    steps: tuple[Step, ...]
    siblings: tuple[Sibling, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self)


def place_of_item(
    ids: SemanticIDs, catalogue: Catalogue, row: int, *, siblings: int = 3
) -> ItemPlace:
    """Find an item's place in the tree, with up to ``siblings`` of its nearest siblings.

    :raises RequestError: if there is no such row, or the IDs are those of another catalogue.
    """
    if len(ids) != len(catalogue):
        raise RequestError(
            f"the semantic IDs are those of {len(ids)} items, the catalogue has {len(catalogue)}; "
            "expected the catalogue that they were made from."
        )
    if not 0 <= row < len(ids):
        raise RequestError(f"there is no item in row {row}; expected 0 to {len(ids) - 1}.")
    steps: list[Step] = []
    under = np.arange(len(ids))
    beside = under
    for level, name in enumerate(ids.levels):
        beside, column = under, ids.codes[under, level]
        code = int(ids.codes[row, level])
        under = under[column == code]
        label = ids.labels[level][code]
        steps.append(Step(name, code, label, len(np.unique(column)), len(under)))
    others = beside[beside != row]
    leaf = ids.codes[:, -1]
    nearest = others[np.lexsort([leaf[others], np.abs(leaf[others] - leaf[row])])][:siblings]
    return ItemPlace(
        item_id=catalogue.item_ids[row],
        name=catalogue.name(row),
        steps=tuple(steps),
        siblings=tuple(Sibling(catalogue.item_ids[i], catalogue.name(i)) for i in nearest.tolist()),
    )


def tree_of_item(
    ids: SemanticIDs, catalogue: Catalogue, row: int, *, siblings: int = 3
) -> list[str]:
    """The lines that ``p5rec ids show`` prints: :func:`place_of_item` drawn as a tree."""
    place = place_of_item(ids, catalogue, row, siblings=siblings)
    lines = [f"{place.name} ({place.item_id})"]
    for depth, step in enumerate(place.steps[:-1]):
        lines.append(
            f"{'   ' * depth}└─ {step.level}: {step.label} "
            f"[{step.code}] · 1 of {step.choices} · {_items(step.items)}"
        )
    indent, leaf = "   " * (len(place.steps) - 1), place.steps[-1]
    lines.append(f"{indent}└─ {leaf.level}: {place.name} [{leaf.code}] · 1 of {leaf.choices}")
    lines += [f"{indent}   beside: {other.name} ({other.item_id})" for other in place.siblings]
    return lines


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"
