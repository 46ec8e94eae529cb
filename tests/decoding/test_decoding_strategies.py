"""Strategies: greedy, drawn, diverse and capped lists, presets, and what steers a request."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import (
    BASE_SIZE,
    catalogues,
    grocery_world,
    histories_of,
    random_histories,
    semantic_ids,
    tiny_scorer,
)

from p5rec.decoding.beam import walk
from p5rec.decoding.choosing import Capped, Drawn, Greedy
from p5rec.decoding.diversity import likeness, most_marginal
from p5rec.decoding.exact import score_catalogue
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.filters import Filters
from p5rec.decoding.strategies import PRESETS, Quota, Strategy, preset_for, strategy_of
from p5rec.decoding.trie import Trie
from p5rec.decoding.wanted import Plan, Steer
from p5rec.errors import RequestError
from p5rec.model.prompt_batch import PromptBatch


@st.composite
def worlds(draw):
    ids = draw(catalogues(max_items=60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scorer = tiny_scorer("gpt2", ids, rng, scale=draw(st.sampled_from([0.0, 1.0])))
    prompts = PromptBatch.from_prompts([rng.integers(1, BASE_SIZE, size=(3, 1)) for _ in range(2)])
    denied = [np.flatnonzero(rng.random(len(ids)) < 0.4) for _ in range(2)]
    return scorer, prompts, denied, draw(st.sampled_from([1, 4, 80]))


def lists_of(found):
    return [[item for item in row if item >= 0] for row in found.items.tolist()]


def check_laws(scorer, prompts, denied, k, found, *, count=None):
    scores = score_catalogue(scorer, prompts)
    for prompt, items in enumerate(lists_of(found)):
        left = scorer.trie.n_items - len(denied[prompt])
        assert len(items) == (min(k, left) if count is None else count[prompt])
        assert len(set(items)) == len(items)
        assert not set(items) & set(denied[prompt].tolist())
        given = found.scores[prompt, : len(items)]
        assert given == pytest.approx(scores[prompt, items], abs=1e-4)
        assert (np.diff(given) <= 1e-6).all()


def greedy_oracle(trie, scores, eligible, k):
    """Depth first, the most probable child first."""
    nodes = trie.nodes_of_items()
    total = [np.zeros(trie.n_nodes(depth)) for depth in range(trie.depth + 1)]
    some = [np.zeros(trie.n_nodes(depth), dtype=bool) for depth in range(trie.depth + 1)]
    for depth in range(trie.depth + 1):
        np.add.at(total[depth], nodes[:, depth], np.exp(scores))
        np.logical_or.at(some[depth], nodes[:, depth], eligible)

    def visit(depth, node):
        if depth == trie.depth:
            yield int(trie.item_of_leaf[node])
            return
        children = np.arange(trie.child_start[depth][node], trie.child_start[depth][node + 1])
        children = children[some[depth + 1][children]]
        for child in children[np.argsort(-total[depth + 1][children], kind="stable")]:
            yield from visit(depth + 1, child)

    return list(itertools.islice(visit(0, 0), k))


@settings(max_examples=60)
@given(worlds())
def test_greedy_goes_depth_first(world):
    scorer, prompts, denied, k = world
    found = walk(scorer, prompts, Greedy(k), k=k, excluded=Excluded(scorer.trie, denied))
    check_laws(scorer, prompts, denied, k, found)
    scores = score_catalogue(scorer, prompts)
    if len(np.unique(scores[0].round(6))) < scorer.trie.n_items:
        return  # Among items that are alike, rounding decides.
    for prompt, items in enumerate(lists_of(found)):
        eligible = np.ones(scorer.trie.n_items, dtype=bool)
        eligible[denied[prompt]] = False
        assert set(items) == set(greedy_oracle(scorer.trie, scores[prompt], eligible, k))


@settings(max_examples=60)
@given(worlds(), st.sampled_from([0.2, 1.0, 5.0]), st.sampled_from([0.1, 0.9, 1.0]))
def test_drawn_lists_keep_the_laws_and_single_calls_agree(world, temperature, nucleus):
    scorer, prompts, denied, k = world

    def draw(at):
        chooser = Drawn(k, temperature=temperature, nucleus=nucleus, seeds=np.array([5, 6])[at])
        own = PromptBatch(prompts.ids[at], prompts.lengths[at])
        excluded = Excluded(scorer.trie, [denied[one] for one in at])
        return walk(scorer, own, chooser, k=k, excluded=excluded)

    together = draw([0, 1])
    check_laws(scorer, prompts, denied, k, together)
    for prompt in (0, 1):
        assert lists_of(draw([prompt]))[0] == lists_of(together)[prompt]


def test_items_are_drawn_as_often_as_their_probabilities_say():
    ids = semantic_ids([[0, 0], [0, 1], [1, 0], [1, 1], [1, 2], [2, 0]])
    scorer = tiny_scorer("gpt2", ids, np.random.default_rng(0), scale=2.0)
    prompts = PromptBatch.from_prompts([np.array([[3], [4]])])
    many = 4000
    batch = PromptBatch(prompts.ids.expand(many, -1, -1), prompts.lengths.expand(many))
    p = np.exp(score_catalogue(scorer, prompts)[0])
    chooser = Drawn(2, temperature=1.0, nucleus=1.0, seeds=np.arange(many))
    pairs = np.sort(walk(scorer, batch, chooser, k=2).items, axis=1)
    for one, other in itertools.combinations(range(6), 2):
        expected = p[one] * p[other] * (1 / (1 - p[one]) + 1 / (1 - p[other]))
        seen = ((pairs[:, 0] == one) & (pairs[:, 1] == other)).mean()
        assert seen == pytest.approx(expected, abs=4 * np.sqrt(expected / many) + 2e-3)


def test_a_small_nucleus_draws_the_best_item_first():
    ids = semantic_ids([[0, 0], [0, 1], [1, 0], [1, 1]])
    scorer = tiny_scorer("gpt2", ids, np.random.default_rng(1), scale=2.0)
    prompts = PromptBatch.from_prompts([np.array([[3]])])
    best = walk(scorer, prompts, Greedy(1), k=1).items[0, 0]
    for seed in range(20):
        chooser = Drawn(1, temperature=1.0, nucleus=0.001, seeds=[seed])
        assert walk(scorer, prompts, chooser, k=1).items[0, 0] == best


@settings(max_examples=60)
@given(worlds(), st.integers(1, 3), st.integers(1, 3))
def test_quotas_are_kept_and_lists_are_as_long_as_they_let(world, most, depth):
    scorer, prompts, denied, k = world
    trie = scorer.trie
    depth = min(depth, trie.depth)
    nodes = trie.nodes_of_items()[:, depth]
    counts = []
    for rows in denied:
        left = np.bincount(np.delete(nodes, rows), minlength=trie.n_nodes(depth))
        counts.append(min(k, int(np.minimum(left, most).sum())))
    chooser = Capped(k, 3, depth=depth, most=most)
    found = walk(scorer, prompts, chooser, k=k, excluded=Excluded(trie, denied))
    check_laws(scorer, prompts, denied, k, found, count=counts)
    for items in lists_of(found):
        assert np.bincount(nodes[items]).max(initial=0) <= most


def test_diversity_takes_what_is_unlike():
    trie = Trie.from_codes(np.array([[0, 0], [0, 1], [0, 2], [1, 0]]))
    items, scores = np.array([0, 1, 2, 3, -1]), np.log([0.4, 0.3, 0.2, 0.1, 1e-9])
    assert most_marginal(trie, items, scores, k=3, diversity=0.0).tolist() == [0, 1, 2]
    assert most_marginal(trie, items, scores, k=3, diversity=0.5).tolist() == [0, 3, 1]
    assert likeness(trie, items[:4], np.zeros(4, np.int64)).tolist() == [1, 1, 1, 0]


def test_presets_are_what_their_names_promise():
    """Changing one changes what users of it get: say so in the changelog."""
    assert {
        "explorer": Strategy("sample", nucleus=0.9),
        "conservative": Strategy(beams=5),
        "newcomer": Strategy("sample", temperature=1.2),
        "regular": Strategy("greedy"),
        "diverse": Strategy(diversity=0.3),
    } == PRESETS


@pytest.mark.parametrize("family", ["gpt2", "t5"])
@pytest.mark.parametrize("name", [*PRESETS, "auto"])
def test_presets_in_batches_equal_single_calls(family, name):
    model = grocery_world(family).model
    model.scorer.eval()
    histories = random_histories(np.random.default_rng(2), users=6, n_items=12, longest=9)
    filters = Filters(model.catalogue, model.scorer.trie)
    ranker = model.ranker()

    def search(part):
        plan = Plan({"strategy": name, "exclude_history": True, "seed": 3}, filters, part)
        return ranker.search(part, k=4, selection=plan.selection)

    together = search(histories)
    for user in range(6):
        alone = search(histories.take(np.array([user])))
        assert alone.items[0].tolist() == together.items[user].tolist()
        held = set(histories.items[histories.slice(user)].tolist())
        items = [item for item in alone.items[0].tolist() if item >= 0]
        assert len(set(items)) == len(items) == min(4, 12 - len(held))
        assert not set(items) & held


@pytest.mark.parametrize(
    ("history", "preset"),
    [
        ([0, 1, 2, 3], "newcomer"),
        ([0, 1, 2, 0, 1, 2], "regular"),
        ([0, 4, 8, 1, 5], "explorer"),
        ([0, 1, 2, 3, 0], "conservative"),
        ([0, 1, 2, 3, 4, 0], "conservative"),
    ],
)
def test_the_rule_that_picks_a_preset(history, preset):
    codes = np.stack([np.arange(12) // 4, np.arange(12) % 4], axis=1)
    assert preset_for(Trie.from_codes(codes), np.array(history)) == preset


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: strategy_of("explorers"), "Did you mean 'explorer'"),
        (lambda: Strategy(beams=0), "beams is 0; expected 1 to 10,000"),
        (lambda: Strategy("sample", temperature=0), "temperature is 0"),
        (lambda: Strategy("sample", nucleus=1.5), "nucleus is 1.5"),
        (lambda: Strategy("greedy", quota=Quota(2)), "a quota goes with beam search"),
        (lambda: Strategy("best"), "no kind of strategy 'best'"),
        (lambda: Quota(0), "expected at least 1"),
        (lambda: Steer(price=(5, 1)), "Give the lower first"),
        (lambda: Steer(), "nothing to steer by"),
    ],
)
def test_values_out_of_range_are_refused(make, told):
    with pytest.raises(RequestError) as error:
        make()
    assert told in str(error.value)


def plan_for(wanted, users=1):
    model = grocery_world("gpt2").model
    filters = Filters(model.catalogue, model.scorer.trie)
    return Plan(wanted, filters, histories_of([[0, 1]] * users))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"allow": ["i01"], "deny": ["i01"]}, "allow and deny contradict"),
        ({"deny": ["i99"]}, "item 'i99' is not in the catalogue"),
        ({"deny": "i01"}, "expected a list of ids"),
        ({"filter": ["brand == 'Acme'"] * 2}, "2 filters for 1 histories"),
        ({"beams": 0}, "beams is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"steer": Steer(category="Milk")}, "Did you mean 'milk'"),
        ({"strategy": "lucky"}, "no strategy 'lucky'"),
    ],
)
def test_what_cannot_be_wanted_is_refused_before_the_model_is_asked(wanted, told):
    with pytest.raises(RequestError) as error:
        plan_for(wanted)
    assert told in str(error.value)


def test_each_request_has_its_own_filter_and_hard_steering_is_one():
    plan = plan_for({"filter": ["brand == 'Acme'", None], "steer": Steer("milk", hard=True)}, 2)
    counts = [mask.count for mask in plan.selection.masks]
    assert counts == [1, 3]
    soft = plan_for({"filter": ["brand == 'Acme'", None], "steer": Steer("milk")}, 2)
    assert soft.selection.masks[0].count == 6
    assert soft.selection.masks[1] is None


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        (
            {"filter": 'brand == "Acme" and categories under "milk" and item == "i00"'},
            "passes item",
        ),
        ({"filter": 'brand == "Acme"', "allow": ["i00"]}, "no item of the allowed ones passes"),
        ({"filter": 'item == "i05"', "deny": ["i05"]}, "are denied"),
        ({"filter": 'item == "i01"', "exclude_history": True}, "the history holds"),
    ],
)
def test_an_empty_list_says_what_left_nothing(wanted, told):
    assert told in plan_for(wanted).why_empty(0)


def test_torch_random_state_is_left_alone():
    before = torch.get_rng_state()
    test_a_small_nucleus_draws_the_best_item_first()
    assert torch.equal(before, torch.get_rng_state())
