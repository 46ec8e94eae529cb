"""Items as vectors of their words: TF-IDF, and its leading directions (SVD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from p5rec.ids.words import comparable

_WORD = r"[^\W_]+"
_MANY_TEXTS = 1000
_MOST_TERMS = 50_000


@dataclass(frozen=True, eq=False)
class TextVectors:
    """The words of N texts as numbers.

    ``weights`` is the TF-IDF matrix (float32[N, V], rows of length 1 or 0), ``terms``
    the word of each of its columns, ``vectors`` the same texts in few dimensions (float32[N, d],
    rows of length 1 or 0).
    """

    terms: tuple[str, ...]
    weights: csr_matrix
    vectors: npt.NDArray[np.float32]


def fit_text_vectors(texts: Sequence[str], *, dimensions: int = 64, seed: int = 0) -> TextVectors:
    """Learn the vectors of texts from the texts alone.

    The result for a text depends on the set of distinct texts, not on their order or how often
    each occurs: equal texts have equal vectors.

    >>> vectors = fit_text_vectors(["greek yogurt", "oat milk", "Greek  yogurt"]).vectors
    >>> bool((vectors[0] == vectors[2]).all())
    True
    """
    read = [comparable(text) for text in texts]
    distinct = sorted(set(read))
    place = {text: i for i, text in enumerate(distinct)}
    rows = np.fromiter((place[text] for text in read), dtype=np.int64, count=len(read))
    vectorizer = TfidfVectorizer(
        lowercase=False,
        token_pattern=_WORD,
        # A word of one text alone likens it to no other.
        min_df=2 if len(distinct) >= _MANY_TEXTS else 1,
        max_features=_MOST_TERMS,
        sublinear_tf=True,
        dtype=np.float32,
    )
    try:
        weights = vectorizer.fit_transform(distinct)
    except ValueError:  # not one word in all the texts
        none = csr_matrix((len(texts), 0), dtype=np.float32)
        return TextVectors(terms=(), weights=none, vectors=np.zeros((len(texts), 1), np.float32))
    vectors = _reduce(weights, dimensions=dimensions, seed=seed)
    return TextVectors(
        terms=tuple(vectorizer.get_feature_names_out().tolist()),
        weights=weights[rows],
        vectors=vectors[rows],
    )


def _reduce(weights: csr_matrix, *, dimensions: int, seed: int) -> npt.NDArray[np.float32]:
    count, words = weights.shape
    if words <= dimensions:
        reduced = weights.toarray()
    elif count <= dimensions:
        directions, lengths, _ = np.linalg.svd(weights.toarray(), full_matrices=False)
        reduced = directions * lengths
    else:
        svd = TruncatedSVD(n_components=dimensions, n_iter=3, random_state=seed)
        reduced = svd.fit_transform(weights)
    unit: npt.NDArray[np.float32] = normalize(reduced).astype(np.float32)
    return unit
