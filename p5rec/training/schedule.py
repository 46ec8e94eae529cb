"""In which order a model sees its examples: a function of (seed, epoch) alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.model.recipe import Task
from p5rec.training.batch import Batch, Examples, Plan

MAIN_TASK: Task = "next_item"
WRITTEN_TASKS: frozenset[Task] = frozenset({"explanation", "rating", "reason", "review_summary"})
"""Tasks that are answered with text alone."""


@dataclass(frozen=True)
class Step:
    """One optimiser step to make: which examples of which task."""

    task: Task
    plan: Plan
    chosen: NDArray[np.int64]
    seed: tuple[int, ...]

    def batch(self) -> Batch:
        """The step's batch."""
        return self.plan.make(self.chosen, np.random.default_rng(self.seed))


def epoch_steps(
    tasks: Mapping[Task, Examples],
    shares: Mapping[Task, float],
    *,
    budget: int,
    seed: int,
    epoch: int,
) -> list[Step]:
    """All steps of an epoch: once through the next-item examples, other tasks mixed in.

    A task with share ``s`` gets ``s / shares["next_item"]`` as many steps as next-item; it starts
    anew when it runs out of examples, and is left out where it has none.

    :param budget: at most so many positions a batch, padding counted.
    """
    rng = np.random.default_rng([seed, epoch])
    main = tasks[MAIN_TASK].plan(rng)
    planned = [(MAIN_TASK, main, chosen) for chosen in length_batches(main.lengths, budget, rng)]
    n_main = len(planned)
    for task, examples in tasks.items():
        wanted = round(n_main * shares.get(task, 0.0) / shares[MAIN_TASK])
        if task == MAIN_TASK or wanted == 0:
            continue
        plan = examples.plan(rng)
        if not len(plan.lengths):
            continue
        batches = length_batches(plan.lengths, budget, rng)
        rng.shuffle(batches)
        planned += [(task, plan, batches[turn % len(batches)]) for turn in range(wanted)]
    order = rng.permutation(len(planned))
    return [
        Step(task=task, plan=plan, chosen=chosen, seed=(seed, epoch, number))
        for number, (task, plan, chosen) in enumerate(planned[place] for place in order)
    ]


def length_batches(
    lengths: NDArray[np.int64], budget: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Cut examples into batches of like length, ``longest × count`` at most ``budget``.

    A single example longer than the budget is a batch of its own. Each example is in one batch.

    >>> [b.tolist() for b in length_batches(np.array([9, 2, 9, 2]), 18, np.random.default_rng(0))]
    [[3, 1], [2, 0]]
    """
    order = np.argsort(lengths + rng.random(len(lengths)), kind="stable")
    batches, first = [], 0
    for place, example in enumerate(order):
        if place > first and lengths[example] * (place - first + 1) > budget:
            batches.append(order[first:place])
            first = place
    if first < len(order):
        batches.append(order[first:])
    return batches
