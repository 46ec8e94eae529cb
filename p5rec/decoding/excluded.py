"""What each request of a batch may and may not get, as a walk needs to know it."""

from __future__ import annotations

from collections.abc import Sequence

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
        self.n_prompts = len(items)
        self._trie = trie
        self._masks = [mask or live for mask in masks or [None] * len(items)]
        self._listed = [rows is not None for rows in allowed or [None] * len(items)]
        closed: list[list[IntArray]] = [[] for _ in range(trie.depth)]
        opened: list[list[IntArray]] = [[] for _ in range(trie.depth)]
        counts = []
        for prompt, denied in enumerate(items):
            mask = self._masks[prompt]
            out = self._leaves(denied, mask)
            listed = None if allowed is None else allowed[prompt]
            if listed is None:
                within = trie.n_items if mask is None else mask.count
                counts.append(within - len(out))
                for depth, nodes in enumerate(_emptied(trie, out, mask), start=1):
                    closed[depth - 1].append(prompt * trie.n_nodes(depth) + nodes)
            else:
                kept = np.setdiff1d(self._leaves(listed, mask), out, assume_unique=True)
                counts.append(len(kept))
                for depth in range(1, trie.depth + 1):
                    nodes = np.unique(trie.nodes_above(depth, kept))
                    opened[depth - 1].append(prompt * trie.n_nodes(depth) + nodes)
        self._closed = [_keys(keys) for keys in closed]
        self._opened = [_keys(keys) for keys in opened]
        self.eligible_items = np.array(counts, dtype=np.int64)

    def open(self, level: int, first: Tensor, width: Tensor, children: Tensor) -> Tensor:
        """Which children of the open walks have an eligible item under them.

        :param first: the first child of each walk's node at depth ``level``, ``int64[B, S]``.
        :param width: how many children it has, ``int64[B, S]``.
        :param children: the children side by side, ``int64[B, S, W]``.
        :return: ``bool[B, S, W]``; meaningless past a node's own width.
        """
        depth = level + 1
        found = self._passing(depth, children)
        if any(self._listed):
            listed = torch.tensor(self._listed, device=children.device)
            found &= ~listed[:, None, None]
        for keys, answer in ((self._closed[level], False), (self._opened[level], True)):
            if len(keys):
                self._set(found, keys, first, width, depth=depth, answer=answer)
        return found

    def _passing(self, depth: int, children: Tensor) -> Tensor:
        """What the filters say, ``bool[B, S, W]``."""
        masks = self._masks
        if all(mask is masks[0] for mask in masks):
            return _gather(masks[0], depth, children)
        return torch.stack(
            [_gather(mask, depth, own) for mask, own in zip(masks, children, strict=True)]
        )

    def _set(
        self, found: Tensor, keys: Tensor, first: Tensor, width: Tensor, *, depth: int, answer: bool
    ) -> None:
        """Set the answer for the children that are among ``keys`` (prompt × nodes + node)."""
        keys = keys.to(first.device)
        shift = torch.arange(len(first), device=first.device)[:, None] * self._trie.n_nodes(depth)
        start = (shift + first).flatten()
        low = torch.searchsorted(keys, start)
        count = torch.searchsorted(keys, start + width.flatten()) - low
        row = torch.repeat_interleave(count)
        pair = torch.arange(len(row), device=row.device) + (low - count.cumsum(0) + count)[row]
        found.view(-1, found.shape[-1])[row, keys[pair] - start[row]] = answer

    def _leaves(self, rows: IntArray, mask: NodeMask | None) -> IntArray:
        """The leaves of catalogue rows that the filter lets through, ascending."""
        leaves = np.unique(self._trie.leaf_of_item[rows]).astype(np.int64)
        return leaves if mask is None else leaves[mask.leaves[leaves]]


def _gather(mask: NodeMask | None, depth: int, children: Tensor) -> Tensor:
    if mask is None:
        return torch.ones_like(children, dtype=torch.bool)
    nodes = mask.nodes[depth]
    return nodes[children.to(nodes.device)].to(children.device)


def _emptied(trie: Trie, leaves: IntArray, mask: NodeMask | None) -> list[IntArray]:
    """For each depth from 1 the nodes whose eligible leaves are all among ``leaves``."""
    found = []
    for depth in range(1, trie.depth + 1):
        nodes, count = np.unique(trie.nodes_above(depth, leaves), return_counts=True)
        low, high = trie.leaf_start[depth][nodes], trie.leaf_start[depth][nodes + 1]
        under = high - low if mask is None else mask.under(low, high)
        found.append(nodes[count == under])
    return found


def _keys(parts: list[IntArray]) -> Tensor:
    return torch.from_numpy(np.concatenate([_NONE, *parts]))
