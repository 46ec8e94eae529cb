"""What likens items to each other: their words, what they are chosen with, or both."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.errors import SemanticIDError
from p5rec.ids.co_occurrence import co_occurrence, co_occurrence_vectors, company_classes
from p5rec.ids.content import content_classes, full_texts, order_of_classes
from p5rec.ids.scheme import VectorKind
from p5rec.ids.sentences import encode_sentences
from p5rec.ids.space import CHOSEN_LENGTH, Space, with_constant
from p5rec.ids.text_vectors import TextVectors, fit_text_vectors

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

DIMENSIONS = 64
_RIDGE = 1.0


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """The rows of a catalogue as ``vectors`` (float32[N, d]), their words, and their space."""

    vectors: Floats
    texts: TextVectors
    space: Space
    notes: tuple[str, ...] = ()


def fit_item_vectors(
    catalogue: Catalogue,
    kind: VectorKind,
    *,
    histories: Histories | None,
    vectors: Floats | None = None,
    sentences: str = "",
    seed: int,
) -> ItemVectors:
    """Learn vectors of the items of a catalogue from their words and the training events.

    An item without events gets what its words let expect.

    :param vectors: used in place of those of the words: float32[N, d], in the catalogue's order.
    :param sentences: the encoder that makes such vectors, where none are given.
    :raises SemanticIDError: if ``vectors`` cannot be used, or the encoder.
    """
    read = full_texts(catalogue)
    if vectors is not None:
        vectors, sentences = normalize(check_vectors(vectors, catalogue)).astype(np.float32), ""
    elif sentences:
        vectors = encode_sentences(sentences, read)
    texts = fit_text_vectors(read, dimensions=DIMENSIONS, seed=seed)
    known = texts.vectors if vectors is None else vectors
    given = 0 if vectors is None else vectors.shape[1]
    alone = Space(texts.encoder, given=given, sentences=sentences)
    if kind == "text":
        return ItemVectors(known, texts, alone)
    if histories is None or not len(histories.items):
        note = "vectors are those of the text alone: there are no events to learn from"
        return ItemVectors(known, texts, alone, (note,))
    chosen = CHOSEN_LENGTH * _chosen_together(catalogue, histories, seed)
    expected = _regress(known, chosen)
    space = replace(alone, expected=expected, described=kind == "both")
    unseen = ~chosen.any(axis=1)
    if unseen.any():
        chosen[unseen] = CHOSEN_LENGTH * normalize(with_constant(known[unseen]) @ expected)
    both = np.concatenate([chosen, known], axis=1) if kind == "both" else chosen
    notes: tuple[str, ...] = ()
    if unseen.any():
        notes = (f"{int(unseen.sum()):,} items without events stand where their text lets expect",)
    return ItemVectors(both, texts, space, notes)


def text_items(catalogue: Catalogue, *, seed: int) -> ItemVectors:
    """Vectors of the words alone."""
    return fit_item_vectors(catalogue, "text", histories=None, seed=seed)


def given_vectors(vectors: Floats, catalogue: Catalogue, *, seed: int) -> ItemVectors:
    """Vectors that the caller brings, brought to length 1: float32[N, d], in catalogue order.

    :raises SemanticIDError: if they cannot be used.
    """
    return fit_item_vectors(catalogue, "text", histories=None, vectors=vectors, seed=seed)


def check_vectors(
    vectors: Floats, catalogue: Catalogue, *, dimensions: int | None = None
) -> Floats:
    """The vectors as float32[N, d], one an item.

    :param dimensions: how many there must be; any number by default.
    :raises SemanticIDError: if they are not numbers, not one a row, or not finite.
    """
    array = np.asarray(vectors)
    wanted = f"({len(catalogue)}, {dimensions or 'dimensions'})"
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise SemanticIDError(
            f"vectors have shape {array.shape} and type {array.dtype}; expected numbers in the "
            f"shape {wanted}."
        )
    if len(array) != len(catalogue):
        raise SemanticIDError(
            f"there are {len(array)} vectors for {len(catalogue)} items; expected one an item, in "
            "the catalogue's order. Give an item that has none a row of zeros."
        )
    if array.shape[1] != (dimensions or max(array.shape[1], 1)):
        raise SemanticIDError(
            f"vectors have {array.shape[1]} dimensions; expected the shape {wanted}."
        )
    bad = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if len(bad):
        raise SemanticIDError(
            f"{len(bad)} vectors are not finite, the first in row {int(bad[0])} (item "
            f"{catalogue.item_ids[int(bad[0])]!r}); expected numbers. Give an item that has none a "
            "row of zeros."
        )
    return array.astype(np.float32)


def _chosen_together(catalogue: Catalogue, histories: Histories, seed: int) -> Floats:
    """Unit vectors of co-occurrence, in the catalogue's order; of zeros without events."""
    counts = co_occurrence(histories, len(catalogue))
    classes = company_classes(content_classes(catalogue), counts)
    order = order_of_classes(catalogue, classes)
    vectors = np.empty((len(order), DIMENSIONS), dtype=np.float32)
    ordered = csr_matrix(counts[order][:, order])
    vectors[order] = co_occurrence_vectors(ordered, dimensions=DIMENSIONS, seed=seed)
    return vectors


def _regress(known: Floats, wanted: Floats) -> Floats:
    """Ridge regression of the rows of ``wanted`` that are not zero: float32[d + 1, e]."""
    rows = wanted.any(axis=1)
    x = with_constant(known[rows]).astype(np.float64)
    y = wanted[rows].astype(np.float64)
    weights = np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y)
    return weights.astype(np.float32)
