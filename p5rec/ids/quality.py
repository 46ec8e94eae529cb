"""How good semantic IDs are: how full their codes, how like the items that share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.ids.content import full_texts
from p5rec.ids.grouping import number_nodes
from p5rec.ids.neighbours import Neighbours
from p5rec.ids.semantic_ids import Codes, SemanticIDs, node_counts
from p5rec.ids.words import comparable

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """How many of an item's nearest items share its path down to a level, beside any items.

    ``share``: mean over the sampled items of the share of their neighbours; ``random``: the same
    for items drawn at random. Both 0 to 1.
    """

    share: float
    random: float

    @property
    def lift(self) -> float | None:
        """How many times as often as at random; None where that is never."""
        return self.share / self.random if self.random > 0 else None


@dataclass(frozen=True)
class LevelQuality:
    """One level of the tree.

    ``codes`` counts the level's codes (its tokens), ``nodes`` the different paths down to it.
    ``items`` and ``most_items``: items under a node, mean and most. ``width`` and ``widest``:
    children of a node of the level above, mean and most. ``entropy``: of the usage of the codes,
    over its maximum (1: each is used equally often). ``balance``: an even share of the items over
    the most used code's share (1: even). ``agreement``: kind of neighbours -> agreement.
    """

    name: str
    codes: int
    nodes: int
    items: float
    most_items: int
    width: float
    widest: int
    entropy: float
    balance: float
    agreement: Mapping[str, Agreement]


@dataclass(frozen=True)
class NearIdentical:
    """Items whose attributes read the same: how many, in how many groups.

    ``siblings``: those of them that differ from another one of their group in the last code alone.
    """

    items: int
    groups: int
    siblings: int


@dataclass(frozen=True)
class Quality:
    """What :func:`measure` finds. ``neighbours``: kind -> how many items were asked about.

    ``leaks``: whether IDs change when held-out events do; None where that was not tried.
    """

    items: int
    levels: tuple[LevelQuality, ...]
    collisions: int
    near_identical: NearIdentical
    neighbours: Mapping[str, int]
    notes: tuple[str, ...] = ()
    leaks: bool | None = None

    @property
    def depth(self) -> int:
        """The number of levels, which is the number of tokens of an item."""
        return len(self.levels)

    @property
    def vocabulary(self) -> int:
        """How many tokens the IDs add to a model's vocabulary."""
        return sum(level.codes for level in self.levels)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        values = asdict(self)
        values |= {"tokens_an_item": self.depth, "vocabulary": self.vocabulary}
        for level, measured in zip(values["levels"], self.levels, strict=True):
            for kind, agreement in measured.agreement.items():
                level["agreement"][kind]["lift"] = agreement.lift
        return values


def measure(
    ids: SemanticIDs,
    catalogue: Catalogue,
    neighbours: Mapping[str, Neighbours],
    *,
    leaks: bool | None = None,
) -> Quality:
    """Measure the semantic IDs of a catalogue.

    :param neighbours: kind of neighbours -> those of a sample of the catalogue's items.
    :param leaks: what :func:`p5rec.ids.leaks.leaks` found, to be told beside the rest.
    :raises RequestError: if the IDs are those of another catalogue.
    """
    if len(ids) != len(catalogue):
        raise RequestError(
            f"the semantic IDs are those of {len(ids)} items, the catalogue has {len(catalogue)}; "
            "expected the catalogue that they were made from."
        )
    nodes = prefix_nodes(ids.codes)
    return Quality(
        items=len(ids),
        levels=tuple(_levels(ids, nodes, neighbours)),
        collisions=collisions(ids.codes),
        near_identical=_near_identical(full_texts(catalogue), nodes),
        neighbours={kind: len(found.items) for kind, found in neighbours.items()},
        notes=ids.notes,
        leaks=leaks,
    )


def prefix_nodes(codes: Codes) -> list[Ints]:
    """For each level, the number of the node that each item lies under.

    >>> [nodes.tolist() for nodes in prefix_nodes(np.int32([[0, 1], [1, 1], [0, 0]]))]
    [[0, 1, 0], [1, 2, 0]]
    """
    nodes = [np.zeros(len(codes), dtype=np.int64)]
    for column in codes.T.astype(np.int64):
        nodes.append(number_nodes(nodes[-1], column))
    return nodes[1:]


def collisions(codes: Codes) -> int:
    """How many items have the whole path of an earlier one.

    >>> collisions(np.int32([[0, 1], [0, 1], [0, 2], [0, 1]]))
    2
    """
    return len(codes) - int(prefix_nodes(codes)[-1].max()) - 1


def agreement(nodes: Ints, neighbours: Neighbours) -> Agreement:
    """How many neighbours lie under the same node (int64[N], the node of each item).

    >>> near = Neighbours(np.array([0, 2]), np.array([[1, 2], [3, -1]]), np.arange(4))
    >>> agreement(np.array([0, 0, 1, 1]), near)
    Agreement(share=0.75, random=0.3333333333333333)
    """
    items, nearest = neighbours.items, neighbours.nearest
    if not len(items):
        return Agreement(0.0, 0.0)
    known = nearest >= 0
    same = known & (nodes[nearest] == nodes[items][:, None])
    sizes = np.bincount(nodes[neighbours.among], minlength=int(nodes.max()) + 1)
    itself = np.isin(items, neighbours.among).astype(np.int64)
    others = np.maximum(len(neighbours.among) - itself, 1)
    return Agreement(
        share=float((same.sum(axis=1) / known.sum(axis=1).clip(1)).mean()),
        random=float(((sizes[nodes[items]] - itself) / others).mean()),
    )


def usage_entropy(column: Ints, codes: int) -> float:
    """The entropy of the usage of a level's codes, over that of ``codes`` used equally often.

    >>> usage_entropy(np.array([0, 0, 1, 1]), 2), usage_entropy(np.array([0, 0, 1, 1]), 4)
    (1.0, 0.5)
    """
    if codes < 2:
        return 1.0
    counts = np.bincount(column)
    shares = counts[counts > 0] / len(column)
    return float(-(shares * np.log(shares)).sum() / np.log(codes))


def _levels(
    ids: SemanticIDs, nodes: list[Ints], neighbours: Mapping[str, Neighbours]
) -> list[LevelQuality]:
    found, parents = [], 1
    for level, (count, widest) in enumerate(zip(*node_counts(ids.codes), strict=True)):
        codes, column = ids.sizes[level], ids.codes[:, level].astype(np.int64)
        found.append(
            LevelQuality(
                name=ids.levels[level],
                codes=codes,
                nodes=count,
                items=len(ids) / count,
                most_items=int(np.bincount(nodes[level]).max()),
                width=count / parents,
                widest=widest,
                entropy=usage_entropy(column, codes),
                balance=float(len(ids) / codes / np.bincount(column).max()),
                agreement={
                    kind: agreement(nodes[level], near) for kind, near in neighbours.items()
                },
            )
        )
        parents = count
    return found


def _near_identical(texts: list[str], nodes: list[Ints]) -> NearIdentical:
    """Groups of items of the same words; an item without words is like no other."""
    number: dict[str, int] = {}
    read = (comparable(text) for text in texts)
    groups = np.array([number.setdefault(text, len(number)) if text else -1 for text in read])
    worded = np.flatnonzero(groups >= 0)
    if not len(worded):
        return NearIdentical(0, 0, 0)
    counts = np.bincount(groups[worded])
    parents = nodes[-2] if len(nodes) > 1 else np.zeros(len(groups), dtype=np.int64)
    together = number_nodes(groups[worded], parents[worded])
    return NearIdentical(
        items=int(counts[counts > 1].sum()),
        groups=int((counts > 1).sum()),
        siblings=int((np.bincount(together)[together] > 1).sum()),
    )
