"""What is known of each child beforehand: popularity, own items and their companions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from p5rec.data.events import Histories
from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.companions import Companions, CrossFitted
from p5rec.decoding.contexts import SparseBiases
from p5rec.decoding.habits import HABITS
from p5rec.decoding.history_index import Forgetting, HistoryFeatures, HistoryIndex
from p5rec.decoding.item_weights import ItemWeights
from p5rec.decoding.nearness import LENT, NEARNESS
from p5rec.decoding.trie import Trie

SMOOTHING = 0.5
"""What each item's count gets beforehand."""

LEAST = 1e-12
"""Keeps the logarithm of a mass finite."""


@dataclass(frozen=True)
class HistoryContexts:
    """The histories that walks are conditioned on; built by :meth:`HistoryPrior.contexts`.

    ``whole``: popularity alone tells, as for people of whom nothing is known; as it is, since the
    learned power is that of what stands beside a network.
    """

    prior: HistoryPrior
    histories: SparseBiases
    whole: bool = False

    def bias(self, *, level: int, context: Tensor, first: Tensor, width: Tensor) -> Tensor:
        """As in :class:`~p5rec.decoding.contexts.Contexts`."""
        bias = self.prior.log_shares(level=level, first=first, width=width)
        if self.whole:
            return bias
        bias = self.prior.popularity[level] * bias
        return self.histories.add_to(bias, level=level, context=context, first=first, width=width)

    def trust(self, level: int) -> Tensor | None:
        """As in :class:`~p5rec.decoding.contexts.Contexts`."""
        return None if self.prior.trust is None else self.prior.trust[level]


class HistoryPrior(nn.Module):
    """At each level, a child's logit gets the logarithm of what is known of it beforehand.

    That is the sum of two masses. *Something else*: the child's recent share of the log to
    a learned power (``popularity``), times the exponential of a learned weighted sum of the
    history features of :class:`HistoryIndex` (zero where the history holds nothing under the
    child). *Again*, *near* and *cold*: the weights that three :class:`ItemWeights` give to the own
    items under the child, to the companions of recent ones, and to those of them that nobody has
    chosen, whose closeness is lent and means something else. Masses of children add up to their
    parent's, so a category is likely because of the items in it, and what the user has never chosen
    does not become likely by lying beside what they always choose.
    """

    POPULARITY = "popularity"

    def __init__(
        self,
        trie: Trie,
        forgetting: Forgetting,
        counts: ItemCounts,
        *,
        width: int = 32,
        companions: Companions | None = None,
        trust: float | None = None,
        seed: int = 0,
    ) -> None:
        """Know nothing but popularity yet.

        :param counts: of the training events.
        :param width: of the networks that weigh items, 0 for none.
        :param companions: of items; None leaves their network out.
        :param trust: what the language model's logits are multiplied with, at first and at every
            level; None lets them count whole. With a full softmax, the network's share of the say.
        """
        super().__init__()
        self.forgetting = forgetting
        self.n_nodes = tuple(trie.n_nodes(d) for d in range(1, trie.depth + 1))
        self.history = nn.Parameter(torch.zeros(trie.depth, len(forgetting.names)))
        self.popularity = nn.Parameter(torch.ones(trie.depth))
        self.trust = None if trust is None else nn.Parameter(torch.full((trie.depth,), trust))
        smoothed = counts.recent[trie.item_of_leaf] + SMOOTHING
        in_leaf_order = np.append(0, np.cumsum(smoothed / smoothed.sum()))
        for depth in range(1, trie.depth + 1):
            under = np.diff(in_leaf_order[trie.leaf_start[depth]])
            log_share = torch.from_numpy(np.log(under).astype(np.float32))
            self.register_buffer(f"log_share_{depth}", log_share)
        self.companions = companions
        self.again = self.near = self.cold = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            if width:
                own = len(forgetting.counts) + len(HABITS)
                self.again = ItemWeights(counts, features=own, width=width)
            if companions is not None:
                self.near = ItemWeights(counts, features=len(NEARNESS), width=width)
                self.cold = ItemWeights(None, features=len(NEARNESS), width=width)
                self.register_buffer("lending", torch.tensor(0.0))
        item_of_leaf = torch.from_numpy(np.asarray(trie.item_of_leaf, dtype=np.int64))
        self.register_buffer("item_of_leaf", item_of_leaf, persistent=False)
        leaf_of_item = torch.from_numpy(np.asarray(trie.leaf_of_item, dtype=np.int64))
        self.register_buffer("leaf_of_item", leaf_of_item, persistent=False)
        lent = np.zeros(trie.n_items, dtype=bool) if companions is None else companions.lent
        self.register_buffer("lent", torch.from_numpy(lent)[item_of_leaf], persistent=False)
        self._trie = trie

    lending: Tensor
    """How far what an item weighs that nobody has chosen goes by the items that it is like: not at
    all while the prior learns, so that two guesses are made apart, of which 1 is the second."""
    item_of_leaf: Tensor
    leaf_of_item: Tensor
    lent: Tensor

    def index(
        self,
        histories: Histories,
        training: CrossFitted | None = None,
        *,
        companions: Companions | None = None,
    ) -> HistoryIndex:
        """What :meth:`contexts` needs, of any moment of these histories.

        :param training: companions to use where these histories are those of training.
        :param companions: others to use than the prior's own.
        """
        own = companions or self.companions
        known: tuple[Companions, ...] = () if own is None else (own,)
        return HistoryIndex(
            histories,
            self._trie,
            self.forgetting,
            companions=known if training is None else training.without,
            part=None if training is None else training.part,
            lending=self.cold is not None and bool(self.lending > 0),
        )

    def contexts(self, features: HistoryFeatures) -> HistoryContexts:
        """The biases that ``features`` give with the present weights (differentiable)."""
        device = self.history.device
        keys = [torch.from_numpy(found).to(device) for found in features.keys]
        parents = [torch.from_numpy(found).to(device) for found in features.parents]
        masses = self._masses(features, keys, parents)
        biases: list[Tensor] = []
        above = torch.zeros(features.n_contexts, device=device)
        for level, values in enumerate(features.values):
            own = torch.from_numpy(features.own[level]).to(device)
            known = torch.from_numpy(values).to(device) @ self.history[level]
            bias = known.new_zeros(len(keys[level])).index_put((own,), known)
            inherited = above[parents[level]]
            above = inherited + bias
            if masses is not None:
                share = self._log_share(level)[keys[level] % self.n_nodes[level]]
                other = self.popularity[level] * share
                bias = torch.logaddexp(bias + other, masses[level] - inherited) - other
            biases.append(bias)
        return HistoryContexts(self, SparseBiases(keys, biases, self.n_nodes))

    def log_probs(self, features: HistoryFeatures, context: Tensor, items: Tensor) -> Tensor:
        """Log-probability of items by the masses alone, as one mixture over the whole catalogue.

        Popularity counts with power 1 and the history features do not count: what a walk that
        knows the prior alone gives as long as these are not learnt. It costs a look at the pairs
        that hold a mass, where a walk would need a softmax over the children at each level.

        :param context: which of the contexts each item follows, ``int64[R]``.
        :param items: catalogue rows, ``int64[R]``.
        :return: ``float[R]``.
        """
        device = self.history.device
        keys = torch.from_numpy(features.keys[-1]).to(device)
        mass = self._item_masses(features)
        of_context = keys // self.n_nodes[-1]
        total = mass.new_zeros(features.n_contexts).index_add(0, of_context, mass)
        leaves = self.leaf_of_item[items]
        wanted = context * self.n_nodes[-1] + leaves
        # Past the last pair stands one that nothing asks for.
        at = torch.searchsorted(keys, wanted)
        known = torch.cat([keys, keys.new_full((1,), -1)])[at] == wanted
        own = torch.where(known, torch.cat([mass, mass.new_zeros(1)])[at], 0.0)
        return torch.log(self.item_shares[leaves] + own) - torch.log1p(total[context])

    def item_probs(self, features: HistoryFeatures) -> Tensor:
        """The probability of every item by the masses alone, in the order of the leaves.

        As in :meth:`log_probs`.

        :return: ``float[C, N]``.
        """
        items = self.item_shares + self.item_masses(features)
        return items / items.sum(1, keepdim=True)

    @property
    def item_shares(self) -> Tensor:
        """The recent share of the log of every item, in the order of the leaves: ``float[N]``."""
        return self._log_share(len(self.n_nodes) - 1).exp()

    def item_masses(self, features: HistoryFeatures) -> Tensor:
        """What the networks make of every item beside its share: ``float[C, N]``."""
        keys = torch.from_numpy(features.keys[-1]).to(self.history.device)
        masses = self.history.new_zeros(features.n_contexts * self.n_nodes[-1])
        masses = masses.index_add(0, keys, self._item_masses(features))
        return masses.view(features.n_contexts, -1)

    def mixed_with(self, network: Tensor, features: HistoryFeatures) -> Tensor:
        """What a network and the masses make of every item together, ``float[C, N]``.

        The network has a share of the say (:attr:`trust`), and that about what is new to the user.
        How often own items are chosen again the prior alone has counted; and of items that nobody
        has chosen it alone tells, too, since the network has never seen one.

        :param network: the probabilities that the network gives, in the order of the leaves.
        """
        prior = self.item_probs(features)
        own = torch.from_numpy(features.keys[-1][features.own[-1]]).to(network.device)
        untold = self.lent.repeat(features.n_contexts).index_fill(0, own, True).view_as(prior)
        kept, new = prior.masked_fill(~untold, 0), network.masked_fill(untold, 0)
        rest = (1 - kept.sum(1, keepdim=True)) / new.sum(1, keepdim=True).clamp_min(LEAST)
        share = 1.0 if self.trust is None else self.trust[-1]
        return share * (rest * new + kept) + (1 - share) * prior

    def standardise(self, features: HistoryFeatures) -> None:
        """Take the spread of what the networks see from a sample of contexts."""
        for network, _, inputs in self._weighed(features):
            network.standardise(*inputs)

    def log_shares(self, *, level: int, first: Tensor, width: Tensor) -> Tensor:
        """The logarithm of each child's recent share of the log.

        The rest is as in :class:`~p5rec.decoding.contexts.Contexts`.
        """
        share = self._log_share(level)
        columns = torch.arange(int(width.max()), device=first.device)
        children = (first[:, None] + columns).clamp_(max=len(share) - 1)
        return share[children]

    def weights(self) -> dict[int, dict[str, float]]:
        """The learned weights by level (from 0) and feature name, for reports."""
        table = {}
        for level, row in enumerate(self.history.detach().tolist()):
            named = dict(zip(self.forgetting.names, row, strict=True))
            named[self.POPULARITY] = float(self.popularity[level].detach())
            table[level] = named
        return table

    def _log_share(self, level: int) -> Tensor:
        """The logarithm of the recent share of each node at depth ``level + 1``."""
        share: Tensor = getattr(self, f"log_share_{level + 1}")
        return share

    def _weighed(
        self, features: HistoryFeatures
    ) -> Iterator[tuple[ItemWeights, Tensor, tuple[Tensor, Tensor, Tensor]]]:
        """Each network, the pairs that it weighs, and what it needs to know of them."""
        device = self.history.device
        leaves = torch.from_numpy(features.keys[-1] % self.n_nodes[-1]).to(device)
        later = torch.from_numpy(features.later).to(device)
        if self.again is not None:
            counts = features.values[-1][:, 1 : 1 + len(self.forgetting.counts)]
            known = np.concatenate([counts, features.habits], axis=1)
            pairs = torch.from_numpy(features.own[-1]).to(device)
            items = self.item_of_leaf[leaves[pairs]]
            yield self.again, pairs, (torch.from_numpy(known).to(device), items, later[pairs])
        if self.near is not None and self.cold is not None:
            lent = features.nearness[:, LENT] > 0
            for network, chosen in ((self.near, ~lent), (self.cold, lent)):
                pairs = torch.from_numpy(features.near[chosen]).to(device)
                nearness = torch.from_numpy(features.nearness[chosen]).to(device)
                yield network, pairs, (nearness, self.item_of_leaf[leaves[pairs]], later[pairs])

    def _masses(
        self, features: HistoryFeatures, keys: Sequence[Tensor], parents: Sequence[Tensor]
    ) -> list[Tensor] | None:
        """Log-mass of the weighed items under each pair, level by level."""
        if self.again is None:
            return None
        masses = [self._item_masses(features)]
        for level in range(len(keys) - 1, 0, -1):
            masses.append(
                masses[-1].new_zeros(len(keys[level - 1])).index_add(0, parents[level], masses[-1])
            )
        return [found.log() for found in masses[::-1]]

    def _item_masses(self, features: HistoryFeatures) -> Tensor:
        """The mass of the item of each pair at the last depth."""
        mass = self.history.new_full((len(features.keys[-1]),), LEAST)
        for network, pairs, inputs in self._weighed(features):
            weights = network(*inputs)
            if network is self.cold and self.lending > 0:
                lent = self._lent(features, mass, weights)
                weights = weights + self.lending * (lent - weights)
            mass = mass.index_add(0, pairs, weights.exp())
        return mass

    def _lent(self, features: HistoryFeatures, mass: Tensor, weights: Tensor) -> Tensor:
        """The log of what the items weigh that each cold one is like, on average.

        :param mass: of each pair of the last depth that is known.
        :param weights: stay, where an item is like none.
        """
        lenders, device = features.lenders, mass.device
        cell, leaf = (torch.from_numpy(at).to(device) for at in (lenders.cell, lenders.leaf))
        known = torch.cat([mass, mass.new_zeros(1)])[cell] + self.item_shares[leaf]
        share, pair = (torch.from_numpy(at).to(device) for at in (lenders.share, lenders.pair))
        total = torch.zeros_like(weights).index_add(0, pair, share * known)
        return torch.where(total > 0, total.clamp_min(LEAST).log(), weights)
