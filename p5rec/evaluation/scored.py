"""Models that score the whole catalogue for a history: the contract of the learnt baselines.

A fitted model is settings (plain values) and arrays; nothing else is saved, so nothing is pickled.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from p5rec.errors import NotFittedError, RequestError
from p5rec.evaluation.baselines import Baseline, Ints

if TYPE_CHECKING:
    from p5rec.data.events import Histories

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

BATCH = 256
"""Users scored side by side."""


class ScoringModel(Baseline):
    """Ranks by scores; ties, and histories that say nothing, go by popularity.

    It keeps the contract of the baselines. What it learns is in ``settings`` and ``arrays()``.
    """

    kind: ClassVar[str]

    def fit(self, histories: Histories, n_items: int) -> Self:
        """Learn from the training histories.

        :raises RequestError: if a history names a row outside the catalogue, or a package that
            the model needs is not installed.
        """
        super().fit(histories, n_items)
        self._fit(histories, n_items)
        return self

    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> Ints:
        """The ``k`` items with the highest scores, as ``int64[U, k]`` with -1 in empty slots."""
        order = self._fitted_order(histories, k)
        ranked = np.full((len(histories), k), -1, dtype=np.int64)
        if not len(order):
            return ranked
        for start in range(0, len(histories), BATCH):
            users = np.arange(start, min(start + BATCH, len(histories)))
            part = histories.take(users)
            scores = self._scores(part)
            if exclude_history:
                scores[part.user_of_event, part.items] = -np.inf
            best = best_columns(scores[:, order], k)
            ranked[users, : best.shape[1]] = np.where(best >= 0, order[best], -1)
        return ranked

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The keywords that the model was made with."""

    def arrays(self) -> Arrays:
        """All that was learnt."""
        if self._order is None:
            raise NotFittedError(f"{type(self).__name__} is not fitted. Call fit(...) first.")
        return {"order": self._order, **self._learnt()}

    @classmethod
    def from_arrays(cls, settings: dict[str, Any], arrays: Arrays) -> Self:
        """The model that ``settings`` and ``arrays()`` came from."""
        model = cls(**settings)
        model._learn(arrays["order"])
        model._restore({name: value for name, value in arrays.items() if name != "order"})
        return model

    @abstractmethod
    def _fit(self, histories: Histories, n_items: int) -> None:
        """Learn what ``_scores`` needs."""

    @abstractmethod
    def _scores(self, histories: Histories) -> Floats:
        """A finite score for every item, ``float32[U, n_items]``; 0 for an empty history."""

    @abstractmethod
    def _learnt(self) -> Arrays: ...

    @abstractmethod
    def _restore(self, arrays: Arrays) -> None: ...


class MostPopular(ScoringModel):
    """Scores nothing, so that popularity alone decides."""

    kind = "popularity"

    @property
    def settings(self) -> dict[str, Any]:
        """None."""
        return {}

    def _fit(self, histories: Histories, n_items: int) -> None:
        pass

    def _scores(self, histories: Histories) -> Floats:
        return np.zeros((len(histories), len(self._place)), dtype=np.float32)

    def _learnt(self) -> Arrays:
        return {}

    def _restore(self, arrays: Arrays) -> None:
        pass


def best_columns(scores: Floats, k: int) -> Ints:
    """The ``k`` highest columns of each row, ties to the lower column; -1 for ``-inf``.

    >>> best_columns(np.array([[1, 3, 3, -np.inf]], dtype=np.float32), 4).tolist()
    [[1, 2, 0, -1]]
    """
    k = min(k, scores.shape[1])
    least = -np.partition(-scores, k - 1, axis=1)[:, k - 1]
    best = np.empty((len(scores), k), dtype=np.int64)
    for row, (own, bound) in enumerate(zip(scores, least, strict=True)):
        above = np.flatnonzero(own > bound)
        equal = np.flatnonzero(own == bound)[: k - len(above)]
        columns = np.sort(np.concatenate([above, equal]))
        best[row] = columns[np.argsort(-own[columns], kind="stable")]
    best[np.isneginf(np.take_along_axis(scores, best, axis=1))] = -1
    return best


def needs_extra(package: str, model: str) -> RequestError:
    """What to tell a user who lacks a package of the extra ``baselines``."""
    # RecTools' bounds refuse the NumPy that p5rec needs, so that no extra can name it.
    further = " and pip install --no-deps rectools" if package == "rectools" else ""
    return RequestError(
        f"{model} needs the package {package}, which is not installed. Install it: "
        f"pip install 'p5rec[baselines]'{further}."
    )
