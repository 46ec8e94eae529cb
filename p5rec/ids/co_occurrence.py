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


def co_occurrence(histories: Histories, n_items: int) -> csr_matrix:
    """How near and how often each pair of items was chosen together: symmetric int64[N, N].

    Events of one user at most ``WINDOW`` apart count 60 / distance; events of one session are next
    to each other. An item does not occur with itself.
    """
    items = np.asarray(histories.items, dtype=np.int64)
    user = np.repeat(np.arange(len(histories)), histories.lengths)
    total = csr_matrix((n_items, n_items), dtype=np.int64)
    for distance in range(1, WINDOW + 1):
        one, other = slice(None, -distance), slice(distance, None)
        pairs = (user[one] == user[other]) & (items[one] != items[other])
        together = histories.sessions[one] == histories.sessions[other]
        parts = np.where(together, _PARTS, _PARTS // distance)[pairs]
        shape = (n_items, n_items)
        total += csr_matrix((parts, (items[one][pairs], items[other][pairs])), shape=shape)
    return csr_matrix(total + total.T)


def co_occurrence_vectors(counts: csr_matrix, *, dimensions: int, seed: int) -> Floats:
    """Vectors that are close for items that occur with the same items: float32[N, dimensions].

    The logarithm of one plus how many times more often than by chance two items occur together,
    reduced by a truncated SVD; rows have length 1, or 0 where an item has not occurred.

    :param counts: what :func:`co_occurrence` gives, with rows in the order of their content.
    """
    counts = csr_matrix(counts)
    n_items = counts.shape[0]
    degree = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    ratio = counts.tocoo()
    chance = degree[ratio.row] * degree[ratio.col] / max(degree.sum(), 1.0)
    data = np.log1p(ratio.data / chance).astype(np.float32)
    affinity = csr_matrix((data, (ratio.row, ratio.col)), shape=counts.shape)
    vectors = np.zeros((n_items, dimensions), dtype=np.float32)
    rank = min(dimensions, n_items - 1)
    if rank > 0 and affinity.nnz:
        left, strength, _ = randomized_svd(affinity, rank, n_iter=4, random_state=seed)
        vectors[:, :rank] = left * np.sqrt(strength)
    vectors[degree == 0] = 0
    unit: Floats = normalize(vectors).astype(np.float32)
    return unit
