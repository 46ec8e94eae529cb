"""What items that nobody has chosen may cost the others."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import groceries, item_counts, random_histories, roughen

from p5rec.decoding.alike_words import ItemWords
from p5rec.decoding.cold_items import pretend_cold
from p5rec.decoding.companions import fit_companions
from p5rec.decoding.history_index import Forgetting
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.decoding.trie import Trie
from p5rec.training.newcomers import WEIGHTS, weigh_newcomers

N_ITEMS, LENGTH = 12, 10


class World:
    """A prior over the groceries with some of them taken for new, and users to look at."""

    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.histories = random_histories(rng, users=8, n_items=N_ITEMS)
        fitted = fit_companions(self.histories, N_ITEMS, width=6, parts=3, seed=seed)
        nearest = ItemWords(groceries()).nearest(np.arange(N_ITEMS))
        self.fitted = pretend_cold(fitted, nearest, np.zeros(N_ITEMS, dtype=bool), seed=seed)
        trie = Trie.from_codes(rng.permutation(N_ITEMS)[:, None])
        counts = item_counts(np.bincount(self.histories.items, minlength=N_ITEMS))
        forgetting = Forgetting(events=(1.0,), days=())
        self.prior = HistoryPrior(trie, forgetting, counts, companions=self.fitted.everyone)
        for network in (self.prior.near, self.prior.cold, self.prior.again):
            roughen(network, rng)
        self.index = self.prior.index(self.histories, self.fitted)

    def weigh(self, cost):
        """What was added to the weights of new items."""
        bias = self.prior.cold.layers[-1].bias
        before = bias.item()
        weigh_newcomers(self.prior, self.index, self.histories, self.fitted, cost=cost, seed=0)
        return bias.item() - before

    @torch.no_grad()
    def lost(self, more):
        """The share of expected hits that the others lose with ``more`` added to new items."""
        prior, before, after = self.prior, 0.0, 0.0
        for user, length in enumerate(self.histories.lengths.tolist()):
            features = self.index.features(np.array([user]), np.array([length]))
            masses = prior.item_masses(features)[0, prior.leaf_of_item].tolist()
            shares = prior.item_shares[prior.leaf_of_item].tolist()
            new = self.fitted.without[self.fitted.part[user]].lent.tolist()
            known = [m + s for m, s, cold in zip(masses, shares, new, strict=True) if not cold]
            own = self.histories.items[self.histories.slice(user)].tolist()
            rivals = [
                masses[item] * np.exp(more) for item in np.flatnonzero(new) if item not in own
            ]
            hits = sorted(known)[::-1][:LENGTH]
            left = sorted([*((one, True) for one in known), *((one, False) for one in rivals)])
            kept = [one for one, is_known in left[::-1][:LENGTH] if is_known]
            before += sum(hits) / sum(known)
            after += sum(kept) / sum(known)
        return 1 - after / before


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.02, 0.4, 1.0]))
def test_new_items_weigh_as_much_as_their_cost_allows(seed, cost):
    world = World(seed)
    allowed = cost * np.mean([part.lent for part in world.fitted.without])
    added = world.weigh(cost)
    step = WEIGHTS[1] - WEIGHTS[0]
    assert world.lost(-step / 2) <= allowed or added == pytest.approx(WEIGHTS[0])
    assert world.lost(1.5 * step) > allowed or added == pytest.approx(WEIGHTS[-1])


def test_what_may_cost_more_weighs_more():
    added = [World(3).weigh(cost) for cost in (0.0, 0.1, 0.4, 5.0)]
    assert added == sorted(added)
    assert added[0] < added[-1] == pytest.approx(WEIGHTS[-1])


def test_where_nothing_was_taken_for_new_nothing_is_weighed():
    world = World(0)
    none = fit_companions(world.histories, N_ITEMS, width=6, parts=3)
    world.fitted = none
    world.index = world.prior.index(world.histories, none)
    assert world.weigh(0.0) == 0
