"""Base model, item tokens, trie, history prior and templates put together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.companions import Companions
from p5rec.decoding.history_index import Forgetting
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.decoding.next_item import NextItemRanker
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.base_models import BaseModel
from p5rec.model.item_model import ItemModel, extend_base
from p5rec.model.prompt_batch import EncodedPrompt
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.model.recipe import Recipe
from p5rec.model.vocabulary import Vocabulary, rows_from_items, rows_from_text
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import Attribute
from p5rec.prompting.template import Template
from p5rec.prompting.templates import TemplateSet
from p5rec.prompting.tokenizing import TextTokenizer

START_LENGTH = 0.4
"""Length of the part of an item token's first row that comes from vectors of items."""


@dataclass
class AssembledModel:
    """A model over a catalogue, ready to be trained, loaded into, or asked.

    ``base_fingerprint`` tells which pretrained model it was made from; a mini has none.
    """

    recipe: Recipe
    catalogue: Catalogue
    ids: SemanticIDs
    templates: TemplateSet
    base: BaseModel
    item_model: ItemModel
    scorer: ItemScorer
    encoder: PromptEncoder
    base_fingerprint: str | None
    wording: dict[str, Any] | None = None
    """What was learnt of how reasons are worded, as plain data."""

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        catalogue: Catalogue,
        ids: SemanticIDs,
        templates: TemplateSet,
        base: BaseModel,
        *,
        counts: ItemCounts,
        companions: Companions | None = None,
        seed: int,
        vectors: NDArray[np.float32] | None = None,
        trie: Trie | None = None,
    ) -> AssembledModel:
        """Add the catalogue's item tokens to a base model, and a trie and a prior over them.

        :param counts: of the training events.
        :param companions: of items in the training events, for the history prior.
        :param vectors: a vector an item, as wide as the model, that its tokens' rows start from
            besides their text.
        :param trie: that of ``ids``, where there is one already.
        """
        fingerprint = base.fingerprint() if recipe.base.mini is None else None
        tokenizer = TextTokenizer(base.tokenizer)
        vocabulary = Vocabulary.from_semantic_ids(base.size, ids)
        embedding = base.model.get_input_embeddings().weight.detach().to(torch.float32)
        rows = rows_from_text(embedding, ids.labels, tokenizer, seed=seed)
        if vectors is not None:
            tokens = vocabulary.item_tokens(ids) - base.size
            rows = rows + START_LENGTH * rows_from_items(
                vectors, counts.chosen, tokens, n_tokens=vocabulary.n_item_tokens
            )
        item_model = extend_base(base, rows, recipe.adapter)
        item_model.backbone.carries = recipe.base.mini is not None and recipe.base.mini.carry
        trie = trie or Trie.from_semantic_ids(ids)
        prior = None
        if recipe.prior.enabled:
            rates = Forgetting(events=recipe.prior.events, days=recipe.prior.days)
            prior = HistoryPrior(
                trie,
                rates,
                counts,
                width=recipe.prior.width,
                companions=companions,
                trust=recipe.prior.trust,
                seed=seed,
            )
        encoder = PromptEncoder(
            tokenizer,
            vocabulary.item_tokens(ids),
            one_position=recipe.prompting.positions == "item",
            end=int(base.tokenizer.eos_token_id),
            longest_text=recipe.prompting.text,
        )
        full = recipe.scoring.softmax == "full"
        scorer = ItemScorer(item_model.backbone, vocabulary, trie, prior, full=full)
        return cls(
            recipe, catalogue, ids, templates, base, item_model, scorer, encoder, fingerprint
        )

    def ranker(self) -> NextItemRanker:
        """Ranks what comes next, with the first template that training saw."""
        template = self.templates.of("next_item", seen=True, given={"history"})[0]
        if self.recipe.decoding.compile:
            self.scorer.backbone.use_compiler()
        return NextItemRanker(
            self.scorer,
            self.encoder,
            self.head(template),
            history=self.recipe.prompting.history,
            beams=self.recipe.decoding.beams,
        )

    def head(self, template: Template, user: str | None = None) -> EncodedPrompt:
        """A next-item template up to where the history begins."""
        values: dict[str, Value] = (
            {"history": []} if user is None else {"history": [], "user": Attribute(user)}
        )
        return self.encoder.encode(render_prompt(template, values))


def tokenizer_texts(catalogue: Catalogue, templates: Iterable[Template]) -> list[str]:
    """The texts that a mini's tokenizer is trained on."""
    return [*catalogue.texts, *(template.source for template in templates)]
