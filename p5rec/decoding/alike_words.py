"""How alike the words of items are, as one more thing that is known of items that go together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.companions import KINDS, Companions, CrossFitted, largest
from p5rec.ids.content import full_texts
from p5rec.ids.text_vectors import word_weights

IntArray = NDArray[np.int64]

NEIGHBOURS = 30
"""Of so many items at most the words are compared with those of one."""

COMMON = 4096
"""Words of more items than this lead nobody to an item: looking through them would cost the square
of the catalogue."""

_WORDS = KINDS.index("alike words")
_AT_ONCE = 256
_PAIRS_AT_ONCE = 2**17


class ItemWords:
    """The words of a catalogue's items, weighed by TF-IDF."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._weights = word_weights(full_texts(catalogue))

    def nearest(self, rows: IntArray) -> csr_matrix:
        """How alike the words of some items are to those of others: cosines.

        :return: ``float[N, N]``: of each of ``rows`` the nearest :data:`NEIGHBOURS` among those
            that share a word of at most :data:`COMMON` items, other rows empty.
        """
        weights = self._weights
        of_word = np.bincount(weights.indices, minlength=weights.shape[1])
        telling = (weights @ diags((of_word <= COMMON).astype(np.float32))).tocsr()
        telling.eliminate_zeros()
        found = [np.empty((2, 0), dtype=np.int64)]
        for start in range(0, len(rows), _AT_ONCE):
            own = rows[start : start + _AT_ONCE]
            near = (telling[own] @ telling.T).tocoo()
            others = own[near.row] != near.col
            near = coo_matrix((near.data[others], (near.row[others], near.col[others])), near.shape)
            first, second = largest(near.tocsr(), NEIGHBOURS)
            found.append(np.stack([own[first], second]))
        first, second = np.concatenate(found, axis=1)
        shape = (weights.shape[0], weights.shape[0])
        return csr_matrix((self.cosines(first, second), (first, second)), shape)

    def cosines(self, first: IntArray, second: IntArray) -> NDArray[np.float32]:
        """How alike the words of items are, pair by pair."""
        found = np.empty(len(first), dtype=np.float32)
        for start in range(0, len(first), _PAIRS_AT_ONCE):
            part = slice(start, start + _PAIRS_AT_ONCE)
            product = self._weights[first[part]].multiply(self._weights[second[part]])
            found[part] = np.asarray(product.sum(axis=1)).ravel()
        return found


def with_alike_words(fitted: CrossFitted, words: ItemWords, nearest: csr_matrix) -> CrossFitted:
    """Companions that know how alike the words of all pairs are, those nearest in words among them.

    Words need no events: they tell of items that have been chosen a few times only. An item without
    companions stays without: it inherits those of others (:func:`p5rec.decoding.cold_items.lend`).

    :param nearest: what :meth:`ItemWords.nearest` says of all items.
    """

    def told(companions: Companions) -> Companions:
        n_items = len(companions.lent)
        source = np.repeat(np.arange(n_items), np.diff(companions.offsets))
        known = source * n_items + companions.items
        first, second = nearest.nonzero()
        accompanied = np.diff(companions.offsets)[first] > 0
        more = first[accompanied].astype(np.int64) * n_items + second[accompanied]
        keys = np.union1d(known, more)
        values = np.zeros((len(keys), len(KINDS)), dtype=np.float32)
        values[np.searchsorted(keys, known)] = companions.values
        values[:, _WORDS] = words.cosines(keys // n_items, keys % n_items)
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
