"""The nearest items of a sample of items: in their words, and in who chose them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags
from sklearn.neighbors import NearestNeighbors

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.ids.content import content_order, full_texts
from p5rec.ids.text_vectors import fit_text_vectors

Ints = npt.NDArray[np.int64]

K = 10
SAMPLE = 2000
_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest items of Q sampled items, found exactly.

    ``items`` (int64[Q]) are rows of the catalogue, ``nearest`` (int64[Q, k]) rows again, nearest
    first, -1 where an item has fewer neighbours. ``among`` (int64[M], rising) are the rows that
    could have been found: those that the vectors say anything about.
    """

    items: Ints
    nearest: Ints
    among: Ints


@dataclass(frozen=True, eq=False)
class Sampling:
    """Which items are asked about, and in which order equally near ones are taken.

    ``order`` (int64[N]) holds the rows of a catalogue in an order that comes from their content
    and the seed, so that neither depends on item ids or on the order of the rows.
    """

    order: Ints
    size: int = SAMPLE
    k: int = K

    @classmethod
    def of(cls, catalogue: Catalogue, *, size: int = SAMPLE, k: int = K, seed: int = 0) -> Sampling:
        """Sample at most ``size`` items of a catalogue, to find ``k`` neighbours each."""
        order = content_order(catalogue)
        return cls(np.random.default_rng(seed).permutation(order), size, k)


def text_neighbours(catalogue: Catalogue, sampling: Sampling, *, seed: int = 0) -> Neighbours:
    """The nearest items in the words of their attributes: cosine of TF-IDF reduced by SVD."""
    vectors = fit_text_vectors(full_texts(catalogue), seed=seed).vectors
    return vector_neighbours(vectors, sampling)


def vector_neighbours(vectors: npt.NDArray[np.float32], sampling: Sampling) -> Neighbours:
    """The nearest items by the angle between their vectors: float32[N, d], rows of length 1 or 0.

    >>> vectors = np.float32([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9], [0, 0]])
    >>> vectors[:4] /= np.linalg.norm(vectors[:4], axis=1, keepdims=True)
    >>> found = vector_neighbours(vectors, Sampling(np.arange(5), k=1))
    >>> found.items.tolist(), found.nearest.tolist(), found.among.tolist()
    ([0, 1, 2, 3], [[1], [0], [3], [2]], [0, 1, 2, 3])
    """
    rows = sampling.order[np.abs(vectors).sum(axis=1)[sampling.order] > 0]
    items = rows[: sampling.size]
    nearest = np.full((len(items), sampling.k), -1, dtype=np.int64)
    if len(rows) > 1:
        # Rows of length 1 are as near by distance as by angle. One more, for the item itself.
        search = NearestNeighbors(n_neighbors=min(sampling.k + 1, len(rows)), algorithm="brute")
        found = rows[search.fit(vectors[rows]).kneighbors(vectors[items], return_distance=False)]
        others = np.argsort(found == items[:, None], axis=1, kind="stable")
        found = np.take_along_axis(found, others, axis=1)[:, :-1]
        nearest[:, : found.shape[1]] = found
    return Neighbours(items, nearest, np.sort(rows))


def co_occurrence_neighbours(histories: Histories, sampling: Sampling) -> Neighbours:
    """The items that the same users chose: cosine of columns of the matrix of users and items.

    A user's row holds the logarithms of counts, brought to length one, so that heavy users do not
    drown the others. Nothing is reduced or smoothed, so IDs that were fitted to reduced vectors of
    the same events are judged by another measure; where they were fitted on these events, they
    may know them by heart all the same: :func:`held_out_neighbours` tells.
    """
    by_item = _unit_rows(_users_by_items(histories, len(sampling.order)).T.tocsr())
    return _by_shared_users(by_item, by_item, sampling)


def held_out_neighbours(before: Histories, after: Histories, sampling: Sampling) -> Neighbours:
    """The items that those who had an item chose later: its column before against those after.

    ``after`` is what was held out of ``before``, so IDs that were fitted on ``before`` alone cannot
    know these neighbours by heart. Cosine as for :func:`co_occurrence_neighbours`.

    :param after: users are found in ``before`` by their ids.
    """
    number = {user: u for u, user in enumerate(before.user_ids)}
    same = np.array([number.get(user, -1) for user in after.user_ids], dtype=np.int64)
    had = _users_by_items(before, len(sampling.order))
    chose = _users_by_items(after, len(sampling.order))[same >= 0]
    left = _unit_rows(had[same[same >= 0]].T.tocsr())
    return _by_shared_users(left, _unit_rows(chose.T.tocsr()), sampling)


def _by_shared_users(left: csr_matrix, right: csr_matrix, sampling: Sampling) -> Neighbours:
    """The nearest rows of ``right`` for rows of ``left``: both [N, U], of length 1 or 0."""
    rows = sampling.order[right.getnnz(axis=1)[sampling.order] > 0]
    asked = sampling.order[left.getnnz(axis=1)[sampling.order] > 0][: sampling.size]
    answers = right[rows].T.tocsr()
    nearest = np.full((len(asked), sampling.k), -1, dtype=np.int64)
    for place, found, near in _products(left[asked], answers):
        others = rows[found] != asked[place]
        found, near = found[others], near[others]
        best = np.lexsort([found, -near])[: sampling.k]
        nearest[place, : len(best)] = rows[found[best]]
    known = (nearest >= 0).any(axis=1)
    return Neighbours(asked[known], nearest[known], np.sort(rows))


def _products(
    asked: csr_matrix, answers: csr_matrix
) -> Iterator[tuple[int, Ints, npt.NDArray[np.float64]]]:
    """The entries of each row of the product, some rows at a time."""
    for start in range(0, asked.shape[0], _AT_ONCE):
        near = (asked[start : start + _AT_ONCE] @ answers).tocsr()
        for row in range(near.shape[0]):
            part = slice(near.indptr[row], near.indptr[row + 1])
            # Sums in another order differ in their last digits; equally near is equally near.
            yield start + row, near.indices[part], np.round(near.data[part], 9)


def _users_by_items(histories: Histories, n_items: int) -> csr_matrix:
    user = histories.user_of_event
    ones = np.ones(len(user))
    counts = csr_matrix((ones, (user, histories.items)), shape=(len(histories), n_items))
    counts.sum_duplicates()
    return _unit_rows(counts.log1p())


def _unit_rows(matrix: csr_matrix) -> csr_matrix:
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return csr_matrix(diags(1 / np.maximum(length, 1e-12)) @ matrix)
