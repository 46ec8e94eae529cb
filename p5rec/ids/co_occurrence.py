"""Vectors of items from which items are chosen near each other in the training events."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize
from sklearn.utils.extmath import randomized_svd

from p5rec.data.events import Histories

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

WINDOW = 5
# A whole number of parts for every distance in the window, so that sums do not depend on order.
_PARTS = 60
_ROUNDS = 3


def co_occurrence(histories: Histories, n_items: int) -> csr_matrix:
    """How near and how often each pair of items was chosen together: symmetric int64[N, N].

    Events of one user at most ``WINDOW`` apart count 60 / distance; events of one session are next
    to each other. An item does not occur with itself.
    """
    items = np.asarray(histories.items, dtype=np.int64)
    user = histories.user_of_event
    total = csr_matrix((n_items, n_items), dtype=np.int64)
    for distance in range(1, WINDOW + 1):
        one, other = slice(None, -distance), slice(distance, None)
        pairs = (user[one] == user[other]) & (items[one] != items[other])
        together = histories.sessions[one] == histories.sessions[other]
        parts = np.where(together, _PARTS, _PARTS // distance)[pairs]
        shape = (n_items, n_items)
        total += csr_matrix((parts, (items[one][pairs], items[other][pairs])), shape=shape)
    return csr_matrix(total + total.T)


def company_classes(classes: Ints, counts: csr_matrix) -> Ints:
    """Tell items of one class apart by what they occur with, as far as that can be.

    A few rounds: items of equal class part where the classes that they occur with, or how often,
    differ. The result does not depend on the order of the rows.

    >>> counts = csr_matrix([[0, 0, 0], [0, 0, 5], [0, 5, 0]])
    >>> company_classes(np.array([0, 0, 1]), counts).tolist()
    [0, 1, 2]
    """
    for _ in range(_ROUNDS):
        tied = np.flatnonzero(np.bincount(classes)[classes] > 1)
        company = {row: _company(classes, counts, row) for row in tied.tolist()}
        ranks = {known: i for i, known in enumerate(sorted(set(company.values())))}
        finer = classes * (len(ranks) + 1)
        finer[tied] += np.array([ranks[company[row]] for row in tied.tolist()], dtype=np.int64)
        finer = np.unique(finer, return_inverse=True)[1].astype(np.int64)
        if finer.max() == classes.max():
            break
        classes = finer
    return classes


def _company(classes: Ints, counts: csr_matrix, row: int) -> tuple[tuple[int, int], ...]:
    part = slice(counts.indptr[row], counts.indptr[row + 1])
    near = zip(classes[counts.indices[part]].tolist(), counts.data[part].tolist(), strict=True)
    return tuple(sorted(near))


def co_occurrence_vectors(counts: csr_matrix, *, dimensions: int, seed: int) -> Floats:
    """Vectors that are close for items that occur with the same items: float32[N, dimensions].

    The logarithm of one plus how many times more often than by chance two items occur together,
    reduced by a truncated SVD; rows have length 1, or 0 where an item has not occurred.

    :param counts: what :func:`co_occurrence` gives, with rows in the order of their content.
    """
    n_items = counts.shape[0]
    degree = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    pairs = counts.tocoo()
    chance = degree[pairs.row] * degree[pairs.col] / max(degree.sum(), 1.0)
    data = np.log1p(pairs.data / chance).astype(np.float32)
    affinity = csr_matrix((data, (pairs.row, pairs.col)), shape=counts.shape)
    vectors = np.zeros((n_items, dimensions), dtype=np.float32)
    rank = min(dimensions, n_items - 1)
    if rank > 0 and affinity.nnz:
        left, strength, _ = randomized_svd(affinity, rank, n_iter=4, random_state=seed)
        vectors[:, :rank] = left * strength
    vectors[degree == 0] = 0
    unit: Floats = normalize(vectors).astype(np.float32)
    return unit
