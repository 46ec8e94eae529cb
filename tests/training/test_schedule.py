"""The order of examples: a function of (seed, epoch), each example once, shares and budget kept."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p5rec.training.batch import Plan
from p5rec.training.schedule import epoch_steps, length_batches


@dataclass
class Counted:
    """Examples that are their own numbers."""

    lengths: list[int]

    def plan(self, rng):
        rng.random(3)
        return Plan(
            np.array(self.lengths, dtype=np.int64),
            lambda chosen, rng: (chosen.tolist(), rng.random()),
        )


lengths = st.lists(st.integers(1, 40), min_size=1, max_size=60)
seeds = st.integers(0, 2**20)


@given(lengths, st.integers(1, 100), seeds)
def test_batches_hold_each_example_once_within_the_budget(sizes, budget, seed):
    batches = length_batches(np.array(sizes), budget, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(sizes)))
    for batch in batches:
        assert len(batch) == 1 or max(sizes[i] for i in batch) * len(batch) <= budget


@given(lengths, st.integers(1, 100), seeds, st.integers(0, 9))
def test_an_epoch_is_a_function_of_seed_and_epoch(sizes, budget, seed, epoch):
    def made(seed, epoch):
        steps = epoch_steps(
            {"next_item": Counted(sizes), "request": Counted([5] * 7)},
            {"next_item": 0.8, "request": 0.2},
            budget=budget,
            seed=seed,
            epoch=epoch,
        )
        return [(step.task, step.batch()) for step in steps]

    assert made(seed, epoch) == made(seed, epoch)
    draws = [[draw for _, (_, draw) in made(*of)] for of in ((seed, epoch), (seed, epoch + 1))]
    assert len(set(draws[0])) == len(draws[0])
    assert set(draws[0]).isdisjoint(draws[1])


@given(lengths, st.integers(1, 200), seeds)
def test_an_epoch_has_each_next_item_example_once(sizes, budget, seed):
    steps = epoch_steps(
        {"next_item": Counted(sizes), "request": Counted([3] * 20)},
        {"next_item": 0.5, "request": 0.5},
        budget=budget,
        seed=seed,
        epoch=0,
    )
    seen = [number for step in steps if step.task == "next_item" for number in step.batch()[0]]
    assert sorted(seen) == list(range(len(sizes)))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5])
def test_tasks_get_their_shares_of_the_steps(share):
    rest = 1 - 2 * share if share < 0.5 else 0.5
    steps = epoch_steps(
        {
            "next_item": Counted([10] * 100),
            "request": Counted([10] * 3),
            "item_text": Counted([10] * 900),
        },
        {"next_item": rest, "request": share, "item_text": share},
        budget=10,
        seed=0,
        epoch=0,
    )
    counts = {
        task: sum(step.task == task for step in steps)
        for task in ("next_item", "request", "item_text")
    }
    assert counts["next_item"] == 100
    expected = round(100 * share / rest)
    assert counts["request"] == counts["item_text"] == expected
    requests = [step.batch()[0][0] for step in steps if step.task == "request"]
    if expected:
        numbers = np.bincount(requests, minlength=3)
        assert numbers.max() - numbers.min() <= 1, "a task starts anew only when it ran out"


def test_a_task_without_a_share_is_left_out():
    steps = epoch_steps(
        {"next_item": Counted([1, 1]), "explanation": Counted([1])},
        {"next_item": 1.0},
        budget=1,
        seed=0,
        epoch=0,
    )
    assert [step.task for step in steps] == ["next_item"] * 2


def test_a_task_without_examples_is_left_out():
    steps = epoch_steps(
        {"next_item": Counted([1, 1]), "explanation": Counted([])},
        {"next_item": 0.5, "explanation": 0.5},
        budget=1,
        seed=0,
        epoch=0,
    )
    assert [step.task for step in steps] == ["next_item"] * 2


def test_tasks_are_mixed_and_epochs_differ():
    def tasks(epoch):
        return [
            step.task
            for step in epoch_steps(
                {"next_item": Counted([1] * 30), "request": Counted([1] * 30)},
                {"next_item": 0.5, "request": 0.5},
                budget=1,
                seed=0,
                epoch=epoch,
            )
        ]

    assert tasks(0) != sorted(tasks(0))
    assert tasks(0) != tasks(1)


def test_batches_hold_examples_of_like_length():
    sizes = np.array([1, 30] * 20)
    for batch in length_batches(sizes, 60, np.random.default_rng(0)):
        assert len(set(sizes[batch].tolist())) == 1
