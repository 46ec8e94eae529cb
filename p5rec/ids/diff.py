"""What a refit changes: the paths of one set of semantic IDs beside those of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.ids.semantic_ids import SemanticIDs


@dataclass(frozen=True, eq=False)
class FittedIDs:
    """Semantic IDs and the catalogue that they belong to, row by row."""

    ids: SemanticIDs
    catalogue: Catalogue

    def __post_init__(self) -> None:
        """Refuse IDs of another catalogue."""
        if len(self.ids) != len(self.catalogue):
            raise SemanticIDError(
                f"the semantic IDs are those of {len(self.ids)} items, the catalogue has "
                f"{len(self.catalogue)}; expected the catalogue that they were made from."
            )


@dataclass(frozen=True)
class ChangedPath:
    """An item whose path has changed, and the first level that tells the two apart."""

    item_id: str
    name: str
    level: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True)
class IDsDiff:
    """What :func:`diff_ids` finds.

    ``kept``: how many items of both have the same path; ``changed``: those that have another one;
    ``moved``: how many of these stand in another place in words, their own last code aside, and
    were not just numbered anew. ``added`` and ``gone``: item ids of one side alone.
    """

    levels_before: tuple[str, ...]
    levels_after: tuple[str, ...]
    kept: int
    changed: tuple[ChangedPath, ...]
    moved: int
    added: tuple[str, ...]
    gone: tuple[str, ...]

    @property
    def levels_changed(self) -> bool:
        """Whether the two have other levels, so that all paths are other ones."""
        return self.levels_before != self.levels_after

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        return asdict(self) | {"levels_changed": self.levels_changed}

    def describe(self, *, examples: int = 5) -> list[str]:
        """Lines for a person: counts, and some of the items behind each."""
        lines = []
        if self.levels_changed:
            lines.append(
                f"levels\t{' > '.join(self.levels_before)}\t{' > '.join(self.levels_after)}"
            )
        lines.append(f"kept\t{self.kept}")
        lines.append(f"changed\t{len(self.changed)}\t{self.moved} of them to another place")
        for one in self.changed[:examples]:
            lines.append(f"  {one.item_id}\t{one.name}\tfrom level {one.level!r} on")
            lines += [f"    - {' > '.join(one.before)}", f"    + {' > '.join(one.after)}"]
        for what, items in (("added", self.added), ("gone", self.gone)):
            lines.append("\t".join([what, str(len(items)), *items[:examples]]))
        return lines


def diff_ids(old: FittedIDs, new: FittedIDs) -> IDsDiff:
    """Compare two sets of semantic IDs, item by item; items are known by their ids.

    A path is the same where its levels and its codes are: it is codes that a model has learnt.
    """
    places = new.catalogue.rows_of(old.catalogue.item_ids)
    before, after = np.flatnonzero(places >= 0), places[places >= 0]
    if old.ids.levels == new.ids.levels:
        other = (old.ids.codes[before] != new.ids.codes[after]).any(axis=1)
    else:
        other = np.ones(len(before), dtype=bool)
    changed, moved = [], 0
    for row, place in zip(before[other].tolist(), after[other].tolist(), strict=True):
        first, second = old.ids.path_in_words(row), new.ids.path_in_words(place)
        moved += first[:-1] != second[:-1]
        changed.append(
            ChangedPath(
                item_id=old.catalogue.item_ids[row],
                name=old.catalogue.name(row),
                level=_parting(old.ids, row, new.ids, place),
                before=tuple(first),
                after=tuple(second),
            )
        )
    known = np.zeros(len(new.ids), dtype=bool)
    known[after] = True
    return IDsDiff(
        levels_before=old.ids.levels,
        levels_after=new.ids.levels,
        kept=int((~other).sum()),
        changed=tuple(changed),
        moved=moved,
        added=_names(new.catalogue, np.flatnonzero(~known).tolist()),
        gone=_names(old.catalogue, np.flatnonzero(places < 0).tolist()),
    )


def _parting(old: SemanticIDs, row: int, new: SemanticIDs, place: int) -> str:
    for level, (mine, theirs) in enumerate(zip(old.levels, new.levels, strict=False)):
        if mine != theirs or old.codes[row, level] != new.codes[place, level]:
            return mine
    return old.levels[-1]


def _names(catalogue: Catalogue, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(catalogue.item_ids[row] for row in rows)
