"""How alike the words of items are, as one more thing that is known of items that go together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, vstack

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.companions import KINDS, Companions, CrossFitted, largest, values_at
from p5rec.ids.content import full_texts
from p5rec.ids.text_vectors import word_weights

IntArray = NDArray[np.int64]

NEIGHBOURS = 30
"""Of so many items at most the words are compared with those of one."""

_WORDS = KINDS.index("alike words")
_AT_ONCE = 256
_PAIRS_AT_ONCE = 2**17


def alike_in_words(catalogue: Catalogue, rows: IntArray) -> csr_matrix:
    """How alike the words of some items are to those of others: cosines of TF-IDF.

    :return: ``float[N, N]``: of each of ``rows`` the nearest :data:`NEIGHBOURS`, other rows empty.
    """
    weights = word_weights(full_texts(catalogue))
    found = [csr_matrix((0, len(catalogue)), dtype=np.float32)]
    for start in range(0, len(rows), _AT_ONCE):
        own = rows[start : start + _AT_ONCE]
        near = (weights[own] @ weights.T).tocoo()
        others = own[near.row] != near.col
        near = coo_matrix((near.data[others], (near.row[others], near.col[others])), near.shape)
        near = near.tocsr()
        at = largest(near, NEIGHBOURS)
        found.append(csr_matrix((values_at(near, *at), at), near.shape))
    of_rows = vstack(found).tocoo()
    shape = (len(catalogue), len(catalogue))
    return csr_matrix((of_rows.data, (rows[of_rows.row], of_rows.col)), shape)


def with_alike_words(fitted: CrossFitted, catalogue: Catalogue) -> CrossFitted:
    """Companions that know how alike the words of all pairs are, those nearest in words among them.

    Words need no events: they tell of items that have been chosen a few times only. An item without
    companions stays without: it inherits those of others (:func:`p5rec.decoding.cold_items.lend`).
    """
    weights = word_weights(full_texts(catalogue))
    near = alike_in_words(catalogue, np.arange(len(catalogue)))

    def told(companions: Companions) -> Companions:
        n_items = len(companions.lent)
        source = np.repeat(np.arange(n_items), np.diff(companions.offsets))
        known = source * n_items + companions.items
        first, second = near.nonzero()
        accompanied = np.diff(companions.offsets)[first] > 0
        more = first[accompanied].astype(np.int64) * n_items + second[accompanied]
        keys = np.union1d(known, more)
        values = np.zeros((len(keys), len(KINDS)), dtype=np.float32)
        values[np.searchsorted(keys, known)] = companions.values
        values[:, _WORDS] = _cosines(weights, keys // n_items, keys % n_items)
        return replace(
            companions,
            offsets=np.searchsorted(keys, np.arange(n_items + 1) * n_items),
            items=(keys % n_items).astype(np.int32),
            values=values,
        )

    return replace(
        fitted,
        everyone=told(fitted.everyone),
        without=tuple(told(own) for own in fitted.without),
    )


def _cosines(weights: csr_matrix, first: IntArray, second: IntArray) -> NDArray[np.float32]:
    """The products of rows of unit length, pair by pair."""
    found = np.empty(len(first), dtype=np.float32)
    for start in range(0, len(first), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        product = weights[first[part]].multiply(weights[second[part]])
        found[part] = np.asarray(product.sum(axis=1)).ravel()
    return found
