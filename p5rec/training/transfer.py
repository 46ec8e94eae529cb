"""A model that goes over to another catalogue: its language and its sense of histories stay."""

from __future__ import annotations

import numpy as np
import torch

from p5rec.data.catalogue import Catalogue
from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.alike_words import ItemWords
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.cold_items import lend
from p5rec.decoding.companions import Companions
from p5rec.decoding.storage import copy_weights, pristine_base
from p5rec.ids.fit import fit_semantic_ids
from p5rec.model.recipe import Recipe

OF_ITEMS = ("of_item", "log_share_")
"""What a prior knows of the items of a catalogue has one of these in its name."""

LEAST_STEPS = 20
"""Of tuning, however few events there are."""

GENTLY = 0.3
"""Learning rates of tuning, as a share of those that the model was made with."""


def carry_over(
    source: AssembledModel,
    catalogue: Catalogue,
    *,
    counts: ItemCounts | None = None,
    companions: Companions | None = None,
    seed: int = 0,
) -> AssembledModel:
    """The model of one catalogue over another one.

    Semantic IDs are made anew from the items' attributes and words alone. Rows of item tokens start
    from the model's own embedding of their words; all else that was learnt stays, but for what is
    known of the old items.

    :param counts: of events with the new items; by default nobody has chosen any.
    :param companions: of the new items; by default those that are alike in words, where the
        source has companions.
    """
    recipe = source.recipe
    ids = fit_semantic_ids(catalogue, recipe.ids.scheme(), seed=seed)
    base = pristine_base(recipe, source.base.tokenizer)
    with torch.no_grad():
        learned = source.scorer.backbone.table.text_rows()
        base.model.get_input_embeddings().weight.copy_(learned)
    prior = source.scorer.prior
    if companions is None and prior is not None and prior.companions is not None:
        companions = strangers(catalogue)
    model = AssembledModel.build(
        recipe,
        catalogue,
        ids,
        source.templates,
        base,
        counts=counts or ItemCounts.none(len(catalogue)),
        companions=companions,
        seed=seed,
    )
    table = model.scorer.backbone.table
    rows = table.weight if table.items is None else table.items
    started = rows.detach().clone()
    copy_weights(source, model, but=OF_ITEMS)
    with torch.no_grad():
        rows.copy_(started)
    model.scorer.eval()
    return model


def tuning_recipe(recipe: Recipe) -> Recipe:
    """A recipe for a few events: what the model has learnt already is not learnt anew."""
    rates = {
        name: GENTLY * value
        for name, value in recipe.training
        if name.endswith("learning_rate") and value is not None
    }
    tuned = recipe.training.model_copy(update={"least_steps": LEAST_STEPS, **rates})
    return recipe.model_copy(update={"training": tuned})


def strangers(catalogue: Catalogue) -> Companions:
    """Companions of items that nobody has chosen: those that are alike in words."""
    everything = np.arange(len(catalogue))
    cold = np.ones(len(catalogue), dtype=bool)
    return lend(Companions.none(len(catalogue)), ItemWords(catalogue).nearest(everything), cold)
