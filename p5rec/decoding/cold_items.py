"""Companions of items that nobody has chosen yet: lent by the items whose words are like theirs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from p5rec.decoding.companions import KINDS, Companions, CrossFitted, largest, values_at

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

REACHED_FROM = 60
"""A cold item becomes a companion of at most so many items."""

LIKEST = 4
"""With this power of the likeness of words a cold item goes by the items that it is like."""

PRETENDED = 0.1
"""So many of all items are taken for cold in each part of the training events."""

_COSINE = KINDS.index("alike users")


def lend(companions: Companions, alike: csr_matrix, cold: BoolArray) -> Companions:
    """Companions in which cold items have what the known items like them have, on average.

    They are companions of the items that they are like as well, known or cold. Where a cold item
    is a companion, only what is lent stays. One that has no companions gets those of the items that
    it is like, and these items.

    :param alike: how alike items are, ``float[N, N]``; rows of cold items are looked at.
    :param cold: which items to take for ones that nobody has chosen, ``bool[N]``.
    """
    alike = (diags(cold.astype(np.float32)) @ alike).tocsr()
    lenders = (alike @ diags((~cold).astype(np.float32))).tocsr()
    share = _shares(lenders)
    source = np.repeat(np.arange(len(cold)), np.diff(companions.offsets))
    known = ~cold[companions.items]
    first, second = source[known], companions.items[known].astype(np.int64)
    values = companions.values[known]
    kinds = [csr_matrix((column, (first, second)), alike.shape) for column in values.T]
    target, reached_from, lent = _lent([share @ kind.T for kind in kinds], alike)
    lonely = diags((np.diff(companions.offsets) == 0).astype(np.float32))
    lender, leads_to, inherited = _lent(
        [lonely @ share @ kind for kind in kinds], (lonely @ lenders).tocsr()
    )
    first = np.concatenate([first, reached_from, lender])
    second = np.concatenate([second, target, leads_to])
    values = np.concatenate([values, lent, inherited])
    order = np.lexsort([second, first])
    return Companions(
        np.searchsorted(first[order], np.arange(len(cold) + 1)),
        second[order].astype(np.int32),
        values[order],
        cold,
        _shares(lenders.power(LIKEST)),
    )


def pretend_cold(
    fitted: CrossFitted, alike: csr_matrix, never: BoolArray, *, seed: int
) -> CrossFitted:
    """Companions in which some items are taken for cold, others in each part of the users.

    What a model learns from them of cold items holds for those that really are.

    :param alike: how alike all items are, as in :func:`lend`.
    :param never: which items nobody has chosen, ``bool[N]``: they are cold everywhere.
    """
    drawn = np.random.default_rng(seed).permutation(len(never))
    some = max(1, int(PRETENDED * len(never)))
    pretended = [drawn[n * some : (n + 1) * some] for n in range(len(fitted.without))]
    without = []
    for own, chosen in zip(fitted.without, pretended, strict=True):
        cold = never.copy()
        cold[chosen] = True
        without.append(lend(own, alike, cold))
    return replace(fitted, everyone=lend(fitted.everyone, alike, never), without=tuple(without))


def _shares(matrix: csr_matrix) -> csr_matrix:
    """Rows that add up to one, or are empty."""
    total = np.asarray(matrix.sum(axis=1)).ravel()
    return (diags(1 / np.maximum(total, 1e-9)) @ matrix).tocsr().astype(np.float32)


def _lent(
    kinds: list[csr_matrix], alike: csr_matrix
) -> tuple[IntArray, IntArray, NDArray[np.float32]]:
    """The strongest pairs of a cold item and another one, and what is lent of each kind."""
    cosine = kinds[_COSINE]
    closeness = cosine / max(cosine.max(), 1e-9) + alike / max(alike.max(), 1e-9)
    cold, other = largest(closeness.tocsr(), REACHED_FROM)
    columns = [values_at(kind, cold, other) for kind in kinds[:-1]]
    values = np.stack([*columns, values_at(alike, cold, other)], axis=1)
    return cold, other, values.astype(np.float32)
