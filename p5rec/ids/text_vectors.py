"""Items as vectors of their words: TF-IDF, and its leading directions (SVD)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from p5rec.ids.words import comparable

Floats = npt.NDArray[np.float32]

_WORD = r"[^\W_]+"
_MANY_TEXTS = 1000
_MOST_TERMS = 50_000


@dataclass(frozen=True, eq=False)
class TextEncoder:
    """Turns texts into vectors: what is left of learning them, small enough to keep.

    ``terms``: V words; ``weights``: float32[V], how rare each is; ``directions``: float32[V, d].
    """

    terms: tuple[str, ...]
    weights: Floats
    directions: Floats

    def encode(self, texts: Sequence[str]) -> Floats:
        """Texts as float32[n, d], rows of length 1, or 0 for a text without a known word."""
        if not self.terms:
            return np.zeros((len(texts), self.directions.shape[1]), dtype=np.float32)
        words = self._vectorizer.transform([comparable(text) for text in texts])
        unit: Floats = normalize(words @ self.directions).astype(np.float32)
        return unit

    @cached_property
    def _vectorizer(self) -> TfidfVectorizer:
        vectorizer = _vectorizer(vocabulary={term: i for i, term in enumerate(self.terms)})
        vectorizer.idf_ = self.weights
        return vectorizer


@dataclass(frozen=True, eq=False)
class TextVectors:
    """The words of N texts as numbers.

    ``weights`` is the TF-IDF matrix (float32[N, V], rows of length 1 or 0), ``terms``
    the word of each of its columns, ``vectors`` the same texts in few dimensions (float32[N, d],
    rows of length 1 or 0), ``encoder`` what turns further texts into such vectors. Texts that read
    the same have one number in ``same`` (int64[N]); an empty one is like no other.
    """

    weights: csr_matrix
    vectors: Floats
    encoder: TextEncoder
    same: npt.NDArray[np.int64]

    @property
    def terms(self) -> tuple[str, ...]:
        """The word of each column of ``weights``."""
        return self.encoder.terms

    def take(self, rows: npt.NDArray[np.int64]) -> TextVectors:
        """The same for some of the texts, in the order asked."""
        return TextVectors(self.weights[rows], self.vectors[rows], self.encoder, self.same[rows])


def fit_text_vectors(texts: Sequence[str], *, dimensions: int = 64, seed: int = 0) -> TextVectors:
    """Learn the vectors of texts from the texts alone.

    The result for a text depends on the set of distinct texts, not on their order or how often
    each occurs: equal texts have equal vectors.

    >>> found = fit_text_vectors(["greek yogurt", "oat milk", "Greek  yogurt"])
    >>> bool((found.vectors[0] == found.vectors[2]).all())
    True
    >>> bool(np.allclose(found.encoder.encode(["OAT MILK"]), found.vectors[1], atol=1e-5))
    True
    """
    read = [comparable(text) for text in texts]
    distinct = sorted(set(read))
    place = {text: i for i, text in enumerate(distinct)}
    rows = np.fromiter((place[text] for text in read), dtype=np.int64, count=len(read))
    same = np.where([not text for text in read], len(distinct) + np.arange(len(read)), rows)
    # A word of one text alone likens it to no other.
    vectorizer, weights = _weigh(distinct)
    if not weights.shape[1]:
        none = csr_matrix((len(texts), 0), dtype=np.float32)
        encoder = TextEncoder((), np.zeros(0, np.float32), np.zeros((0, 1), np.float32))
        return TextVectors(none, np.zeros((len(texts), 1), np.float32), encoder, same)
    vectors, directions = _reduce(weights, dimensions=dimensions, seed=seed)
    encoder = TextEncoder(
        tuple(vectorizer.get_feature_names_out().tolist()),
        vectorizer.idf_.astype(np.float32),
        directions,
    )
    return TextVectors(weights[rows], vectors[rows], encoder, same)


def word_weights(texts: Sequence[str]) -> csr_matrix:
    """TF-IDF of texts: float32[N, V], rows of length 1, or 0 for a text without a word."""
    return _weigh([comparable(text) for text in texts])[1]


def _weigh(texts: Sequence[str]) -> tuple[TfidfVectorizer, csr_matrix]:
    # A word of one text alone likens it to no other.
    vectorizer = _vectorizer(min_df=2 if len(texts) >= _MANY_TEXTS else 1)
    try:
        return vectorizer, vectorizer.fit_transform(texts)
    except ValueError:  # not one word in all the texts
        return vectorizer, csr_matrix((len(texts), 0), dtype=np.float32)


def _vectorizer(**settings: object) -> TfidfVectorizer:
    return TfidfVectorizer(
        lowercase=False,
        token_pattern=_WORD,
        max_features=_MOST_TERMS,
        sublinear_tf=True,
        dtype=np.float32,
        **settings,
    )


def _reduce(weights: csr_matrix, *, dimensions: int, seed: int) -> tuple[Floats, Floats]:
    """Vectors of the rows, float32[n, d], and the directions that they are measured along."""
    count, words = weights.shape
    if words <= dimensions:
        reduced, directions = weights.toarray(), np.eye(words)
    elif count <= dimensions:
        left, lengths, right = np.linalg.svd(weights.toarray(), full_matrices=False)
        reduced, directions = left * lengths, right.T
    else:
        svd = TruncatedSVD(n_components=dimensions, n_iter=3, random_state=seed)
        reduced = svd.fit_transform(weights)
        directions = svd.components_.T
    unit: Floats = normalize(reduced).astype(np.float32)
    return unit, directions.astype(np.float32)
