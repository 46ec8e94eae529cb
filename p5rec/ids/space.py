"""The space that item vectors lie in, kept so that items which come later find their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.preprocessing import normalize

from p5rec.errors import SemanticIDError
from p5rec.ids.sentences import encode_sentences
from p5rec.ids.text_vectors import TextEncoder

Floats = npt.NDArray[np.float32]

# Length of the part that tells what an item is chosen with, beside the part of its words. Items
# are seldom chosen with the same items and often described with the same words, so that with
# equal lengths the words alone would decide.
CHOSEN_LENGTH = 2.0


@dataclass(frozen=True, eq=False)
class Space:
    """Where item vectors lie, and how an item that comes later finds its place there.

    A vector is made of a part of events, expected from the other by ``expected`` (float32[d + 1,
    e], the last row a constant; None without that part), and, if ``described``, a part of text: by
    ``encoder``, or in ``given`` dimensions where that is not 0: by the encoder of ``sentences``, or
    brought by the caller.
    """

    encoder: TextEncoder
    expected: Floats | None = None
    described: bool = True
    given: int = 0
    sentences: str = ""

    def place(self, texts: Sequence[str], vectors: Floats | None = None) -> Floats:
        """Vectors of items without events, float32[n, d], from their words.

        :param vectors: what the caller brings, float32[n, given].
        :raises SemanticIDError: if vectors were brought for the fit and are not now, or the encoder
            that made them cannot be used.
        """
        if vectors is None and self.sentences:
            vectors = encode_sentences(self.sentences, texts)
        if vectors is None and self.given:
            raise SemanticIDError(
                f"these semantic IDs were made from vectors of {self.given} dimensions, and none "
                "came with the new items; expected one each. Give vectors=."
            )
        known = self.encoder.encode(texts) if vectors is None else normalize(vectors)
        if self.expected is None:
            return known
        chosen = CHOSEN_LENGTH * normalize(with_constant(known) @ self.expected)
        parts = [chosen, known] if self.described else [chosen]
        return np.concatenate(parts, axis=1).astype(np.float32)


def with_constant(vectors: Floats) -> Floats:
    """The vectors with a last column of ones, for what a linear map adds to every row."""
    return np.concatenate([vectors, np.ones((len(vectors), 1), np.float32)], axis=1)
