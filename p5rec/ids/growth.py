"""What semantic IDs keep of their making, so that items which come later find a place."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from p5rec.ids.grouping import members, number_nodes
from p5rec.ids.space import Space
from p5rec.ids.text_vectors import TextEncoder

Source = Literal["attribute", "group", "cluster", "item"]
Codes = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

LEARNED: tuple[Source, ...] = ("group", "cluster")
_PREFIX = "growth."


@dataclass(frozen=True, eq=False)
class Centres:
    """The middle of each node of one level: ``paths`` int32[n, level + 1], ``vectors`` [n, d]."""

    paths: Codes
    vectors: Floats


@dataclass(frozen=True, eq=False)
class Growth:
    """How the levels of a tree were made, and what lies where.

    - ``sources``: for each level, what its codes are: values of an attribute, groups of the next
      level's values, clusters of items, or the items themselves.
    - ``unique``: whether each item has a last code of its own.
    - ``max_width``: the most children of a node when the tree was made.
    - ``space``: where items lie, None where no level rests on likeness.
    - ``centres``: level -> the middle of its nodes, for groups and clusters.
    - ``retired``: int32[R, D], paths of items that are gone; their codes are not given again.
    - ``placed``: how many items came after the fit.
    """

    sources: tuple[Source, ...]
    unique: bool
    max_width: int
    space: Space | None
    centres: Mapping[int, Centres]
    retired: Codes
    placed: int = 0

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays to save, their names beginning with ``growth.``."""
        about: dict[str, Any] = {
            "sources": self.sources,
            "unique": self.unique,
            "max_width": self.max_width,
            "placed": self.placed,
            "centres": sorted(self.centres),
        }
        arrays: dict[str, np.ndarray] = {"retired": self.retired}
        for level, centres in self.centres.items():
            arrays |= {f"paths.{level}": centres.paths, f"centres.{level}": centres.vectors}
        if self.space is not None:
            encoder = self.space.encoder
            about["space"] = {
                "terms": encoder.terms,
                "described": self.space.described,
                "given": self.space.given,
                "sentences": self.space.sentences,
            }
            arrays |= {"weights": encoder.weights, "directions": encoder.directions}
            if self.space.expected is not None:
                arrays["expected"] = self.space.expected
        encoded = json.dumps(about, ensure_ascii=True, separators=(",", ":")).encode("ascii")
        arrays["about"] = np.frombuffer(encoded, dtype=np.uint8)
        return {_PREFIX + name: np.ascontiguousarray(array) for name, array in arrays.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Growth | None:
        """The inverse of :meth:`to_arrays`; None where nothing was saved.

        :raises KeyError: if an array is missing.
        :raises ValueError: if what it holds is not well formed.
        """
        if f"{_PREFIX}about" not in arrays:
            return None
        read = {name.removeprefix(_PREFIX): arrays[name] for name in arrays}
        about = json.loads(np.asarray(read["about"], dtype=np.uint8).tobytes())
        return cls(
            sources=tuple(about["sources"]),
            unique=bool(about["unique"]),
            max_width=int(about["max_width"]),
            space=_space(about["space"], read) if "space" in about else None,
            centres={
                level: Centres(read[f"paths.{level}"], read[f"centres.{level}"])
                for level in map(int, about["centres"])
            },
            retired=np.asarray(read["retired"]),
            placed=int(about["placed"]),
        )


def _space(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Space:
    encoder = TextEncoder(tuple(about["terms"]), arrays["weights"], arrays["directions"])
    return Space(
        encoder,
        arrays.get("expected"),
        bool(about["described"]),
        given=int(about["given"]),
        sentences=str(about.get("sentences", "")),
    )


def centres_of(paths: Codes, vectors: Floats) -> Centres:
    """The mean vector of the items under each node: ``paths`` int32[N, level + 1] of the items."""
    nodes = np.zeros(len(paths), dtype=np.int64)
    for column in paths.T:
        nodes = number_nodes(nodes, column.astype(np.int64))
    averaging, first = members(nodes)
    return Centres(
        np.ascontiguousarray(paths[first]), np.asarray(averaging @ vectors, dtype=np.float32)
    )
