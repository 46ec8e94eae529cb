"""What each request of a batch may and may not get, as a walk needs to know it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.decoding.node_mask import NodeMask, live_mask
from p5rec.decoding.trie import Trie

IntArray = NDArray[np.int64]
_NONE = np.empty(0, dtype=np.int64)


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
        self._listed = torch.tensor([rows is not None for rows in given], dtype=torch.bool)
        denied = self._leaves(items)
        kept = np.setdiff1d(
            self._leaves([_NONE if rows is None else rows for rows in given]),
            denied,
            assume_unique=True,
        )
        # Without a list of allowed items the nodes that are told of are closed; with one, open.
        denied = denied[~self._listed.numpy()[denied // trie.n_items]]
        self._told = [
            torch.from_numpy(np.sort(np.concatenate([closed, opened])))
            for closed, opened in zip(
                self._nodes(denied, emptied=True), self._nodes(kept, emptied=False), strict=True
            )
        ]

    def open(self, level: int, first: Tensor, width: Tensor, children: Tensor) -> Tensor:
        """Which children of the open walks have an eligible item under them.

        :param first: the first child of each walk's node at depth ``level``, ``int64[B, S]``.
        :param width: how many children it has, ``int64[B, S]``.
        :param children: the children side by side, ``int64[B, S, W]``.
        :return: ``bool[B, S, W]``; meaningless past a node's own width.
        """
        depth = level + 1
        found = self._passing(depth, children)
        listed = self._listed.to(children.device)
        if self._listed.any():
            found &= ~listed[:, None, None]
        keys = self._told[level].to(children.device)
        if len(keys):
            row, column = self._among(keys, first, width, depth)
            found.view(-1, found.shape[-1])[row, column] = listed[row // found.shape[1]]
        return found

    def _passing(self, depth: int, children: Tensor) -> Tensor:
        """What the filters say, ``bool[B, S, W]``."""
        masks = self._masks
        if all(mask is masks[0] for mask in masks):
            return _gather(masks[0], depth, children)
        return torch.stack(
            [_gather(mask, depth, own) for mask, own in zip(masks, children, strict=True)]
        )

    def _among(
        self, keys: Tensor, first: Tensor, width: Tensor, depth: int
    ) -> tuple[Tensor, Tensor]:
        """Walk and place of each child that is among ``keys`` (prompt × nodes + node)."""
        shift = torch.arange(len(first), device=first.device)[:, None] * self._trie.n_nodes(depth)
        start = (shift + first).flatten()
        low = torch.searchsorted(keys, start)
        count = torch.searchsorted(keys, start + width.flatten()) - low
        row = torch.repeat_interleave(count)
        pair = torch.arange(len(row), device=row.device) + (low - count.cumsum(0) + count)[row]
        return row, keys[pair] - start[row]

    def _leaves(self, rows: Sequence[IntArray]) -> IntArray:
        """Keys (prompt × items + leaf) of the leaves that the filters let through, ascending."""
        n_items = self._trie.n_items
        prompt = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
        leaf = self._trie.leaf_of_item[np.concatenate([_NONE, *rows])]
        keys = np.sort(prompt * n_items + leaf)
        keys = keys[np.diff(keys, prepend=-1) > 0]
        passes = np.ones(len(keys), dtype=bool)
        for mask, own in self._by_mask(keys // n_items):
            if mask is not None:
                passes[own] = mask.leaves[keys[own] % n_items]
        return keys[passes]

    def _nodes(self, leaves: IntArray, *, emptied: bool) -> list[IntArray]:
        """For each depth from 1 the keys (prompt × nodes + node) of the nodes above leaves.

        With ``emptied`` only those of which all eligible leaves are among ``leaves``.
        """
        trie, found = self._trie, []
        prompt, leaf = leaves // trie.n_items, leaves % trie.n_items
        for depth in range(1, trie.depth + 1):
            keys = prompt * trie.n_nodes(depth) + trie.nodes_above(depth, leaf)
            # Leaves are in order, and so are the nodes above them.
            first = np.flatnonzero(np.diff(keys, prepend=-1))
            count = np.diff(np.append(first, len(keys)))
            keys = keys[first]
            if emptied:
                node = keys % trie.n_nodes(depth)
                low, high = trie.leaf_start[depth][node], trie.leaf_start[depth][node + 1]
                under = high - low
                for mask, own in self._by_mask(keys // trie.n_nodes(depth)):
                    if mask is not None:
                        under[own] = mask.under(low[own], high[own])
                keys = keys[count == under]
            found.append(keys)
        return found

    def _by_mask(self, prompt: IntArray) -> Iterator[tuple[NodeMask | None, IntArray | slice]]:
        """The different filters, and which of some entries belong to prompts with each."""
        different = list(dict.fromkeys(self._masks))
        if len(different) == 1:
            yield different[0], slice(None)
            return
        number = np.array([different.index(mask) for mask in self._masks], dtype=np.int64)[prompt]
        for place, mask in enumerate(different):
            yield mask, np.flatnonzero(number == place)


def _gather(mask: NodeMask | None, depth: int, children: Tensor) -> Tensor:
    if mask is None:
        return torch.ones_like(children, dtype=torch.bool)
    nodes = mask.nodes[depth]
    # Several times faster than indexing with brackets.
    found = nodes.index_select(0, children.reshape(-1).to(nodes.device))
    return found.view(children.shape).to(children.device)
