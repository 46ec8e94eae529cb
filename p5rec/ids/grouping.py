"""Group levels: the children of a wide node, gathered by the words they share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from p5rec.ids.splitting import split_balanced
from p5rec.ids.text_vectors import TextVectors
from p5rec.ids.words import numbered_apart

Ints = npt.NDArray[np.int64]

UNDIVIDED = "(all)"
_WORDS_SHOWN = 3


@dataclass(frozen=True, eq=False)
class GroupLevel:
    """One inserted level: the group code of each item, the words of each code."""

    codes: Ints
    labels: tuple[str, ...]
    divided: int
    """How many nodes were divided here, and into how many groups."""
    groups: int


def number_nodes(parents: Ints, codes: Ints) -> Ints:
    """The number of each item's node below its parent, in the order of the paths.

    >>> number_nodes(np.array([0, 1, 0, 1]), np.array([7, 2, 3, 2])).tolist()
    [1, 2, 0, 2]
    """
    keys = parents * (int(codes.max()) + 1) + codes
    numbers: Ints = np.unique(keys, return_inverse=True)[1].astype(np.int64)
    return numbers


def widths(parents: Ints, children: Ints) -> Ints:
    """How many different children each parent has; both number the nodes of each item."""
    _, first = np.unique(children, return_index=True)
    return np.bincount(parents[first]).astype(np.int64)


def group_levels(
    parents: Ints,
    children: Ints,
    *,
    max_width: int,
    texts: TextVectors,
    families: Ints | None = None,
) -> Iterator[GroupLevel]:
    """The group levels to insert between parents and children so that no node is too wide.

    Coarsest first: each gives every node at most ``max_width`` groups, each small enough for the
    levels that follow it. ``parents`` and ``children`` are int64[N], the node of each item; items
    and children must be numbered by content. Children of one family (int64[N], the family of each
    item) go to one group wherever it has room. A node that is narrow enough has the one group
    ``(all)``.
    """
    averaging, first = members(children)
    nodes = parents[first]
    vectors = (averaging @ texts.vectors).astype(np.float32)
    if families is not None:
        family = number_nodes(nodes, families[first])
        vectors = (members(family)[0] @ vectors).astype(np.float32)[family]
    words = csr_matrix(averaging @ texts.weights)
    for below in range(_levels_needed(int(np.bincount(nodes).max()), max_width), 0, -1):
        capacity = max_width**below
        parts = _divide(nodes, vectors, capacity=capacity, max_width=max_width)
        divided = np.bincount(nodes)[nodes] > capacity
        codes = np.zeros(len(nodes), dtype=np.int64)
        spare = 0 if divided.all() else 1
        codes[divided] = number_nodes(nodes[divided], parts[divided]) + spare
        telling = _telling_words(nodes[divided], parts[divided], words[divided], texts.terms)
        yield GroupLevel(
            codes=codes[children],
            labels=tuple([UNDIVIDED] * spare + numbered_apart(telling)),
            divided=len(np.unique(nodes[divided])),
            groups=len(telling),
        )
        nodes = number_nodes(nodes, codes)


def members(children: Ints) -> tuple[csr_matrix, Ints]:
    """The matrix that averages the rows of items into rows of children, and a first item each."""
    _, first, counts = np.unique(children, return_index=True, return_counts=True)
    order = np.argsort(children, kind="stable")
    shares = np.repeat((1.0 / counts).astype(np.float32), counts)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return csr_matrix((shares, order, bounds), shape=(len(counts), len(children))), first


def code_words(codes: Ints, texts: TextVectors) -> tuple[str, ...]:
    """For each code, the words that set its items apart from all others, no two the same."""
    nodes = np.zeros_like(codes)
    telling = _telling_words(nodes, codes, texts.weights, texts.terms)
    return tuple(numbered_apart(telling))


def _levels_needed(widest: int, max_width: int) -> int:
    levels = 0
    while max_width ** (levels + 1) < widest:
        levels += 1
    return levels


def _divide(
    nodes: Ints, vectors: npt.NDArray[np.float32], *, capacity: int, max_width: int
) -> Ints:
    """The part of its node that each child belongs to; 0 in a node that is small enough."""
    parts = np.zeros(len(nodes), dtype=np.int64)
    order = np.argsort(nodes, kind="stable")
    for rows in np.split(order, np.cumsum(np.bincount(nodes))[:-1]):
        if len(rows) > capacity:
            parts[rows] = split_balanced(vectors[rows], capacity=capacity, most=max_width)
    return parts


def _telling_words(
    nodes: Ints, parts: Ints, words: csr_matrix, terms: tuple[str, ...]
) -> list[str]:
    """For each group, in order of node and part, the words that set it apart from its node."""
    node_numbers = number_nodes(nodes, np.zeros_like(nodes))
    of_groups, first = members(number_nodes(nodes, parts))
    of_nodes, _ = members(node_numbers)
    group_words, node_words = csr_matrix(of_groups @ words), csr_matrix(of_nodes @ words)
    return [
        _label(group_words[[group]], node_words[[node]], terms)
        for group, node in enumerate(node_numbers[first].tolist())
    ]


def _label(group: csr_matrix, node: csr_matrix, terms: tuple[str, ...]) -> str:
    group.sort_indices()
    frequent = np.round(group.data, 5)
    excess = np.round(group.data - node.toarray()[0][group.indices], 5)
    order = np.lexsort([-frequent, -excess])
    telling = order[: int((excess > 0).sum())] if (excess > 0).any() else order
    spoken = (term for i in telling.tolist() if _is_word(term := terms[group.indices[i]]))
    shown = list(islice(spoken, _WORDS_SHOWN))
    numbers = [terms[group.indices[i]] for i in telling[:_WORDS_SHOWN].tolist()]
    return ", ".join(shown or numbers) or "(no words)"


def _is_word(term: str) -> bool:
    return any(ch.isalpha() for ch in term)
