"""What stands in the place of companions where nobody has chosen an item yet."""

import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from test_changing_catalogue import NEW
from tiny_worlds import (
    assembled,
    groceries,
    histories_of,
    item_counts,
    random_histories,
    roughen,
    tiny_recipe,
)

from p5rec.data.catalogue import Catalogue
from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.alike_words import ItemWords
from p5rec.decoding.cold_items import lend, pretend_cold
from p5rec.decoding.companions import KINDS, Companions, fit_companions
from p5rec.decoding.growing import grow
from p5rec.decoding.history_index import Forgetting
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.decoding.item_weights import ItemWeights
from p5rec.decoding.nearness import LENT, NEARNESS
from p5rec.decoding.storage import load_model, save_model
from p5rec.decoding.trie import Trie
from p5rec.errors import BundleError


def table_of(companions):
    """{(first, second): {kind: value}}"""
    first = np.repeat(np.arange(len(companions.lent)), np.diff(companions.offsets))
    rows = zip(first.tolist(), companions.items.tolist(), companions.values, strict=True)
    return {
        (one, other): dict(zip(KINDS, values.tolist(), strict=True)) for one, other, values in rows
    }


def made_of(n_items, pairs):
    """Companions from ``{(first, second): value of every co-occurrence kind}``."""
    keys = sorted(pairs)
    first = np.array([one for one, _ in keys])
    values = np.array([[*[pairs[key]] * (len(KINDS) - 1), 0] for key in keys], dtype=np.float32)
    return Companions(
        np.searchsorted(first, np.arange(n_items + 1)),
        np.array([other for _, other in keys], dtype=np.int32),
        values,
        np.zeros(n_items, dtype=bool),
        csr_matrix((n_items, n_items), dtype=np.float32),
    )


def test_a_cold_item_has_the_mean_of_what_the_items_like_it_have():
    companions = made_of(5, {(0, 1): 0.4, (0, 2): 0.2, (3, 1): 0.1, (0, 4): 0.9, (1, 0): 0.3})
    alike = np.zeros((5, 5))
    alike[4, [1, 2]] = 0.6, 0.2
    found = lend(companions, csr_matrix(alike), np.arange(5) == 4)
    pairs = table_of(found)
    assert pairs[0, 4]["next"] == pytest.approx(0.75 * 0.4 + 0.25 * 0.2)
    assert pairs[3, 4]["alike users"] == pytest.approx(0.75 * 0.1)
    # It is near the items that it is like, and leads to what they lead to.
    assert pairs[1, 4]["alike words"] == pytest.approx(0.6)
    assert pairs[4, 0]["near"] == pytest.approx(0.75 * 0.3)
    assert pairs[4, 1]["alike words"] == pytest.approx(0.6)
    assert pairs[0, 1] == table_of(companions)[0, 1]
    assert found.lent.tolist() == [False] * 4 + [True]


def test_where_everything_is_cold_words_alone_count():
    alike = np.array([[0, 0.5, 0], [0.5, 0, 0.1], [0, 0.1, 0]])
    pairs = table_of(lend(Companions.none(3), csr_matrix(alike), np.ones(3, dtype=bool)))
    assert {pair: found["alike words"] for pair, found in pairs.items()} == {
        (one, other): pytest.approx(alike[one, other])
        for one, other in np.argwhere(alike > 0).tolist()
    }
    assert not any(found["next"] for found in pairs.values())


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_in_training_some_items_are_taken_for_cold_and_their_own_companions_hidden(seed):
    rng = np.random.default_rng(seed)
    histories = random_histories(rng, users=8, n_items=12)
    fitted = fit_companions(histories, 12, width=4, parts=3)
    never = ~np.isin(np.arange(12), histories.items)
    nearest = ItemWords(groceries()).nearest(np.arange(12))
    found = pretend_cold(fitted, nearest, never, seed=0)
    assert found.everyone.lent.tolist() == never.tolist()
    pretended = np.stack([part.lent & ~never for part in found.without])
    assert (pretended.sum(axis=0) <= 1).all()
    for own, before in zip(found.without, fitted.without, strict=True):
        known = {pair: at for pair, at in table_of(before).items() if not own.lent[pair[1]]}
        after = {pair: at for pair, at in table_of(own).items() if not own.lent[pair[1]]}
        assert known.items() <= after.items()
        assert all(
            before.offsets[pair[0]] == before.offsets[pair[0] + 1]
            for pair in after.keys() - known.keys()
        )


def test_a_cold_item_weighs_what_its_features_say_whatever_is_counted_of_it():
    rng = np.random.default_rng(0)
    counts = item_counts(np.array([0, 50, 5]))
    seen = torch.zeros(3, 2), torch.arange(3), torch.zeros(3, 3)
    for known, alike in ((counts, False), (None, True)):
        network = ItemWeights(known, features=2, width=4)
        roughen(network, rng)
        network.standardise(*seen)
        weights = network(*seen)
        assert (weights[0] == weights[1]).item() is alike


def test_nearness_tells_what_is_lent():
    companions = made_of(4, {(0, 1): 0.4, (0, 2): 0.2})
    alike = np.zeros((4, 4))
    alike[3, 0] = 0.7
    lent = lend(companions, csr_matrix(alike), np.arange(4) == 3)
    trie = Trie.from_codes(np.arange(4)[:, None])
    prior = HistoryPrior(
        trie,
        Forgetting(events=(1.0,), days=()),
        item_counts(np.ones(4, dtype=int)),
        companions=lent,
    )
    features = prior.index(histories_of([[0]])).features(np.array([0]), np.array([1]))
    items = trie.item_of_leaf[features.keys[-1][features.near]]
    assert dict(zip(items.tolist(), features.nearness[:, LENT].tolist(), strict=True)) == {
        1: 0,
        2: 0,
        3: 1,
    }
    near = features.nearness[items.tolist().index(3)]
    assert near[NEARNESS.index("alike words/inf")] == pytest.approx(math.log(0.7), abs=1e-3)


@pytest.fixture(scope="module")
def shop():
    """A model with companions, some of them items that nobody chose."""
    catalogue = groceries()
    histories = histories_of([[0, 3, 6], [1, 4, 7], [0, 4, 6], [1, 3, 7]])
    fitted = fit_companions(histories, 12, width=4)
    world = assembled(tiny_recipe("gpt2"), catalogue, histories)
    prior = world.scorer.prior
    made = HistoryPrior(
        world.scorer.trie,
        prior.forgetting,
        ItemCounts.of(histories, 12),
        companions=fitted.everyone,
    )
    roughen(made.near, np.random.default_rng(1))
    world.scorer.prior = made
    world.recipe = world.recipe.model_copy(
        update={"prior": world.recipe.prior.model_copy(update={"companions": 4})}
    )
    world.scorer.eval()
    return world


@torch.no_grad()
def test_cold_companions_are_weighed_by_a_network_of_their_own(shop):
    prior = grow(shop, Catalogue.from_table(NEW)).scorer.prior
    features = prior.index(histories_of([[3, 4]])).features(np.array([0]), np.array([2]))
    before = prior.item_probs(features)[0, prior.leaf_of_item]
    roughen(prior.cold, np.random.default_rng(2))
    moved = prior.item_probs(features)[0, prior.leaf_of_item] / before
    assert moved[:12].tolist() == pytest.approx([moved[0].item()] * 12, rel=1e-4)
    assert moved[12].item() != pytest.approx(moved[0].item(), rel=1e-2)


@torch.no_grad()
def test_of_cold_and_of_own_items_the_prior_alone_tells_whatever_the_network_says(shop):
    prior = grow(shop, Catalogue.from_table(NEW)).scorer.prior
    features = prior.index(histories_of([[3, 4]])).features(np.array([0]), np.array([2]))
    alone = prior.item_probs(features)
    says = torch.softmax(torch.arange(15.0), 0)[None]
    both = prior.mixed_with(says, features)
    assert both.sum().item() == pytest.approx(1, abs=1e-5)
    told = prior.lent.clone()
    told[prior.leaf_of_item[[3, 4]]] = True
    assert both[0, told].tolist() == pytest.approx(alone[0, told].tolist())
    assert not torch.allclose(both[0, ~told], alone[0, ~told], atol=1e-3)


def test_new_items_are_lent_companions_and_keep_them_when_saved(shop, tmp_path):
    grown = grow(shop, Catalogue.from_table(NEW))
    companions = grown.scorer.prior.companions
    assert companions.lent.tolist() == [False] * 12 + [True] * 3
    pairs = table_of(companions)
    # Almond milk is like the milks, which bread buyers had before.
    assert pairs[3, 12]["near"] > 0
    assert pairs[1, 12]["alike words"] > 0
    assert pairs[3, 12]["near"] > pairs[3, 14]["near"]
    save_model(grown, tmp_path / "bundle", {})
    again, _ = load_model(tmp_path / "bundle")
    assert table_of(again.scorer.prior.companions) == pairs
    histories = histories_of([[1, 3]])
    one, other = (made.ranker().search(histories, k=15) for made in (grown, again))
    assert one.items.tolist() == other.items.tolist()
    twice = grow(again, Catalogue.from_table(pa.table({"item_id": ["n9"], "title": ["oat milk"]})))
    assert twice.scorer.prior.companions.lent.tolist() == [False] * 12 + [True] * 4


@torch.no_grad()
def test_a_cold_item_goes_by_the_items_that_it_is_like(shop):
    """Wholly, it weighs what those do, in shares of how alike they are."""
    prior = grow(shop, Catalogue.from_table(NEW)).scorer.prior
    histories, users, ends = histories_of([[3, 4], [1, 7]]), np.arange(2), np.array([2, 2])
    lenders = torch.from_numpy(prior.companions.lenders.toarray())
    assert lenders.sum(1).tolist() == pytest.approx([0] * 12 + [1] * 3)
    found = {}
    for lending in (0.0, 0.5, 1.0):
        prior.lending.fill_(lending)
        features = prior.index(histories).features(users, ends)
        found[lending] = prior.item_masses(features)[:, prior.leaf_of_item]
    known = found[0.0][:, :12] + prior.item_shares[prior.leaf_of_item[:12]]
    near = found[0.0][:, 12:] > 1e-9
    assert near.sum() >= 3
    expected = known @ lenders[12:, :12].T
    assert found[1.0][:, 12:][near].tolist() == pytest.approx(expected[near].tolist(), rel=1e-4)
    both = (found[0.0] * found[1.0]).sqrt()
    assert found[0.5][:, 12:][near].tolist() == pytest.approx(both[:, 12:][near].tolist(), rel=1e-4)
    assert torch.equal(found[1.0][:, :12], found[0.0][:, :12])


@torch.no_grad()
def test_an_item_that_is_like_none_goes_by_nobody():
    alike = csr_matrix(np.array([[0, 0.5, 0], [0.5, 0, 0.1], [0, 0.1, 0]]))
    companions = lend(Companions.none(3), alike, np.ones(3, dtype=bool))
    trie = Trie.from_codes(np.arange(3)[:, None])
    counts = item_counts(np.zeros(3, dtype=int))
    prior = HistoryPrior(trie, Forgetting((1.0,), ()), counts, companions=companions)
    masses = []
    for lending in (0.0, 0.25):
        prior.lending.fill_(lending)
        features = prior.index(histories_of([[0]])).features(np.array([0]), np.array([1]))
        masses.append(prior.item_masses(features))
    assert torch.equal(*masses)


def test_a_bundle_that_tells_less_of_companions_is_refused_by_name(shop, tmp_path, monkeypatch):
    whole = Companions.to_arrays
    monkeypatch.setattr(
        Companions,
        "to_arrays",
        lambda self: {name: value for name, value in whole(self).items() if name != "lent"},
    )
    save_model(shop, tmp_path / "bundle", {})
    with pytest.raises(BundleError, match=r"earlier version: it lacks 'lent'\. Fit again"):
        load_model(tmp_path / "bundle")
