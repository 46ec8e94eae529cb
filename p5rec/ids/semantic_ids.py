"""The semantic ID: each item's path of codes, from coarse to fine.

Every way to make them (attributes, residual, hybrid) returns this one type.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from p5rec.errors import SemanticIDError
from p5rec.ids.growth import Growth

Codes = npt.NDArray[np.int32]

LEAF_LEVEL = "item"


@dataclass(frozen=True, eq=False)
class SemanticIDs:
    """The path of codes of each item of a catalogue, and what each code means.

    ``levels`` names the levels from coarse to fine; the last is ``"item"``. Row *i* of ``codes``
    (int32[N, D], read-only) is the path of row *i* of the catalogue; no two rows are equal.
    ``labels[d][c]`` is the text of code *c* at level *d*. ``notes`` says what the making of the
    IDs dropped or changed, for a person to read. ``growth`` is what it takes to place items that
    come later; IDs that were not fitted have none.

    >>> ids = SemanticIDs(
    ...     levels=("category", "item"),
    ...     codes=np.array([[0, 0], [0, 1], [1, 0]], dtype=np.int32),
    ...     labels=(("fruit", "yogurt"), ("1", "2")),
    ... )
    >>> ids.path_in_words(2)
    ['yogurt', '1']
    >>> ids.sizes
    (2, 2)

    :raises SemanticIDError: if shapes disagree, a code has no label, or two items share a path.
    """

    levels: tuple[str, ...]
    codes: Codes
    labels: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    growth: Growth | None = None

    def __post_init__(self) -> None:
        """Check everything, and keep a copy of the codes that nobody can write to."""
        _check_shape(self.levels, self.codes, self.labels)
        codes = np.array(self.codes, dtype=np.int32, order="C")
        _check_codes(self.levels, codes, self.labels)
        codes.setflags(write=False)
        object.__setattr__(self, "codes", codes)

    def __len__(self) -> int:
        """How many items there are."""
        return int(self.codes.shape[0])

    @property
    def depth(self) -> int:
        """The number of levels, the item level included."""
        return len(self.levels)

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each level."""
        return tuple(len(texts) for texts in self.labels)

    def path_in_words(self, row: int) -> list[str]:
        """The labels along the path of one item, from coarse to fine."""
        return [
            texts[code] for texts, code in zip(self.labels, self.codes[row].tolist(), strict=True)
        ]

    def describe(self) -> str:
        """A short table for a person: the codes, nodes and widest node of each level."""
        rows = [("level", "codes", "nodes", "widest", "mean")]
        previous = 1
        for name, size, nodes, widest in zip(
            self.levels, self.sizes, *node_counts(self.codes), strict=True
        ):
            rows.append((name, str(size), str(nodes), str(widest), f"{nodes / previous:.1f}"))
            previous = nodes
        wide = max(len(row[0]) for row in rows)
        lines = [f"{a:<{wide}} {b:>8} {c:>8} {d:>7} {e:>7}" for a, b, c, d, e in rows]
        return "\n".join([f"{len(self)} items", *lines, *(f"note: {note}" for note in self.notes)])

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays to save: ``codes`` (int32[N, D]), ``text`` (uint8, JSON), ``growth.*``."""
        text = {"levels": self.levels, "labels": self.labels, "notes": self.notes}
        encoded = json.dumps(text, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        growth = {} if self.growth is None else self.growth.to_arrays()
        return {"codes": self.codes, "text": np.frombuffer(encoded, dtype=np.uint8), **growth}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> SemanticIDs:
        """The inverse of :meth:`to_arrays`.

        :raises SemanticIDError: if an array is missing or what it holds is not well formed.
        """
        try:
            text = json.loads(np.asarray(arrays["text"], dtype=np.uint8).tobytes())
            levels = tuple(str(name) for name in text["levels"])
            labels = tuple(tuple(str(label) for label in texts) for texts in text["labels"])
            notes = tuple(str(note) for note in text["notes"])
            codes = np.asarray(arrays["codes"])
            growth = Growth.from_arrays(arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise SemanticIDError(
                f"saved semantic IDs cannot be read: {error!r}. Expected the arrays 'codes' and "
                "'text' as SemanticIDs.to_arrays() gives them. Make the semantic IDs again."
            ) from error
        return cls(levels=levels, codes=codes, labels=labels, notes=notes, growth=growth)


def node_counts(codes: Codes) -> tuple[list[int], list[int]]:
    """For each level: how many nodes the tree has there, and the most children a parent has."""
    ordered = codes[np.lexsort(codes.T[::-1])]
    changed = np.zeros(len(codes), dtype=bool)
    changed[0] = True
    parent_starts = changed.copy()
    nodes: list[int] = []
    widest: list[int] = []
    for level in range(codes.shape[1]):
        changed[1:] |= ordered[1:, level] != ordered[:-1, level]
        children = np.add.reduceat(changed.astype(np.int64), np.flatnonzero(parent_starts))
        nodes.append(int(changed.sum()))
        widest.append(int(children.max()))
        parent_starts = changed.copy()
    return nodes, widest


def _check_shape(levels: Sequence[str], codes: np.ndarray, labels: Sequence[Sequence[str]]) -> None:
    if codes.ndim != 2 or codes.dtype.kind not in "iu":
        raise SemanticIDError(
            f"codes have shape {codes.shape} and type {codes.dtype}; expected whole numbers in the "
            "shape (items, levels)."
        )
    if codes.shape[0] == 0:
        raise SemanticIDError("there are no items to give semantic IDs to; expected at least one.")
    if not len(levels) == codes.shape[1] == len(labels) > 0:
        raise SemanticIDError(
            f"{len(levels)} level names, {codes.shape[1]} columns of codes and {len(labels)} lists "
            "of labels; expected the same number of each, at least one."
        )
    if levels[-1] != LEAF_LEVEL or len(set(levels)) != len(levels):
        raise SemanticIDError(
            f"levels are {list(levels)}; expected different names, the last one {LEAF_LEVEL!r}."
        )


def _check_codes(levels: Sequence[str], codes: Codes, labels: Sequence[Sequence[str]]) -> None:
    for name, column, texts in zip(levels, codes.T, labels, strict=True):
        low, high = int(column.min()), int(column.max())
        if low < 0 or high >= len(texts):
            raise SemanticIDError(
                f"level {name!r} has codes from {low} to {high} but {len(texts)} labels; expected "
                f"codes from 0 to {len(texts) - 1}."
            )
    if _all_different(codes, [len(texts) for texts in labels]):
        return
    ordered = np.lexsort(codes.T[::-1])
    equal = np.flatnonzero((codes[ordered[1:]] == codes[ordered[:-1]]).all(axis=1))
    first, second = sorted((int(ordered[equal[0]]), int(ordered[equal[0] + 1])))
    raise SemanticIDError(
        f"items in rows {first} and {second} have the same path {codes[first].tolist()} "
        f"({len(equal)} such pairs); expected a path of its own for each item."
    )


def _all_different(codes: Codes, sizes: Sequence[int]) -> bool:
    """Whether no two rows are equal: packed into one number each where that fits."""
    if math.prod(sizes) >= 2**63:
        return len(np.unique(codes, axis=0)) == len(codes)
    keys = np.zeros(len(codes), dtype=np.int64)
    for size, column in zip(sizes, codes.T, strict=True):
        keys *= size
        keys += column
    keys.sort()
    return bool((keys[1:] != keys[:-1]).all())
