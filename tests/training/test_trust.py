"""How much the network counts beside a history prior that has learnt by itself."""

import numpy as np
import pytest
import torch
from shop import SMALL_RECIPE, write_shop
from tiny_worlds import random_histories, semantic_ids, tiny_scorer

from p5rec import Recommender
from p5rec.model.recipe import Recipe
from p5rec.training.validation import TRUSTS, choose_trust


def test_a_state_counts_as_much_as_it_is_trusted():
    """Twice the trust is twice the state; none leaves the prior alone."""
    rng = np.random.default_rng(0)
    ids = semantic_ids([[0, 0], [0, 1], [1, 0], [1, 2], [1, 3]])
    scorer = tiny_scorer("gpt2", ids, rng, prior=True)
    prior = scorer.prior
    histories = random_histories(rng, users=2, n_items=len(ids))
    contexts = prior.contexts(prior.index(histories).features(np.arange(2), histories.lengths))
    items = torch.arange(len(ids))
    hidden = torch.randn(len(ids), 2, scorer.backbone.table.weight.shape[1])

    def scores(states, trust):
        prior.trust = None if trust is None else torch.nn.Parameter(torch.full((2,), trust))
        with torch.no_grad():
            return scorer.path_log_probs(
                states, items, context=torch.zeros(len(ids), dtype=torch.int64), contexts=contexts
            )

    assert torch.allclose(scores(hidden, 0.5), scores(0.5 * hidden, None), atol=1e-5)
    assert torch.allclose(scores(hidden, 0.0), scores(torch.zeros_like(hidden), None), atol=1e-6)
    assert not torch.allclose(scores(hidden, 1.0), scores(hidden, 0.0), atol=1e-2)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A recommender whose prior has learnt by itself, fitted on a shop on disk."""
    folder = tmp_path_factory.mktemp("shop")
    write_shop(folder)
    text = SMALL_RECIPE.format(family="gpt2", sequence="prefix")
    text = text.replace("tasks = { next_item = 0.5,", "tasks = { next_item = 0.5, prior = 0.3,")
    recipe = Recipe.from_toml(f"{text}\n[prior]\ntrust = 0.6\ncompanions = 4\n", "apart")
    made = Recommender.from_base("apart", recipe=recipe)
    return made.fit(folder / "events.csv", folder / "items.csv", hold_out="last-basket")


def test_trust_is_chosen_on_validation_and_kept(fitted, tmp_path):
    prior = fitted.model.scorer.prior
    chosen = prior.trust.detach()
    assert float(chosen[0]) in TRUSTS
    assert (chosen == chosen[0]).all()
    fitted.save_pretrained(tmp_path / "bundle")
    loaded = Recommender.from_pretrained(tmp_path / "bundle")
    assert torch.equal(loaded.model.scorer.prior.trust, prior.trust.cpu())
    loaded.to(fitted.model.scorer.backbone.device)
    history = ["oats", "milk"]
    assert loaded.recommend(history, k=5) == fitted.recommend(history, k=5)


@pytest.mark.parametrize("best", [0.0, 0.25, 1.0])
def test_the_trust_that_validates_best_is_taken(fitted, best):
    prior = fitted.model.scorer.prior
    before = prior.trust.detach().clone()
    choose_trust(fitted.model, lambda: -abs(float(prior.trust.detach()[0]) - best))
    assert prior.trust.tolist() == [best] * len(before)
    with torch.no_grad():
        prior.trust.copy_(before)


def test_the_prior_alone_has_learnt_who_buys_what(fitted):
    """Breakfast people and bread people, told by their baskets alone."""
    prior = fitted.model.scorer.prior
    before = prior.trust.detach().clone()
    with torch.no_grad():
        prior.trust.fill_(0.0)
        found = {one.item_id for one in fitted.recommend(["chips", "nuts", "rolls"], k=4)}
        prior.trust.copy_(before)
    assert found <= {"yoghurt", "butter", "rye-bread", "rolls", "chips", "nuts"}
