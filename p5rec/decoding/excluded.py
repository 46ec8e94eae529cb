"""What each request of a batch may and may not get, as a walk needs to know it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.decoding.node_mask import NodeMask, live_mask
from p5rec.decoding.trie import Trie

IntArray = NDArray[np.int64]
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class _Told:
    """Nodes of one depth that are told of: all ``closed``, or all open.

    ``keys``: prompt × nodes + node, ascending, and then a key beyond all; ``prompts``: those that
    have any.
    """

    keys: IntArray
    prompts: IntArray
    closed: bool

    @classmethod
    def of(cls, prompt: IntArray, node: IntArray, n_nodes: int, *, closed: bool) -> _Told:
        """What is told of pairs of prompt and node, ascending."""
        keys = np.empty(len(node) + 1, dtype=np.int64)
        keys[:-1] = prompt * n_nodes + node
        keys[-1] = np.iinfo(np.int64).max
        return cls(keys, prompt[_first_of_each(prompt)], closed)


class Excluded:
    """Items that each prompt of a batch may not get.

    A node is open to a prompt if at least one eligible item lies under it: an item that is not
    retired, passes the prompt's filter, is on its list of allowed items (if it has one) and not
    on that of denied ones. A filter answers for all nodes by a gather; the lists are turned into
    the few nodes whose answer they change.
    """

    def __init__(
        self,
        trie: Trie,
        items: Sequence[IntArray],
        *,
        allowed: Sequence[IntArray | None] | None = None,
        masks: Sequence[NodeMask | None] | None = None,
    ) -> None:
        """All have one entry a prompt.

        :param items: the catalogue rows that each prompt excludes, repeats allowed.
        :param allowed: the only catalogue rows that each prompt may get, or None for all.
        :param masks: the compiled filter of each prompt, or None.
        """
        live = live_mask(trie)
        given = allowed or [None] * len(items)
        self._trie = trie
        self._masks = [mask or live for mask in masks or [None] * len(items)]
        self._different = list(dict.fromkeys(self._masks))
        self._unfiltered = self._different == [None]
        self._listed = torch.tensor([rows is not None for rows in given], dtype=torch.bool)
        self._any_listed = bool(self._listed.any())
        denied = self._leaves(items)
        if not self._any_listed:
            told = [self._nodes(*denied, closed=True)]
        else:
            kept = self._leaves([_NONE if rows is None else rows for rows in given])
            among = np.isin(self._keys(*kept), self._keys(*denied), assume_unique=True)
            # Without a list of allowed items nodes are told of that are closed; with one, open.
            free = ~self._listed.numpy()[denied[0]]
            told = [
                self._nodes(denied[0][free], denied[1][free], closed=True),
                self._nodes(kept[0][~among], kept[1][~among], closed=False),
            ]
        self._told = [
            [one for one in level if len(one.prompts)] for level in zip(*told, strict=True)
        ]

    def closed(self, level: int, first: Tensor, width: Tensor, children: Tensor) -> Tensor | None:
        """Which children of the open walks have no eligible item under them; None where all have.

        :param first: the first child of each walk's node at depth ``level``, ``int[B, S]``.
        :param width: how many children it has, ``int[B, S]``.
        :param children: the children side by side, ``int[B, S, W]``.
        :return: ``bool[B, S, W]``; meaningless past a node's own width.
        """
        if self._unfiltered and not self._any_listed and not self._told[level]:
            return None
        found = self._failing(level + 1, children)
        if self._any_listed:
            found |= self._listed.to(children.device)[:, None, None]
        if self._told[level]:
            span = first.cpu().numpy(), width.cpu().numpy()
            for told in self._told[level]:
                places = self._places(told, level, span, found.shape[-1])
                found.view(-1).index_fill_(
                    0, torch.from_numpy(places).to(found.device), told.closed
                )
        return found

    def _failing(self, depth: int, children: Tensor) -> Tensor:
        """What the filters leave out, ``bool[B, S, W]``."""
        if len(self._different) == 1:
            return _without(self._different[0], depth, children)
        return torch.stack(
            [_without(mask, depth, own) for mask, own in zip(self._masks, children, strict=True)]
        )

    def _places(self, told: _Told, level: int, span: tuple[IntArray, IntArray], w: int) -> IntArray:
        """Places in ``[B * S * W]`` of the children that are told of."""
        # So few numbers that starting a step costs more than the step: numpy is quicker at it.
        first, width = span
        slots = first.shape[1]
        if len(told.prompts) < len(first):
            first, width = first[told.prompts], width[told.prompts]
        start = (told.prompts[:, None] * self._trie.n_nodes(level + 1) + first).ravel()
        end = start + width.ravel()
        low = told.keys.searchsorted(start)
        some = np.flatnonzero(told.keys[low] < end)
        start, low = start[some], low[some]
        count = told.keys.searchsorted(end[some]) - low
        walk = told.prompts[some // slots] * slots + some % slots
        total = np.cumsum(count)
        pair = np.arange(total[-1] if len(some) else 0) + np.repeat(low - total + count, count)
        places: IntArray = told.keys[pair] + np.repeat(walk * w - start, count)
        return places

    def _keys(self, prompt: IntArray, leaf: IntArray) -> IntArray:
        return prompt * self._trie.n_items + leaf

    def _leaves(self, rows: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
        """Prompt and leaf of the rows that the filters let through, ascending."""
        prompt = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
        leaf = self._trie.leaf_of_item[np.concatenate([_NONE, *rows])]
        keys = np.sort(self._keys(prompt, leaf))
        # Sorting leaves the prompts in their order.
        leaf = keys - prompt * self._trie.n_items
        passes = _first_of_each(keys)
        for mask, own in self._by_mask(prompt):
            if mask is not None:
                passes[own] &= mask.leaves[leaf[own]]
        return prompt[passes], leaf[passes]

    def _nodes(self, prompt: IntArray, leaf: IntArray, *, closed: bool) -> list[_Told]:
        """What leaves tell of the nodes above them, for each depth from 1.

        With ``closed`` only of those of which all eligible leaves are among them.
        """
        trie = self._trie
        found = [_Told.of(prompt, leaf, trie.n_items, closed=closed)]
        for depth in range(trie.depth - 1, 0, -1):
            node = trie.nodes_above(depth, leaf)
            # Leaves are in order, and so are the nodes above them.
            first = np.flatnonzero(_first_of_each(prompt) | _first_of_each(node))
            owner, node = prompt[first], node[first]
            if not len(node):
                found += [_Told.of(owner, node, 1, closed=closed)] * depth
                break
            if closed:
                count = np.diff(np.append(first, len(leaf)))
                whole = count == self._eligible(depth, owner, node)
                # A node is only emptied where all below it are.
                below = np.repeat(whole, count)
                owner, node, prompt, leaf = owner[whole], node[whole], prompt[below], leaf[below]
            found.append(_Told.of(owner, node, trie.n_nodes(depth), closed=closed))
        return found[::-1]

    def _eligible(self, depth: int, prompt: IntArray, node: IntArray) -> NDArray[np.integer]:
        """How many leaves under each node its prompt's filter lets through."""
        start = self._trie.leaf_start[depth]
        low, high = start[node], start[node + 1]
        under = high - low
        for mask, own in self._by_mask(prompt):
            if mask is not None:
                under[own] = mask.under(low[own], high[own])
        return under

    def _by_mask(self, prompt: IntArray) -> Iterator[tuple[NodeMask | None, IntArray | slice]]:
        """The different filters, and which of some entries belong to prompts with each."""
        different = self._different
        if len(different) == 1:
            yield different[0], slice(None)
            return
        number = np.array([different.index(mask) for mask in self._masks], dtype=np.int64)[prompt]
        for place, mask in enumerate(different):
            yield mask, np.flatnonzero(number == place)


def _first_of_each(ascending: IntArray) -> NDArray[np.bool_]:
    """Which entries are not those before them."""
    first = np.ones(len(ascending), dtype=bool)
    np.not_equal(ascending[1:], ascending[:-1], out=first[1:])
    return first


def _without(mask: NodeMask | None, depth: int, children: Tensor) -> Tensor:
    """Which children have no leaf of a mask under them."""
    if mask is None:
        return torch.zeros(children.shape, dtype=torch.bool, device=children.device)
    nodes = mask.nodes[depth]
    # Several times faster than indexing with brackets.
    found = nodes.index_select(0, children.reshape(-1).to(nodes.device)).logical_not_()
    return found.view(children.shape).to(children.device)
