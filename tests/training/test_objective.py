"""The loss of text and of walks."""

import numpy as np
import pytest
import torch
from tiny_worlds import FAMILIES, grocery_world, histories_of
from training_runs import next_items

from p5rec.evaluation.metrics import ideal_gain
from p5rec.model.recipe import Prompting
from p5rec.prompting.segments import ItemRef, Literal
from p5rec.training.batch import TextBatch, WalkBatch
from p5rec.training.language_examples import (
    ExplanationExamples,
    ItemTextExamples,
    Words,
)
from p5rec.training.objective import Objective
from p5rec.training.prior_examples import PriorExamples
from p5rec.training.request_examples import RequestExamples
from p5rec.training.sessions import Sessions


@pytest.fixture(scope="module", params=FAMILIES)
def world(request):
    made = grocery_world(request.param)
    made.model.scorer.eval()
    return made


def text_logits(world, prompt, tokens):
    """Hugging Face's own logits over text tokens before each token."""
    backbone = world.model.scorer.backbone
    prompts = torch.from_numpy(prompt[:, 0])[None]
    tokens = torch.tensor(tokens)[None]
    with torch.no_grad():
        if backbone.one_pass:
            logits = backbone.model(torch.cat([prompts, tokens], 1)).logits
            logits = logits[0, prompts.shape[1] - 1 : -1]
        else:
            start = torch.zeros(1, 1, dtype=torch.int64)
            decoded = torch.cat([start, tokens[:, :-1]], 1)
            logits = backbone.model(input_ids=prompts, decoder_input_ids=decoded).logits[0]
    return logits[:, : backbone.table.base_size]


def test_the_loss_of_text_is_cross_entropy_over_text_tokens(world):
    encoder = world.model.encoder
    prompts = [encoder.encode((Literal(text),)) for text in ("goat milk", "what is fig jam called")]
    texts = [[*encoder.tokenizer.encode_untrusted(text), 0] for text in ("green tea", "jam")]
    expected = torch.cat(
        [
            torch.nn.functional.cross_entropy(
                text_logits(world, prompt, text), torch.tensor(text), reduction="none"
            )
            for prompt, text in zip(prompts, texts, strict=True)
        ]
    ).mean()
    with torch.no_grad():
        found = Objective(world.model.scorer)(TextBatch.from_texts(prompts, texts))
    assert float(found) == pytest.approx(float(expected), abs=1e-5)


def test_the_loss_of_walks_is_the_mean_of_scores(world):
    encoder, scorer = world.model.encoder, world.model.scorer
    prompts = [encoder.encode((Literal("tea"), ItemRef(3))), encoder.encode((ItemRef(1),))]
    batch = WalkBatch.one_each(prompts, [4, 9])
    with torch.no_grad():
        found = Objective(scorer)(batch)
        scores = scorer.score(batch.prompts, torch.arange(2), torch.tensor([4, 9]))
    assert float(found) == pytest.approx(-float(scores.mean()), abs=1e-5)


def test_where_the_prior_learns_by_itself_neither_it_nor_the_network_sees_the_other():
    world = grocery_world("gpt2")
    scorer, histories = world.model.scorer, world.histories
    index = scorer.prior.index(histories)
    sessions = Sessions(histories)
    rng = np.random.default_rng(0)
    examples = {
        "prior.": PriorExamples(sessions, index, targets=4).plan(rng),
        "backbone.": next_items(world, apart=True).plan(rng),
    }
    for part, plan in examples.items():
        objective = Objective(scorer)
        loss = objective(plan.make(np.arange(3), rng))
        loss.backward()
        moved = {
            name.removeprefix("scorer.")
            for name, weight in objective.named_parameters()
            if weight.grad is not None and weight.grad.abs().sum() > 0
        }
        assert moved
        assert all(name.startswith(part) for name in moved), moved
        objective.zero_grad(set_to_none=True)


def test_the_loss_of_the_prior_counts_targets_as_ndcg_counts_hits():
    world = grocery_world("gpt2")
    scorer = world.model.scorer
    histories = histories_of([[0, 1, 2, 3, 4], [5, 6]], sessions=[[0, 0, 1, 1, 1], [0, 1]])
    index = scorer.prior.index(histories)
    plan = PriorExamples(Sessions(histories), index, targets=16).plan(np.random.default_rng(0))
    batch = plan.make(np.arange(len(plan.lengths)), np.random.default_rng(0))
    with torch.no_grad():
        log_probs = scorer.prior.log_probs(batch.features, batch.context, batch.items).numpy()
        found = float(Objective(scorer)(batch))
    size = np.bincount(batch.context.numpy())[batch.context.numpy()]
    assert sorted(size.tolist()) == [1, 1, 2, 2, 3, 3, 3]
    expected = np.average(log_probs, weights=1 / ideal_gain(size, k=10))
    assert found == pytest.approx(-float(expected), abs=1e-5)


def test_children_and_states_get_the_gradients_of_their_products(world):
    """Of what walks by the scores of children, torch's own products are the measure."""
    scorer = world.model.scorer
    nodes = torch.arange(scorer.trie.n_nodes(1))
    weights = [weight for weight in scorer.backbone.table.parameters() if weight.requires_grad]
    torch.manual_seed(0)
    hidden = torch.randn(len(nodes), scorer.backbone.table.weight.shape[1], requires_grad=True)
    first, width = scorer.children_of(1, nodes)
    columns = torch.arange(int(width.max()))
    inside = columns < width[:, None]
    children = torch.where(inside, first[:, None] + columns, first[:, None])
    rows = scorer.backbone.table.rows(scorer.tokens_of_nodes(1, children))
    logits = torch.einsum("rwd,rd->rw", rows, hidden).masked_fill(~inside, -torch.inf)
    expected = torch.log_softmax(logits, 1)
    found = scorer.child_log_probs(1, nodes, hidden)
    assert torch.allclose(found[inside], expected[inside], atol=1e-5)
    for one, other in zip(
        torch.autograd.grad(found[inside].square().sum(), [*weights, hidden]),
        torch.autograd.grad(expected[inside].square().sum(), [*weights, hidden]),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-4)


def test_weights_of_walks_weigh(world):
    plan = next_items(world).plan(np.random.default_rng(0))
    batch = plan.make(np.arange(2), np.random.default_rng(0))
    objective = Objective(world.model.scorer)
    with torch.no_grad():
        batch.weights = (torch.arange(len(batch.weights)) == 1).float()
        one = float(objective(batch))
        batch.weights = 5 * batch.weights
        assert float(objective(batch)) == pytest.approx(one, abs=1e-6)


@pytest.mark.parametrize("kind", [RequestExamples, ItemTextExamples, ExplanationExamples])
def test_examples_in_words_make_batches_that_can_be_learnt(world, kind):
    words = Words(world.model.catalogue, world.model.encoder, world.model.templates, Prompting())
    examples = kind(words) if kind is ItemTextExamples else kind(words, world.histories)
    plan = examples.plan(np.random.default_rng(0))
    n_text = world.model.scorer.backbone.table.base_size
    assert len(plan.lengths) == 12
    for seed in range(4):
        batch = plan.make(np.arange(5), np.random.default_rng(seed))
        if isinstance(batch, TextBatch):
            assert int(batch.tokens.max()) < n_text
            ends = batch.tokens.gather(1, (batch.tokens >= 0).sum(1, keepdim=True) - 1)
            assert (ends == world.model.encoder.end).all(), "each text is learnt to its end"
        with torch.no_grad():
            assert torch.isfinite(Objective(world.model.scorer)(batch))
