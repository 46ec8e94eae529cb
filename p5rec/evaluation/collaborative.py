"""Item neighbours and matrix factorisation: fitted by ``implicit``, served by NumPy alone."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.sparse import csr_matrix

from p5rec.evaluation.scored import Arrays, Floats, ScoringModel, needs_extra

if TYPE_CHECKING:
    from p5rec.data.events import Histories

Similarity = Literal["cosine", "tfidf", "bm25"]


class ItemNeighbours(ScoringModel):
    """Items that were had by the users who had the items of the history (item-kNN).

    :param similarity: how like two items are, by their users.
    :param neighbours: of each item, so many of the likest count.
    :param decay: an event of age ``a`` (in later events) counts ``decay ** a``.
    """

    kind = "item-knn"

    def __init__(
        self, similarity: Similarity = "cosine", neighbours: int = 100, decay: float = 0.8
    ) -> None:
        super().__init__()
        self.similarity = similarity
        self.neighbours = neighbours
        self.decay = decay
        self._similar = csr_matrix((0, 0), dtype=np.float32)

    @property
    def settings(self) -> dict[str, Any]:
        """The keywords that the model was made with."""
        return {
            "similarity": self.similarity,
            "neighbours": self.neighbours,
            "decay": self.decay,
        }

    def _fit(self, histories: Histories, n_items: int) -> None:
        try:
            from implicit import nearest_neighbours
        except ImportError as error:
            raise needs_extra("implicit", self.kind) from error
        model = {
            "cosine": nearest_neighbours.CosineRecommender,
            "tfidf": nearest_neighbours.TFIDFRecommender,
            "bm25": nearest_neighbours.BM25Recommender,
        }[self.similarity](K=self.neighbours + 1)
        self._similar = csr_matrix((n_items, n_items), dtype=np.float32)
        if len(histories.items):
            with warnings.catch_warnings():
                # implicit warns of a conversion of its own.
                warnings.simplefilter("ignore")
                model.fit(_counts(histories, n_items), show_progress=False)
            similar = csr_matrix(model.similarity, dtype=np.float32)
            # An item is its own nearest neighbour; that says nothing.
            similar.setdiag(0)
            similar.eliminate_zeros()
            self._similar = similar

    def _scores(self, histories: Histories) -> Floats:
        weights = _weighted(histories, self._similar.shape[0], self.decay)
        scores: Floats = np.asarray((weights @ self._similar).toarray(), dtype=np.float32)
        return scores

    def _learnt(self) -> Arrays:
        similar = self._similar
        return {"data": similar.data, "indices": similar.indices, "indptr": similar.indptr}

    def _restore(self, arrays: Arrays) -> None:
        size = len(arrays["indptr"]) - 1
        self._similar = csr_matrix(
            (arrays["data"], arrays["indices"], arrays["indptr"]), shape=(size, size)
        )


class Factors(ScoringModel):
    """Alternating least squares on what was had (Hu, Koren and Volinsky, 2008: iALS).

    A history, whoever's it is, gets its factors by solving for them with the items' held fixed.

    :param alpha: the confidence in an event; items that were not had count 1.
    """

    kind = "ials"

    def __init__(
        self,
        factors: int = 128,
        regularisation: float = 0.01,
        alpha: float = 10.0,
        iterations: int = 15,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.factors = factors
        self.regularisation = regularisation
        self.alpha = alpha
        self.iterations = iterations
        self.seed = seed
        self._items: Floats = np.empty((0, factors), dtype=np.float32)

    @property
    def settings(self) -> dict[str, Any]:
        """The keywords that the model was made with."""
        return {
            "factors": self.factors,
            "regularisation": self.regularisation,
            "alpha": self.alpha,
            "iterations": self.iterations,
            "seed": self.seed,
        }

    def _fit(self, histories: Histories, n_items: int) -> None:
        try:
            from implicit.als import AlternatingLeastSquares
        except ImportError as error:
            raise needs_extra("implicit", self.kind) from error
        self._items = np.zeros((n_items, self.factors), dtype=np.float32)
        if not len(histories.items):
            return
        with warnings.catch_warnings():
            # implicit asks for one BLAS thread, which is the caller's to decide.
            warnings.simplefilter("ignore", RuntimeWarning)
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularisation,
                alpha=self.alpha,
                iterations=self.iterations,
                random_state=self.seed,
                use_gpu=False,
            )
            model.fit(_counts(histories, n_items), show_progress=False)
        self._items = np.asarray(model.item_factors, dtype=np.float32)

    def _scores(self, histories: Histories) -> Floats:
        items = self._items.astype(np.float64)
        common = items.T @ items + self.regularisation * np.eye(self.factors)
        counts = _counts(histories, len(items))
        scores = np.zeros((len(histories), len(items)), dtype=np.float32)
        for user in np.flatnonzero(np.diff(counts.indptr)).tolist():
            place = slice(counts.indptr[user], counts.indptr[user + 1])
            had, confidence = items[counts.indices[place]], self.alpha * counts.data[place]
            left = common + (had.T * (confidence - 1)) @ had
            scores[user] = items @ np.linalg.solve(left, confidence @ had)
        # The last bits are noise; without them, equal items are equal and go by popularity.
        return scores.round(6)

    def _learnt(self) -> Arrays:
        return {"items": self._items}

    def _restore(self, arrays: Arrays) -> None:
        self._items = arrays["items"]


def _counts(histories: Histories, n_items: int) -> csr_matrix:
    """How often each user had each item, ``float32[U, n_items]``."""
    return _weighted(histories, n_items, 1.0)


def _weighted(histories: Histories, n_items: int, decay: float) -> csr_matrix:
    """The same with each event weighed by its age, in later events of its user."""
    ends = np.repeat(histories.offsets[1:], histories.lengths)
    weights = decay ** (ends - 1 - np.arange(len(ends), dtype=np.float64))
    table = csr_matrix(
        (weights.astype(np.float32), histories.items, histories.offsets),
        shape=(len(histories), n_items),
    )
    table.sum_duplicates()
    return table
