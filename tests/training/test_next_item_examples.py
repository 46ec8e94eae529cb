"""Windows over histories: each session foreseen once, from what came before and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from shop import write_shop
from tiny_worlds import grocery_world, histories_of, tiny_recipe
from training_runs import next_items

from p5rec.data.loading import load_catalogue, load_events
from p5rec.data.splits import validate_last_basket
from p5rec.evaluation.metrics import ideal_gain
from p5rec.progress import Reporter
from p5rec.prompting.templates import load_templates
from p5rec.training.fitting import Fitting, _tasks, assemble
from p5rec.training.objective import Objective


@pytest.fixture(scope="module")
def worlds():
    made = {family: grocery_world(family) for family in ("gpt2", "t5", "llama")}
    for number, world in enumerate(made.values()):
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for weight in world.model.scorer.parameters():
                weight.add_(0.2 * torch.randn(weight.shape, generator=generator))
        world.model.scorer.eval()
    return made


def baskets(rng, *, users, longest):
    """Histories of sessions of one to four events, some users without any."""
    items, days, sessions = [], [], []
    for _ in range(users):
        sizes = rng.integers(1, 5, size=rng.integers(0, longest))
        sessions.append(np.repeat(np.arange(len(sizes)), sizes))
        items.append(rng.integers(12, size=sizes.sum()))
        days.append(np.repeat(np.cumsum(rng.random(len(sizes)) * 9), sizes))
    return histories_of(items, days, sessions)


def sessions_of(histories):
    """(user, items before the session, items of the session) of each session, in order."""
    found = []
    for user in range(len(histories)):
        span = histories.slice(user)
        items, numbers = histories.items[span], histories.sessions[span]
        for number in np.unique(numbers):
            at = np.flatnonzero(numbers == number)
            found.append((user, items[: at[0]], items[at]))
    return found


def whole_epoch(examples, seed=0):
    plan = examples.plan(np.random.default_rng(seed))
    batch = plan.make(np.arange(len(plan.lengths)), np.random.default_rng(seed))
    return plan, batch


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["every-event", "prefix"]),
    st.sampled_from([1, 2, 5, 16]),
)
def test_each_session_is_foreseen_once_from_what_came_before(worlds, seed, sequence, history):
    world = worlds["gpt2"]
    rng = np.random.default_rng(seed)
    histories = baskets(rng, users=4, longest=7)
    expected = sessions_of(histories)
    if not expected:
        return
    examples = next_items(world, histories=histories, sequence=sequence, history=history)
    plan, batch = whole_epoch(examples, seed)

    tokens = world.model.encoder.items(np.arange(12))
    head = world.model.head(world.model.templates.of("next_item", seen=True, given={"history"})[0])
    assert int(batch.context.max()) + 1 == len(expected)
    for context, (_, before, items) in enumerate(expected):
        walks = torch.nonzero(batch.context == context).flatten()
        assert sorted(batch.items[walks].tolist()) == sorted(set(items.tolist()))
        assert batch.weights[walks].tolist() == pytest.approx(
            [1 / ideal_gain(np.array(len(walks)), k=10)] * len(walks)
        )
        [row] = batch.rows[walks].unique().tolist()
        [position] = batch.positions[walks].unique().tolist()
        shown = batch.prompts.ids[row, : position + 1].numpy()
        count = len(shown) - len(head)
        assert shown[: len(head), 0].tolist() == head[:, 0].tolist()
        assert shown[len(head) :].tolist() == tokens[before[len(before) - count :]].tolist()
        least = history if sequence == "prefix" else history - max(1, history // 2)
        assert min(len(before), least) <= count <= max(history, 0)
    assert len(plan.lengths) == len(batch.prompts.lengths)


def per_walk(world, batch):
    """Log-probability of each walk of a batch, as the objective computes it."""
    scorer = world.model.scorer
    with torch.no_grad():
        hidden = scorer.backbone.follow(
            batch.prompts, batch.rows, batch.positions, scorer.path_tokens(batch.items)[:, :-1]
        )
        contexts = scorer.prior.contexts(batch.features)
        found = scorer.path_log_probs(
            hidden, batch.items, context=batch.context, contexts=contexts
        ).sum(1)
        loss = float(Objective(scorer)(batch))
    assert loss == pytest.approx(
        -float((found * batch.weights).sum() / batch.weights.sum()), abs=1e-6
    )
    return found.numpy()


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("seed", range(4))
def test_one_pass_over_a_history_gives_the_loss_of_every_prefix(worlds, family, seed):
    world = worlds[family]
    histories = baskets(np.random.default_rng(seed), users=5, longest=6)
    found = {}
    for sequence in ("every-event", "prefix"):
        examples = next_items(world, histories=histories, sequence=sequence, history=60)
        plan, batch = whole_epoch(examples)
        found[sequence] = per_walk(world, batch)
    assert len(plan.lengths) > int((histories.lengths > 0).sum()), "prefixes are many, users few"
    assert found["every-event"] == pytest.approx(found["prefix"], abs=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "t5", "llama"])
def test_the_loss_of_a_prefix_is_what_the_ranker_scores(worlds, family):
    world = worlds[family]
    histories = world.histories
    examples = next_items(world, sequence="prefix", history=8)
    _, batch = whole_epoch(examples)
    lengths = histories.lengths
    last = np.cumsum(lengths) - 1
    before = histories.where(~np.isin(np.arange(len(histories.items)), last))
    scored = world.model.ranker().score(before, histories.items[last])
    assert per_walk(world, batch)[last] == pytest.approx(scored, abs=1e-5)


def test_a_large_session_is_learnt_in_part_drawn_anew(worlds):
    histories = histories_of([list(range(12))], [[1.0] * 12], [[0] * 12])
    examples = next_items(worlds["gpt2"], histories=histories, targets=3)
    drawn = {tuple(sorted(whole_epoch(examples, seed)[1].items.tolist())) for seed in range(5)}
    assert all(len(set(items)) == 3 for items in drawn)
    assert len(drawn) > 1
    _, batch = whole_epoch(examples)
    whole = 12 / ideal_gain(np.array(12), k=10)
    assert float(batch.weights.sum()) == pytest.approx(whole), "the rest is stood in for"


def test_a_batch_is_a_function_of_its_arguments(worlds):
    examples = next_items(worlds["gpt2"])
    one, other = (whole_epoch(examples, 4)[1] for _ in range(2))
    assert torch.equal(one.prompts.ids, other.prompts.ids)
    assert torch.equal(one.items, other.items)


def test_heads_read_loosely_keep_events_and_targets(worlds):
    """Words before the history go, change or come, alike for a batch; nothing else does."""
    histories = baskets(np.random.default_rng(3), users=5, longest=6)
    world = worlds["gpt2"]
    strict = next_items(world, histories=histories, sequence="prefix")
    loose = next_items(world, histories=histories, sequence="prefix", loosely=1.0)
    reserved = world.model.encoder.tokenizer.reserved
    seen = set()
    for seed in range(12):
        _, plain = whole_epoch(strict, seed)
        _, read = whole_epoch(loose, seed)
        assert torch.equal(plain.items, read.items)
        fewer = plain.prompts.lengths - read.prompts.lengths
        assert (fewer == fewer[0]).all()
        assert torch.equal(plain.positions - fewer[plain.rows], read.positions)
        assert (read.positions >= 0).all()
        n_head = int(plain.positions.min()) + 1 - int(fewer[0])
        for row, length in enumerate(read.prompts.lengths.tolist()):
            head, events = read.prompts.ids[row, :n_head], read.prompts.ids[row, n_head:length]
            assert torch.equal(
                events, plain.prompts.ids[row, n_head + int(fewer[0]) : length + int(fewer[0])]
            )
            assert reserved.isdisjoint(head[:, 0].tolist())
        seen.add(int(fewer[0]))
    assert min(seen) < 0 < max(seen), "some heads are longer, some shorter"


def test_a_recipe_says_how_loosely_heads_are_read(tmp_path):
    write_shop(tmp_path)
    events, items = load_events(tmp_path / "events.csv"), load_catalogue(tmp_path / "items.csv")
    run = Fitting(validate_last_basket(events, users=5), items, load_templates())

    def lengths(loosely):
        untrained = assemble(tiny_recipe("gpt2", loosely=loosely), run, Reporter(quiet=True))
        plan = _tasks(untrained, run)["next_item"].plan(np.random.default_rng(0))
        batches = [plan.make(np.arange(3), np.random.default_rng(seed)) for seed in range(20)]
        return {int(batch.positions.min()) for batch in batches}

    assert len(lengths(0.0)) < len(lengths(0.9))
