"""Requests to learn from: whose history stands before them, and up to where."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_worlds import assembled, groceries, grocery_world, histories_of, tiny_recipe

from p5rec.data.events import Histories
from p5rec.language.request_prompt import SHOWN
from p5rec.model.recipe import Prompting
from p5rec.training import request_examples
from p5rec.training.language_examples import Words
from p5rec.training.request_examples import RequestExamples

MODEL = grocery_world("gpt2").model


def shown(histories: Histories, seed: int = 0) -> list[tuple[int, list[int]]]:
    """The item and the history of each example of an epoch."""
    words = Words(MODEL.catalogue, MODEL.encoder, MODEL.templates, Prompting())
    plan = RequestExamples(words, histories).plan(np.random.default_rng(seed))
    batch = plan.make(np.arange(len(plan.lengths)), np.random.default_rng(seed))
    base, tokens = MODEL.scorer.backbone.table.base_size, batch.prompts.ids
    items = {tuple(MODEL.encoder.items(np.array([row]))[0].tolist()): row for row in range(12)}
    found = []
    for row, target in zip(tokens.tolist(), batch.items.tolist(), strict=True):
        found.append((target, [items[tuple(at)] for at in row if at[0] >= base]))
    return found


@settings(max_examples=25)
@given(
    st.lists(
        st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=3), max_size=20), max_size=6
    ),
    st.integers(0, 3),
)
def test_a_history_ends_where_the_session_of_its_item_begins(
    users: list[list[list[int]]], seed: int
) -> None:
    items = [[item for session in user for item in session] for user in users]
    sessions = [[n for n, session in enumerate(user) for _ in session] for user in users]
    possible = {
        (item, tuple([one for earlier in user[:number] for one in earlier][-SHOWN:]))
        for user in users
        for number, session in enumerate(user)
        for item in session
    }
    histories = histories_of(items or [[]], sessions=sessions or [[]])
    for target, history in shown(histories, seed):
        assert not history or (target, tuple(history)) in possible


def test_every_item_is_asked_for_and_some_after_a_history() -> None:
    histories = histories_of([[(start + step) % 12 for step in range(40)] for start in range(3)])
    examples = shown(histories)
    assert sorted(target for target, _ in examples) == list(range(12))
    lengths = [len(history) for _, history in examples]
    assert 0 in lengths
    assert 0 < max(lengths) <= SHOWN


def test_without_a_template_for_both_no_history_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    histories = histories_of([list(range(12)) * 2])
    monkeypatch.setattr(request_examples, "AFTER_HISTORY", 1.0)
    assert sum(bool(history) for _, history in shown(histories)) >= 11
    alone = [t for t in MODEL.templates.of("request") if "history" not in t.needs]
    monkeypatch.setattr(MODEL, "templates", type(MODEL.templates)(tuple(alone)))
    assert not any(history for _, history in shown(histories))


def test_what_an_example_costs_grows_with_its_history(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_examples, "AFTER_HISTORY", 1.0)
    made = assembled(tiny_recipe("gpt2"), groceries(), histories_of([[0]]))
    words = Words(made.catalogue, made.encoder, made.templates, Prompting())
    plan = RequestExamples(words, histories_of([list(range(12))])).plan(np.random.default_rng(0))
    assert len(set(plan.lengths.tolist())) == 12
