"""The one place that turns hidden states into log-probabilities of codes.

Training, beam search, exact scoring and evidence all go through :class:`ItemScorer`, so that
what is decoded is what was trained.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from p5rec.decoding.contexts import Contexts
from p5rec.decoding.full_softmax import ItemProbabilities
from p5rec.decoding.history_index import HistoryFeatures
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.decoding.products import row_products
from p5rec.decoding.trie import Trie
from p5rec.errors import DecodingError
from p5rec.model.backbone import Backbone
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.vocabulary import Vocabulary

CHUNK = 2**22
"""Gathered children (rows × width) scored at once: bounds memory to about 1 GiB at width 64."""

NOT_FINITE = (
    "the model gave a score that is not finite. Its weights are damaged or training diverged; "
    "load another bundle or train again with a lower learning rate."
)


class ItemScorer(nn.Module):
    """Log-probabilities of the children of trie nodes, given hidden states and history.

    The probability of an item is the product, over the levels of its semantic ID, of a softmax
    over the codes that can follow: a tree-structured (hierarchical) softmax as in Morin and
    Bengio (2005), exact and normalised over the catalogue. Or, where it is ``full``, that of one
    softmax over all items from the state at the prompt's end, an item's vector being that of its
    position in a prompt; a node is then as likely as the items under it together.
    """

    def __init__(
        self,
        backbone: Backbone,
        vocabulary: Vocabulary,
        trie: Trie,
        prior: HistoryPrior | None,
        *,
        full: bool = False,
    ) -> None:
        super().__init__()
        self.full = full
        self.backbone = backbone
        self.prior = prior
        self.trie = trie
        # The arrays of the trie themselves, not copies, as long as they stay on this device.
        for level in range(trie.depth):
            self._hold(f"first_{level}", trie.child_start[level])
            self._hold(f"code_{level}", trie.code[level])
        for depth in range(trie.depth + 1):
            self._hold(f"leaf_start_{depth}", trie.leaf_start[depth])
        self._hold("leaf_of_item", trie.leaf_of_item)
        self._codebooks = [
            (int(vocabulary.token_ids(level, np.zeros(1, np.int64))[0]), size)
            for level, size in enumerate(vocabulary.sizes)
        ]
        if full:
            items = torch.from_numpy(np.asarray(trie.item_of_leaf, dtype=np.int64))
            self.register_buffer("leaf_tokens", self.path_tokens(items), persistent=False)

    leaf_of_item: Tensor
    leaf_tokens: Tensor

    def _hold(self, name: str, array: NDArray[np.int32]) -> None:
        self.register_buffer(name, torch.from_numpy(array), persistent=False)

    @property
    def depth(self) -> int:
        """Number of levels of a semantic ID."""
        return self.trie.depth

    def tokens_of_nodes(self, level: int, nodes: Tensor) -> Tensor:
        """Token ids of the codes of nodes at depth ``level + 1``, ``int32`` like ``nodes``."""
        return self.codes_of_nodes(level, nodes).add_(self._codebooks[level][0])

    def codes_of_nodes(self, level: int, nodes: Tensor) -> Tensor:
        """The codes of nodes at depth ``level + 1``, ``int32`` like ``nodes``."""
        codes: Tensor = getattr(self, f"code_{level}")
        # Several times faster than indexing with brackets.
        return codes.index_select(0, nodes.reshape(-1)).view(nodes.shape)

    def nodes_of_items(self, items: Tensor) -> Tensor:
        """The nodes on the way to catalogue rows, ``int64[*items.shape, depth + 1]``."""
        leaves = self.leaf_of_item[items]
        nodes = []
        for depth in range(self.depth):
            starts: Tensor = getattr(self, f"leaf_start_{depth}")
            nodes.append(torch.searchsorted(starts, leaves, right=True) - 1)
        return torch.stack([*nodes, leaves.to(torch.int64)], dim=-1)

    def path_tokens(self, items: Tensor) -> Tensor:
        """Token ids of the semantic IDs of catalogue rows, ``int64[*items.shape, depth]``."""
        nodes = self.nodes_of_items(items)
        tokens = [self.tokens_of_nodes(level, nodes[..., level + 1]) for level in range(self.depth)]
        return torch.stack(tokens, -1).to(torch.int64)

    def children_of(self, level: int, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """First child and number of children of nodes at depth ``level``, ``int32``."""
        starts: Tensor = getattr(self, f"first_{level}")
        at = nodes.reshape(-1)
        first = starts.index_select(0, at)
        width = starts[1:].index_select(0, at).sub_(first)
        return first.view(nodes.shape), width.view(nodes.shape)

    def child_log_probs(
        self,
        level: int,
        nodes: Tensor,
        hidden: Tensor,
        *,
        context: Tensor | None = None,
        contexts: Contexts | None = None,
        span: tuple[Tensor, Tensor] | None = None,
        children: Tensor | None = None,
    ) -> Tensor:
        """Log-probability of each child of each row's node.

        :param nodes: a node at depth ``level`` for each row, ``int64[R]``.
        :param hidden: the model's state there, ``float[R, d]``; whole ``contexts`` do without.
        :param context: which of ``contexts`` each row belongs to; without it no bias is
            added.
        :param span: what :meth:`children_of` says of the nodes, where it is known already.
        :param children: the children side by side, ``int[R, W]``, likewise; any nodes past a
            row's own width.
        :return: ``float[R, W]``, ``W`` the largest width; ``-inf`` past a row's own width.
        """
        first, width = span or self.children_of(level, nodes)
        columns = torch.arange(int(width.max()), device=nodes.device)
        outside = columns >= width[:, None]
        known = None if context is None else contexts
        logits = torch.zeros((), device=nodes.device)
        if known is None or not known.whole:
            if children is None:
                children = torch.where(outside, first[:, None], first[:, None] + columns)
            logits = self._logits(level, columns if level == 0 else children, hidden)
            trust = None if known is None else known.trust(level)
            logits = logits if trust is None else logits * trust
        if known is not None and context is not None:
            logits = logits + known.bias(level=level, context=context, first=first, width=width)
        return torch.log_softmax(logits.masked_fill(outside, -torch.inf), dim=-1)

    def _logits(self, level: int, children: Tensor, hidden: Tensor) -> Tensor:
        """What states say of children: ``int[R, W]``, or at the root ``int[W]``."""
        rows = self._rows(level, children)
        return hidden @ rows.T if children.dim() == 1 else row_products(rows, hidden)

    def item_log_probs(self, hidden: Tensor) -> Tensor:
        """The full softmax: log-probability of every item after each prompt.

        :param hidden: states at the ends of prompts, ``float[C, d]``.
        :return: in the order of the leaves, ``float[C, N]``.
        """
        return torch.log_softmax(hidden @ self.backbone.table.positions(self.leaf_tokens).T, dim=-1)

    def foresee(
        self, hidden: Tensor, features: HistoryFeatures | None, *, prior_alone: bool = False
    ) -> ItemProbabilities:
        """What the full softmax and the history prior make of every item together.

        :param hidden: states at the ends of prompts, ``float[C, d]``.
        :param features: of the history of each; None leaves the prior out.
        :raises DecodingError: if a probability is not finite.
        """
        if self.prior is None or features is None:
            probs = self.item_log_probs(hidden).exp()
        elif prior_alone:
            probs = self.prior.item_probs(features)
        else:
            probs = self.prior.mixed_with(self.item_log_probs(hidden).exp(), features)
        if not torch.isfinite(probs).all():
            raise DecodingError(NOT_FINITE)
        starts = [getattr(self, f"leaf_start_{depth}") for depth in range(self.depth + 1)]
        return ItemProbabilities(probs, starts)

    def _rows(self, level: int, nodes: Tensor) -> Tensor:
        """The vectors of the codes of nodes at depth ``level + 1``."""
        table = self.backbone.table
        if torch.is_grad_enabled():
            return table.rows(self.tokens_of_nodes(level, nodes))
        return table.item_rows(self._codebooks[level][0], self.codes_of_nodes(level, nodes))

    def path_log_probs(
        self,
        hidden: Tensor,
        items: Tensor,
        *,
        context: Tensor | None = None,
        contexts: Contexts | None = None,
    ) -> Tensor:
        """Log-probability of each code on the way to each row's item.

        :param hidden: states before each code, ``float[R, depth, d]``.
        :param items: catalogue rows, ``int64[R]``.
        :return: ``float[R, depth]``; an only child has log-probability 0.
        """
        nodes = self.nodes_of_items(items)
        columns = []
        for level in range(self.depth):
            parent, child = nodes[:, level], nodes[:, level + 1]
            first, width = self.children_of(level, parent)
            column = hidden.new_zeros(len(items))
            for rows in _by_width(width):
                log_probs = self.child_log_probs(
                    level,
                    parent[rows],
                    hidden[rows, level],
                    context=None if context is None else context[rows],
                    contexts=contexts,
                )
                chosen = log_probs.gather(1, (child - first)[rows, None]).squeeze(1)
                column = column.index_put((rows,), chosen)
            columns.append(column)
        return torch.stack(columns, dim=1)

    def states(
        self, prompts: PromptBatch, rows: Tensor, positions: Tensor, items: Tensor
    ) -> Tensor:
        """The states that :meth:`log_probs` needs, after position ``positions[r]`` of prompt
        ``rows[r]``: ``float[R, depth, d]``, or with a full softmax ``float[R, 1, d]``.
        """
        tokens = self.path_tokens(items)[:, : 0 if self.full else -1]
        return self.backbone.follow(prompts, rows, positions, tokens)

    def log_probs(
        self,
        hidden: Tensor,
        items: Tensor,
        *,
        context: Tensor | None = None,
        contexts: Contexts | None = None,
    ) -> Tensor:
        """Log-probability of items, ``float[R]``, from what :meth:`states` gave; differentiable.

        The full softmax takes no ``contexts``: what goes with it :meth:`foresee` tells.
        """
        if self.full:
            leaves = self.leaf_of_item[items][:, None].to(torch.int64)
            return self.item_log_probs(hidden[:, 0]).gather(1, leaves).squeeze(1)
        return self.path_log_probs(hidden, items, context=context, contexts=contexts).sum(1)

    def score(
        self,
        prompts: PromptBatch,
        rows: Tensor,
        items: Tensor,
        *,
        context: Tensor | None = None,
        contexts: Contexts | None = None,
    ) -> Tensor:
        """Log-probability of ``items[r]`` after prompt ``rows[r]``, ``float[R]``.

        :raises DecodingError: if a score is not finite.
        """
        hidden = self.states(prompts, rows, prompts.lengths[rows] - 1, items)
        log_probs = self.log_probs(hidden, items, context=context, contexts=contexts)
        if not torch.isfinite(log_probs).all():
            raise DecodingError(NOT_FINITE)
        return log_probs


def _by_width(width: Tensor) -> list[Tensor]:
    """Row numbers grouped by width (to the next power of two), at most ``CHUNK`` cells each.

    Rows of width 1 are left out: an only child needs no score.
    """
    groups: list[Tensor] = []
    exponent = torch.ceil(torch.log2(width.to(torch.float32))).to(torch.int64)
    for power in torch.unique(exponent[width > 1]).tolist():
        rows = torch.nonzero((exponent == power) & (width > 1)).squeeze(1)
        groups.extend(torch.split(rows, max(1, CHUNK >> power)))
    return groups
