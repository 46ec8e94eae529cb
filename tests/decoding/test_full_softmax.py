"""One softmax over the catalogue, and walks that follow it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shop import SMALL_RECIPE, write_shop
from test_beam_search import brute_force, check, random_prompts
from tiny_worlds import FAMILIES, catalogues, groceries, random_histories, tiny_scorer

from p5rec import Recommender
from p5rec.decoding.beam import beam_search
from p5rec.decoding.companions import KINDS
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.full_softmax import ItemProbabilities
from p5rec.errors import DecodingError, RecipeError, TrainingError
from p5rec.model.recipe import Recipe
from p5rec.training import fitting
from p5rec.training.batch import WalkBatch
from p5rec.training.objective import Objective

TEXT = SMALL_RECIPE.replace("next_item = 0.5", "next_item = 0.5, prior = 0.3") + (
    '\n[prior]\ntrust = 0.5\ncompanions = 4\n\n[scoring]\nsoftmax = "full"\n'
)


@settings(max_examples=30, deadline=None)
@given(catalogues(max_items=40), st.sampled_from(FAMILIES), st.integers(0, 2**32 - 1))
def test_walks_find_what_scoring_every_item_finds(ids, family, seed):
    """Probabilities add up to 1 over the catalogue, and the best items come out in order."""
    rng = np.random.default_rng(seed)
    scorer = tiny_scorer(family, ids, rng, full=True)
    prompts = random_prompts(rng, 2)
    scores = brute_force(scorer, prompts, None)
    assert np.exp(scores).sum(1) == pytest.approx(1, abs=1e-4)
    k = int(rng.integers(1, len(ids) + 3))
    denied = [rng.permutation(len(ids))[: rng.integers(len(ids))] for _ in range(2)]
    found = beam_search(
        scorer,
        prompts,
        k=k,
        beams=max(scorer.trie.widths) * len(ids),
        excluded=Excluded(scorer.trie, denied),
    )
    for prompt in range(2):
        eligible = np.ones(len(ids), dtype=bool)
        eligible[denied[prompt]] = False
        check(
            (found.items[prompt], found.scores[prompt]),
            scores[prompt],
            eligible,
            scorer.trie,
            k=k,
            tolerance=1e-4,
            exact=True,
        )


@settings(max_examples=30, deadline=None)
@given(catalogues(max_items=30), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.integers(0, 2**32 - 1))
@torch.inference_mode()
def test_network_and_prior_share_the_say(ids, trust, seed):
    """The network tells of items that are new to the user, the prior of all and alone of own."""
    rng = np.random.default_rng(seed)
    scorer = tiny_scorer("gpt2", ids, rng, prior=True, full=True)
    scorer.prior.trust = torch.nn.Parameter(torch.full((scorer.trie.depth,), trust))
    histories = random_histories(rng, users=3, n_items=len(ids))
    features = scorer.prior.index(histories).features(np.arange(3), histories.lengths)
    hidden = torch.from_numpy(rng.normal(size=(3, 8))).float()
    found = scorer.foresee(hidden, features).leaves[:, scorer.trie.leaf_of_item].numpy()
    network = scorer.item_log_probs(hidden).exp()[:, scorer.trie.leaf_of_item].numpy()
    every = torch.arange(len(ids))
    for user in range(3):
        own = np.unique(np.asarray(histories.items)[histories.slice(user)])
        new = np.delete(np.arange(len(ids)), own)
        context = torch.full((len(ids),), user)
        expected = scorer.prior.log_probs(features, context, every).exp().numpy()
        rest = 1 - expected[own].sum()
        expected[new] *= 1 - trust
        expected[new] += trust * rest * network[user, new] / network[user, new].sum()
        assert found[user] == pytest.approx(expected, abs=1e-5)


@settings(max_examples=30, deadline=None)
@given(catalogues(max_items=40), st.integers(0, 2**32 - 1))
def test_a_node_is_as_likely_as_the_items_under_it(ids, seed):
    rng = np.random.default_rng(seed)
    trie = tiny_scorer("gpt2", ids, rng).trie
    probs = torch.from_numpy(rng.dirichlet(np.full(len(ids), 0.3), size=2)).float()
    starts = [torch.from_numpy(start) for start in trie.leaf_start]
    known = ItemProbabilities(probs, starts)
    for depth in range(1, trie.depth + 1):
        context = torch.tensor([0, 1])
        found = known.bias(
            level=depth - 1,
            context=context,
            first=torch.zeros(2, dtype=torch.int32),
            width=torch.full((2,), trie.n_nodes(depth), dtype=torch.int32),
        )
        under = [
            probs[:, start:end].sum(1)
            for start, end in zip(starts[depth][:-1], starts[depth][1:], strict=True)
        ]
        assert found.exp().numpy() == pytest.approx(torch.stack(under, 1).numpy(), abs=1e-5)


def test_learning_is_cross_entropy_over_all_items():
    rng = np.random.default_rng(0)
    ids = fitting.fit_semantic_ids(groceries(), Recipe.load("gpt2-mini").ids.scheme())
    scorer = tiny_scorer("gpt2", ids, rng, full=True)
    batch = WalkBatch.one_each([np.array([[3], [4]]), np.array([[5]])], [7, 2])
    loss = Objective(scorer)(batch)
    with torch.no_grad():
        each = scorer.score(batch.prompts, batch.rows, batch.items)
    assert float(loss.detach()) == pytest.approx(-float(each.mean()), abs=1e-5)
    loss.backward()
    table = scorer.backbone.table.weight
    tokens = scorer.path_tokens(torch.arange(len(ids))).unique()
    assert (table.grad[tokens].abs().sum(1) > 0).all(), "an item's rows learn from not being it"


def test_weights_that_are_damaged_are_reported():
    rng = np.random.default_rng(0)
    ids = fitting.fit_semantic_ids(groceries(), Recipe.load("gpt2-mini").ids.scheme())
    scorer = tiny_scorer("gpt2", ids, rng, full=True)
    with torch.no_grad():
        scorer.backbone.table.weight[int(scorer.leaf_tokens[0, 0])] = torch.nan
    with pytest.raises(DecodingError, match="not finite"):
        beam_search(scorer, random_prompts(rng, 1), k=2, beams=4)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A recommender with a full softmax, fitted on a shop on disk."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    recipe = Recipe.from_toml(TEXT.format(family="bert", sequence="prefix"), "full")
    made = Recommender.from_base("full", recipe=recipe)
    return made.fit(folder / "events.csv", folder / "items.csv", hold_out="last-basket")


def test_a_recommender_with_a_full_softmax_is_whole(fitted, tmp_path):
    """Recommends, excludes, scores, asks, explains, and is the same when loaded again."""
    history = ["oats", "milk", "granola"]
    found = fitted.recommend(history, k=5)
    assert len(found) == 5
    first = found[0].item_id
    assert fitted.recommend(history, k=1, deny=[first])[0].item_id == found[1].item_id
    assert fitted.ask("rolls", k=3)[0].item_id
    assert fitted.explain(history, first).text
    fitted.save_pretrained(tmp_path / "bundle")
    assert Recommender.from_pretrained(tmp_path / "bundle").recommend(history, k=5) == found


def test_companions_of_a_fit_know_what_reads_alike(fitted):
    companions = fitted.model.scorer.prior.companions
    assert not companions.lent.any(), "everything in the shop was chosen"
    assert (companions.values[:, KINDS.index("alike words")] > 0).any()


def test_what_is_ranked_first_scores_best(fitted):
    ranker = fitted.model.ranker()
    rng = np.random.default_rng(1)
    n_items = len(fitted.catalogue)
    histories = random_histories(rng, users=4, n_items=n_items)
    found = ranker.search(histories, k=n_items, beams=n_items)
    for user in range(4):
        part = histories.take(np.full(n_items, user))
        scores = ranker.score(part, found.items[user])
        assert scores == pytest.approx(found.scores[user], abs=1e-4)
        assert np.exp(scores).sum() == pytest.approx(1, abs=1e-4)


def test_a_prior_that_learns_with_the_network_is_refused():
    text = TEXT.format(family="gpt2", sequence="prefix").replace("prior = 0.3, ", "")
    with pytest.raises(RecipeError, match="learns by itself"):
        Recipe.from_toml(text, "joint")


def test_more_items_than_can_be_scored_are_refused(monkeypatch, tmp_path):
    monkeypatch.setattr(fitting, "MOST_SCORED", 3)
    write_shop(tmp_path)
    recipe = Recipe.from_toml(TEXT.format(family="gpt2", sequence="prefix"), "full")
    with pytest.raises(TrainingError, match=r"12 items.*at most 3.*'tree'"):
        Recommender.from_base("full", recipe=recipe).fit(
            tmp_path / "events.csv", tmp_path / "items.csv"
        )
