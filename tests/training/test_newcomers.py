"""What items that nobody has chosen may cost the others."""

import numpy as np
import pytest
import torch
from shop import write_shop, write_small_recipe
from tiny_worlds import assembled, groceries, item_counts, random_histories, roughen, tiny_recipe

from p5rec import Recommender
from p5rec.decoding.alike_words import ItemWords
from p5rec.decoding.cold_items import lend
from p5rec.decoding.companions import fit_companions
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.training import newcomers
from p5rec.training.newcomers import WEIGHTS, weigh_newcomers

N_ITEMS = 12
STEP = WEIGHTS[1] - WEIGHTS[0]


@pytest.fixture(autouse=True)
def many_new_ones(monkeypatch):
    """Of twelve items, three are taken for new, and lists hold four."""
    monkeypatch.setattr(newcomers, "SHARE", 0.25)
    monkeypatch.setattr(newcomers, "LIST", 4)


class World:
    """A model of the groceries whose prior knows companions, and people to look at."""

    def __init__(self, seed, cost):
        rng = np.random.default_rng(seed)
        self.histories = random_histories(rng, users=20, n_items=N_ITEMS)
        recipe = tiny_recipe("gpt2")
        prior = recipe.prior.model_copy(update={"companions": 6, "newcomers": cost})
        recipe = recipe.model_copy(update={"prior": prior})
        self.model = assembled(recipe, groceries(), self.histories)
        scorer = self.model.scorer
        fitted = fit_companions(self.histories, N_ITEMS, width=6)
        counts = item_counts(np.bincount(self.histories.items, minlength=N_ITEMS))
        forgetting = scorer.prior.forgetting
        scorer.prior = HistoryPrior(scorer.trie, forgetting, counts, companions=fitted.everyone)
        for network in (scorer.prior.near, scorer.prior.cold):
            roughen(network, rng)
        scorer.eval()

    @property
    def bias(self):
        return self.model.scorer.prior.cold.layers[-1].bias

    def weigh(self):
        """What was added to the logarithms of what new items weigh."""
        before = self.bias.item()
        weigh_newcomers(self.model, self.histories)
        return (self.bias.item() - before) * (1 - newcomers.LENDING)

    @torch.no_grad()
    def lost(self, more):
        """What new items cost with so much ``more``, list by list."""
        new = np.random.default_rng(0).permutation(N_ITEMS)[:3]
        ranker = self.model.ranker()
        excluded = [new] * len(self.histories)
        listed = np.exp(ranker.search(self.histories, k=4, excluded=excluded).scores)
        prior = self.model.scorer.prior
        rivals = newcomers._as_new(prior, self.model, self.histories, new) * np.exp(more)
        kept = 0.0
        for own, others in zip(listed.tolist(), rivals.tolist(), strict=True):
            both = sorted([*((p, True) for p in own), *((p, False) for p in others)])[::-1][:4]
            kept += sum(p for p, known in both if known)
        return 1 - kept / listed.sum()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("cost", [0.02, 0.33, 1.0])
def test_new_items_weigh_as_much_as_their_cost_allows(seed, cost):
    world = World(seed, cost)
    added = world.weigh()
    allowed = cost * newcomers.SHARE
    assert world.lost(-STEP / 2) <= allowed or added == pytest.approx(WEIGHTS[0])
    assert world.lost(1.5 * STEP) > allowed or added == pytest.approx(WEIGHTS[-1])


def test_what_may_cost_more_weighs_more():
    added = [World(3, cost).weigh() for cost in (0.0, 0.1, 0.4, 5.0)]
    assert added == sorted(added)
    assert added[0] < added[-1] == pytest.approx(WEIGHTS[-1])


@torch.no_grad()
def test_items_taken_for_new_are_as_likely_as_new_ones():
    world = World(1, 0.33)
    world.model.scorer.prior.lending.fill_(newcomers.LENDING)
    prior, new = world.model.scorer.prior, np.array([2, 7])
    found = newcomers._as_new(prior, world.model, world.histories, new)
    cold = np.isin(np.arange(N_ITEMS), new)
    alike = ItemWords(groceries()).nearest(new)
    prior.companions = lend(prior.companions, alike, cold)
    leaves = prior.leaf_of_item[new]
    checked = 0
    for user, length in enumerate(world.histories.lengths.tolist()):
        if np.isin(new, world.histories.items[world.histories.slice(user)]).any():
            continue
        features = prior.index(world.histories).features(np.array([user]), np.array([length]))
        masses = prior.item_masses(features)[0]
        others = masses.sum() - masses[leaves].sum() + prior.item_shares.sum()
        likely = masses[leaves] / others
        assert found[user].tolist() == pytest.approx(sorted(likely.tolist())[::-1], abs=1e-6)
        checked += 1
    assert checked >= 3


def test_a_fit_settles_what_new_items_weigh(tmp_path):
    write_shop(tmp_path)
    recipe = write_small_recipe(tmp_path / "small.toml", "gpt2")
    recipe.write_text(recipe.read_text() + "\n[prior]\ncompanions = 5\n", encoding="utf-8")
    fitted = Recommender.from_base(recipe).fit(tmp_path / "events.csv", tmp_path / "items.csv")
    assert fitted.model.scorer.prior.lending == newcomers.LENDING


def test_without_companions_nothing_is_weighed():
    world = World(0, 0.33)
    world.model.scorer.prior = None
    weigh_newcomers(world.model, world.histories)
