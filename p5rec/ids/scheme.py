"""The choice of how items get their semantic IDs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from p5rec.errors import SemanticIDError

Kind = Literal["attributes", "residual", "hybrid"]
Leaves = Literal["unique", "shared"]
VectorKind = Literal["text", "co-occurrence", "both"]


@dataclass(frozen=True)
class Scheme:
    """How the paths of a catalogue's items are made.

    - ``kind``: ``attributes`` (the shop's own hierarchy), ``residual`` (clusters of item vectors),
      or ``hybrid`` (attributes first, clusters inside a node).
    - ``levels``: columns, or ``categories[i]``; by default what tells the items apart.
    - ``leaves``: ``unique`` gives each item a last code of its own, ``shared`` numbers siblings.
    - ``max_width``: the most children of a node.
    - ``vectors``: what likens items to each other in learned levels.
    - ``widths``: the number of codes of each learned level; by default from the number of items.
    - ``encoder``: a sentence-transformers model (hub name or folder) that reads the items' texts
      for the learned levels; by default TF-IDF does.

    >>> Scheme(kind="residual", widths=(64, 64)).widths
    (64, 64)
    """

    kind: Kind = "attributes"
    levels: tuple[str, ...] = ()
    leaves: Leaves = "unique"
    max_width: int = 128
    vectors: VectorKind = "both"
    widths: tuple[int, ...] = ()
    encoder: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be, all of it in one message."""
        choices = {
            "kind": (self.kind, get_args(Kind)),
            "leaves": (self.leaves, get_args(Leaves)),
            "vectors": (self.vectors, get_args(VectorKind)),
        }
        problems = [
            f"{name} is {value!r}; expected {' or '.join(map(repr, known))}."
            for name, (value, known) in choices.items()
            if value not in known
        ]
        if self.max_width < 2:
            problems.append(f"max_width is {self.max_width}; expected at least 2, for example 256.")
        if any(width < 2 for width in self.widths):
            problems.append(f"widths are {list(self.widths)}; expected each at least 2.")
        if self.encoder and self.kind == "attributes":
            problems.append(
                f"encoder is {self.encoder!r}, but kind 'attributes' has no learned levels for it. "
                "Choose 'residual' or 'hybrid', or leave encoder out."
            )
        if problems:
            raise SemanticIDError("\n".join(problems))
