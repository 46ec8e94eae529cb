"""Vectors that item tokens start from: of which items are chosen together in training events."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags, vstack
from sklearn.utils.extmath import randomized_svd

from p5rec.data.events import Histories

SESSION_WEIGHT = 0.1
"""How much a session counts beside a user's whole history."""


def start_vectors(
    histories: Histories, n_items: int, *, dimensions: int, seed: int
) -> NDArray[np.float32]:
    """Unit vectors that are close for items in the same histories and sessions.

    Rows of histories (log counts) and of sessions, weighted by inverse document frequency and
    brought to length one, are reduced by a truncated SVD; an item's vector is its right singular
    vector times the root of the singular values.

    :return: ``float32[n_items, dimensions]``; an item without events has a zero vector, and so
        have the dimensions past the rank.
    """
    items = np.asarray(histories.items, dtype=np.int64)
    by_user = _counts(histories.user_of_event, items, n_items).log1p()
    by_session = _counts(np.cumsum(histories.begins_session) - 1, items, n_items)
    rows = vstack([_weighted(by_user), SESSION_WEIGHT * _weighted(by_session)]).tocsr()
    rank = min(dimensions, n_items - 1, rows.shape[0] - 1)
    vectors = np.zeros((n_items, dimensions), dtype=np.float32)
    if rank > 0:
        _, strength, right = randomized_svd(rows, rank, random_state=seed)
        vectors[:, :rank] = right.T * np.sqrt(strength)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = vectors / np.maximum(length, 1e-8)
    return unit


def _counts(row: NDArray[np.int64], items: NDArray[np.int64], n_items: int) -> csr_matrix:
    shape = (int(row[-1]) + 1 if len(row) else 0, n_items)
    counts = csr_matrix((np.ones(len(row)), (row, items)), shape=shape)
    counts.sum_duplicates()
    return counts


def _weighted(counts: csr_matrix) -> csr_matrix:
    holders = np.maximum(1, counts.getnnz(axis=0))
    weighted = counts @ diags(np.log((1 + counts.shape[0]) / holders))
    length = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
    return diags(1 / np.maximum(length, 1e-9)) @ weighted
