"""What likens items to each other: their words, what they are chosen with, or both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.errors import SemanticIDError
from p5rec.ids.co_occurrence import co_occurrence, co_occurrence_vectors
from p5rec.ids.content import content_order, full_texts
from p5rec.ids.scheme import VectorKind
from p5rec.ids.text_vectors import TextVectors, fit_text_vectors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

DIMENSIONS = 64
_RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """The rows of a catalogue as ``vectors`` (float32[N, d]), and their words."""

    vectors: Floats
    texts: TextVectors
    notes: tuple[str, ...] = ()


def fit_item_vectors(
    catalogue: Catalogue,
    kind: VectorKind,
    *,
    histories: Histories | None,
    seed: int,
) -> ItemVectors:
    """Learn vectors of the items of a catalogue from their words and the training events.

    Each side has rows of length 1. An item without events gets the vector of co-occurrence that
    its words let expect.
    """
    read = full_texts(catalogue)
    texts = fit_text_vectors(read, dimensions=DIMENSIONS, seed=seed)
    if kind == "text":
        return ItemVectors(texts.vectors, texts)
    if histories is None or not len(histories.items):
        note = "vectors are those of the text alone: there are no events to learn from"
        return ItemVectors(texts.vectors, texts, (note,))
    order = content_order(catalogue)
    counts: csr_matrix = co_occurrence(histories, len(catalogue))[order][:, order]
    chosen = np.empty((len(order), DIMENSIONS), dtype=np.float32)
    chosen[order] = co_occurrence_vectors(counts, dimensions=DIMENSIONS, seed=seed)
    chosen = _expect(texts.vectors, chosen)
    if kind == "co-occurrence":
        return ItemVectors(chosen, texts)
    return ItemVectors(np.concatenate([chosen, texts.vectors], axis=1), texts)


def _expect(known: Floats, wanted: Floats) -> Floats:
    """Fill rows of zeros in ``wanted`` with what ridge regression on ``known`` expects there."""
    missing = ~wanted.any(axis=1)
    if not missing.any() or missing.all():
        return wanted
    inputs = np.concatenate([known, np.ones((len(known), 1), np.float32)], axis=1)
    x, y = inputs[~missing].astype(np.float64), wanted[~missing].astype(np.float64)
    weights = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y)
    filled = wanted.copy()
    filled[missing] = normalize(inputs[missing] @ weights)
    return filled


def given_vectors(vectors: Floats, catalogue: Catalogue, *, seed: int) -> ItemVectors:
    """Vectors that the caller brings, checked: float32[N, d], in the catalogue's order.

    :raises SemanticIDError: if they are not numbers, not one a row, or not finite.
    """
    array = np.asarray(vectors)
    problems = []
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        problems.append(
            f"vectors have shape {array.shape} and type {array.dtype}; expected numbers in the "
            "shape (items, dimensions)."
        )
    elif len(array) != len(catalogue):
        problems.append(
            f"there are {len(array)} vectors for {len(catalogue)} items; expected one an item, in "
            "the order of the catalogue."
        )
    elif array.shape[1] == 0:
        problems.append("vectors have no dimension; expected at least one.")
    else:
        bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
        if len(bad):
            first = catalogue.item_ids[int(bad[0])]
            problems.append(
                f"{len(bad)} vectors are not finite, the first that of item {first!r} (row "
                f"{int(bad[0])}); expected numbers. Give an item without a vector a row of zeros."
            )
    if problems:
        raise SemanticIDError("\n".join(problems))
    texts = fit_text_vectors(full_texts(catalogue), dimensions=DIMENSIONS, seed=seed)
    return ItemVectors(_expect(texts.vectors, array.astype(np.float32)), texts)
