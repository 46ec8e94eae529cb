"""Runs of tiny models, the same each time they are made."""

import numpy as np
import torch
from tiny_worlds import grocery_world

from p5rec.decoding.history_index import HistoryIndex
from p5rec.model.recipe import Prompting
from p5rec.progress import SILENT
from p5rec.training.language_examples import (
    ExplanationExamples,
    ItemTextExamples,
    Words,
)
from p5rec.training.loop import Run, train
from p5rec.training.next_item import NextItemExamples
from p5rec.training.objective import Objective
from p5rec.training.prior_examples import PriorExamples
from p5rec.training.request_examples import RequestExamples
from p5rec.training.sessions import Sessions
from p5rec.training.weights import trainable


def next_items(
    world, *, histories=None, sequence=None, history=None, targets=16, apart=False, loosely=0.0
):
    """The next-item examples of a world's histories, with its first template.

    ``apart``: the history prior learns elsewhere.
    """
    model = world.model
    histories = world.histories if histories is None else histories
    prior = None if apart else model.scorer.prior
    template = model.templates.of("next_item", seen=True, given={"history"})[0]
    return NextItemExamples(
        histories,
        Sessions(histories),
        HistoryIndex(histories, model.scorer.trie, prior.forgetting) if prior else None,
        model.encoder,
        [[model.head(template)]] * len(histories),
        sequence=sequence or model.recipe.training.sequence,
        history=history or model.recipe.prompting.history,
        targets=targets,
        depth=model.ids.depth,
        loosely=loosely,
    )


def probability(world):
    """Mean probability of what comes next: a figure that goes up, as validation wants it."""
    rows = world.histories.items[world.histories.offsets[:-1]]
    return float(np.exp(world.model.ranker().score(world.histories, rows)).mean())


TASKS = {"next_item": 0.5, "prior": 0.2, "request": 0.2, "item_text": 0.2, "explanation": 0.1}


def make_run(
    family="gpt2",
    *,
    folder=None,
    all_tasks=True,
    apart=None,
    seed=0,
    validate=True,
    **settings,
):
    """A world and a run over it: all tasks, dropout, validation; eight steps or so.

    ``apart``: whether the history prior learns in steps of its own; where all tasks do, by default.
    """
    apart = all_tasks if apart is None else apart
    fixed = {"epochs": 2, "batch_tokens": 160, "learning_rate": 5e-3, "validations": 3}
    fixed["least_steps"] = 1
    if all_tasks:
        fixed["tasks"] = {task: share for task, share in TASKS.items() if apart or task != "prior"}
    world = grocery_world(family, **{**fixed, **settings})
    model = world.model
    words = Words(model.catalogue, model.encoder, model.templates, Prompting())
    tasks = {"next_item": next_items(world, apart=apart)}
    if apart:
        index = model.scorer.prior.index(world.histories)
        tasks["prior"] = PriorExamples(Sessions(world.histories), index, targets=16)
    if all_tasks:
        tasks["request"] = RequestExamples(words, world.histories)
        tasks["item_text"] = ItemTextExamples(words)
        tasks["explanation"] = ExplanationExamples(words, world.histories)
    check = validate if callable(validate) else (lambda: probability(world)) if validate else None
    return world, Run(
        objective=Objective(model.scorer),
        random=model.item_model.random,
        tasks=tasks,
        settings=model.recipe.training,
        seed=seed,
        signature="a tiny run",
        validate=check,
        folder=folder,
    )


def go(run, *, resume=False):
    """Train in silence."""
    with SILENT.bar("Training") as bar:
        return train(run, bar, resume=resume)


def weights(run):
    """What training changes, as it is now."""
    return {name: w.detach().cpu().clone() for name, w in trainable(run.objective).items()}


def equal(one, other):
    """Whether two sets of weights are equal bit for bit."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
