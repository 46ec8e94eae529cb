"""From a split and a catalogue to a fitted model: everything that a recipe decides, in order."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories
from p5rec.data.fingerprint import fingerprint
from p5rec.data.item_counts import ItemCounts
from p5rec.data.splits import Split
from p5rec.data.users import Users
from p5rec.decoding.alike_words import ItemWords, with_alike_words
from p5rec.decoding.assembled import AssembledModel, tokenizer_texts
from p5rec.decoding.cold_items import pretend_cold
from p5rec.decoding.companions import CrossFitted, fit_companions
from p5rec.decoding.history_index import HistoryFeatures, HistoryIndex
from p5rec.errors import TrainingError
from p5rec.ids.fit import fit_semantic_ids
from p5rec.language.wording import Wording
from p5rec.model.base_models import load_base
from p5rec.model.prompt_batch import EncodedPrompt
from p5rec.model.recipe import MOST_SCORED, Recipe, Task
from p5rec.progress import Reporter
from p5rec.prompting.templates import TemplateSet
from p5rec.training.batch import Examples
from p5rec.training.checkpoint import Progress
from p5rec.training.language_examples import (
    ExplanationExamples,
    ItemTextExamples,
    Words,
    sentences_to_learn,
)
from p5rec.training.loop import Run, train
from p5rec.training.newcomers import weigh_newcomers
from p5rec.training.next_item import NextItemExamples
from p5rec.training.objective import Objective
from p5rec.training.prior_examples import PriorExamples
from p5rec.training.request_examples import RequestExamples
from p5rec.training.review_examples import Written, written_tasks
from p5rec.training.sessions import Sessions
from p5rec.training.start_vectors import start_vectors
from p5rec.training.transfer import carry_over
from p5rec.training.validation import Validation, choose_trust

SAMPLED_CONTEXTS = 500
"""From how many the spread of the history prior's inputs is taken."""


@dataclass(frozen=True)
class Fitting:
    """What a fit is made from, besides the recipe.

    ``source``: a fitted model of another catalogue to go on from; None begins with the base model.
    """

    split: Split
    catalogue: Catalogue
    templates: TemplateSet
    users: Users | None = None
    seed: int = 0
    folder: Path | None = None
    max_minutes: float | None = None
    source: AssembledModel | None = None


def fit_model(
    recipe: Recipe, fitting: Fitting, reporter: Reporter, *, resume: bool = False
) -> tuple[AssembledModel, Progress]:
    """Make semantic IDs, extend the base model and train it on the split's training events.

    Validation, where the split has some, looks at ndcg@10 of a fixed sample of users; test events
    are not looked at.

    :raises TrainingError: if there is nothing to learn from, or training diverges.
    """
    untrained = assemble(recipe, fitting, reporter)
    model = untrained.model
    tasks = _tasks(untrained, fitting)
    run = Run(
        objective=Objective(model.scorer, precision=getattr(torch, recipe.training.precision)),
        random=model.item_model.random,
        tasks=tasks,
        settings=recipe.training,
        seed=fitting.seed,
        signature=_signature(recipe, fitting),
        validate=Validation.of(model, fitting.split),
        folder=fitting.folder,
        max_minutes=fitting.max_minutes,
    )
    with reporter.bar("Training") as bar:
        progress = train(run, bar, resume=resume)
        if recipe.prior_apart and run.validate is not None:
            choose_trust(model, run.validate)
        if fitting.source is None:  # of another shop's items nearly all are new
            some = untrained.histories.drawn(recipe.training.validation_users)
            weigh_newcomers(model, untrained.histories.take(some))
    return model, progress


@dataclass(frozen=True)
class Untrained:
    """A model that has yet to learn, and what it is to learn from.

    ``cross_fitted``: companions of items, made without each user's own events; ``written``: what
    people wrote.
    """

    model: AssembledModel
    histories: Histories
    cross_fitted: CrossFitted | None
    written: Written


def assemble(recipe: Recipe, fitting: Fitting, reporter: Reporter) -> Untrained:
    """Make semantic IDs and extend the base model: all that a fit does before training.

    :raises TrainingError: if there is nothing to learn from, or more items than can be scored.
    """
    if recipe.scoring.softmax == "full" and len(fitting.catalogue) > MOST_SCORED:
        raise TrainingError(
            f"the catalogue has {len(fitting.catalogue):,} items, and a full softmax scores at "
            f"most {MOST_SCORED:,}. Set scoring.softmax to 'tree'."
        )
    histories = fitting.split.train.histories(fitting.catalogue)
    if not len(histories.items):
        raise TrainingError(
            "no training event has an item of the catalogue. Check that item_id means the same "
            "in events and items."
        )
    cross_fitted = None
    if recipe.prior.enabled and recipe.prior.companions:
        with reporter.bar("Items that go together"):
            cross_fitted = _companions(recipe, fitting, histories)
    written = Written.of(fitting.split.train, fitting.catalogue, fitting.users)
    model = _build(recipe, fitting, histories, cross_fitted, written.reasons, reporter)
    lessons = written.lessons()
    if lessons:
        model.wording = Wording.learn(lessons).to_dict()
    return Untrained(model, histories, cross_fitted, written)


def _companions(recipe: Recipe, fitting: Fitting, histories: Histories) -> CrossFitted:
    """Items that are chosen together or read alike; some are taken for cold, to learn from."""
    catalogue, seed = fitting.catalogue, fitting.seed
    found = fit_companions(histories, len(catalogue), width=recipe.prior.companions, seed=seed)
    every = np.arange(len(catalogue))
    words = ItemWords(catalogue)
    nearest = words.nearest(every)
    found = with_alike_words(found, words, nearest)
    return pretend_cold(found, nearest, ~np.isin(every, histories.items), seed=seed)


def _build(
    recipe: Recipe,
    fitting: Fitting,
    histories: Histories,
    cross_fitted: CrossFitted | None,
    reasons: Sequence[str],
    reporter: Reporter,
) -> AssembledModel:
    """The model over its semantic IDs, or that of ``fitting.source`` carried over."""
    catalogue = fitting.catalogue
    counts = ItemCounts.of(histories, len(catalogue), rate=recipe.prior.popularity)
    companions = cross_fitted.everyone if cross_fitted else None
    if fitting.source is not None:
        with reporter.bar("Semantic IDs"):
            return carry_over(
                fitting.source, catalogue, counts=counts, companions=companions, seed=fitting.seed
            )
    with reporter.bar("Semantic IDs"):
        scheme = recipe.ids.scheme()
        ids = fit_semantic_ids(catalogue, scheme, histories=histories, seed=fitting.seed)
    with reporter.bar(f"Base model {recipe.base.name or recipe.name}"):
        texts: list[str] = []
        if recipe.base.mini is not None:  # a pretrained model has its tokenizer
            texts += tokenizer_texts(catalogue, fitting.templates)
            texts += [reason for reason in reasons if reason]
            texts += sentences_to_learn(catalogue, histories, recipe.prompting, seed=fitting.seed)
        base = load_base(recipe.base, texts=texts, seed=fitting.seed)
        vectors = None
        if recipe.training.start == "co-occurrence":
            width = base.model.get_input_embeddings().weight.shape[1]
            vectors = start_vectors(histories, len(catalogue), dimensions=width, seed=fitting.seed)
        return AssembledModel.build(
            recipe,
            catalogue,
            ids,
            fitting.templates,
            base,
            counts=counts,
            companions=companions,
            seed=fitting.seed,
            vectors=vectors,
        )


def _tasks(untrained: Untrained, fitting: Fitting) -> dict[Task, Examples]:
    model, histories = untrained.model, untrained.histories
    recipe, prior = model.recipe, model.scorer.prior
    index = None
    if prior is not None:
        index = prior.index(histories, untrained.cross_fitted)
        if fitting.source is None:
            prior.standardise(_sample(index, histories))
    words = Words(model.catalogue, model.encoder, model.templates, recipe.prompting)
    settings = recipe.training
    sessions = Sessions(histories, newest=settings.newest)
    tasks: dict[Task, Examples] = {
        "next_item": NextItemExamples(
            histories,
            sessions,
            None if recipe.prior_apart else index,
            model.encoder,
            _heads(model, histories, fitting.users),
            sequence=settings.sequence,
            history=recipe.prompting.history,
            targets=settings.targets,
            depth=model.ids.depth,
            loosely=settings.loosely,
        )
    }
    if settings.tasks.get("prior") and index is not None:
        tasks["prior"] = PriorExamples(sessions, index, targets=settings.targets)
    if any(model.catalogue.texts):
        tasks["request"] = RequestExamples(words, histories)
        tasks["item_text"] = ItemTextExamples(words)
        tasks["explanation"] = ExplanationExamples(words, histories)
    tasks.update(written_tasks(words, untrained.written).items())
    return tasks


def _sample(index: HistoryIndex, histories: Histories) -> HistoryFeatures:
    """Features of contexts drawn at random from histories."""
    rng = np.random.default_rng(0)
    users = rng.integers(len(histories), size=SAMPLED_CONTEXTS)
    return index.features(users, rng.integers(histories.lengths[users] + 1))


def _heads(
    model: AssembledModel, histories: Histories, users: Users | None
) -> list[list[EncodedPrompt]]:
    """For each user the beginnings of prompts to choose from; some tell the user's attributes."""
    plain = [
        model.head(template)
        for template in model.templates.of("next_item", seen=True, given={"history"})
    ]
    telling = model.templates.of("next_item", seen=True, given={"history", "user"})
    telling = tuple(template for template in telling if "user" in template.needs)
    heads = []
    for user in histories.user_ids:
        known = users.attributes(user) if users is not None else {}
        if known:
            text = ", ".join(f"{name} {value}" for name, value in known.items())
            heads.append([*plain, *(model.head(template, text) for template in telling)])
        else:
            heads.append(plain)
    return heads


def _signature(recipe: Recipe, fitting: Fitting) -> str:
    events: tuple[Events, ...] = (fitting.split.train, fitting.split.validation)
    parts = [recipe.model_dump_json(), str(fitting.seed), fingerprint(fitting.catalogue.table)]
    parts += [fingerprint(part.table) for part in events]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
