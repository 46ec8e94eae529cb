"""What every way of writing explanations works with: the model, its prompts, the check."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.next_item import BATCH, NextItemRanker
from p5rec.language.explanation import Claim, Evidence, Explanation, Source
from p5rec.language.explanation_prompt import explanation_templates, explanation_values
from p5rec.language.facts import facts_of
from p5rec.language.sentences import shared_text
from p5rec.language.verify import Verdict, Verifier
from p5rec.model.backbone import Backbone
from p5rec.model.prompt_batch import PromptBatch
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import Prompt
from p5rec.prompting.templates import TemplateSet
from p5rec.prompting.tokenizing import TextTokenizer

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Case:
    """One explanation to be made: its evidence, the whole history, and what was asked for."""

    evidence: Evidence
    history: IntArray
    sentences: int
    language: str
    about: str = ""


class Tools:
    """A ranker's model and a catalogue's facts, put to the use of explanations.

    :param templates: the first explanation template of training that needs no more than item,
        evidence and what they share (with ``names`` what they are called, too) is used.
    :param end: the base model's end-of-text token.
    :param verb: what people do with the items of their histories, one of ``VERBS``.
    :raises TemplateError: if there is no such template.
    """

    def __init__(
        self,
        ranker: NextItemRanker,
        catalogue: Catalogue,
        templates: TemplateSet,
        *,
        end: int,
        verb: str = "chose",
        names: bool = False,
    ) -> None:
        self.ranker = ranker
        self.catalogue = catalogue
        self.templates = templates
        self.end = end
        self.verb = verb
        self._template = explanation_templates(templates, names=names)[0]
        self._verifier = Verifier(catalogue, verb=verb)

    @property
    def backbone(self) -> Backbone:
        """The model."""
        return self.ranker.scorer.backbone

    @property
    def tokenizer(self) -> TextTokenizer:
        """The model's tokenizer of text."""
        return self.ranker.encoder.tokenizer

    def prompts(
        self, cases: Sequence[Case], able: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], PromptBatch]]:
        """Prompts of those cases that are able to have one, batch by batch."""
        values = ((at, self._values(cases[at].evidence)) for at in able)
        return self.batches((at, render_prompt(self._template, own)) for at, own in values)

    def batches(
        self, prompts: Iterable[tuple[int, Prompt]]
    ) -> Iterator[tuple[Sequence[int], PromptBatch]]:
        """Numbered prompts as batches for the model, each with the numbers in it."""
        left = iter(prompts)
        while chosen := list(islice(left, BATCH)):
            encoded = [self.ranker.encoder.encode(prompt) for _, prompt in chosen]
            batch = PromptBatch.from_prompts(encoded).to(self.backbone.device)
            yield [at for at, _ in chosen], batch

    def check(self, case: Case, text: str, *, rewrite: bool = False) -> Verdict:
        """What of a text holds."""
        return self._verifier.verify(
            text,
            item=case.evidence.item,
            history_rows=case.history,
            evidence=case.evidence,
            rewrite=rewrite,
        )

    def explanation(
        self,
        case: Case,
        text: str,
        claims: tuple[Claim, ...],
        refused: tuple[str, ...],
        source: Source,
    ) -> Explanation:
        """A text as the explanation of a case."""
        item_id = self.catalogue.item_ids[case.evidence.item]
        return Explanation(item_id, text, case.evidence, claims, refused, source)

    def _values(self, evidence: Evidence) -> dict[str, Value]:
        rows = [event.item for event in evidence.events]
        shared = shared_text(evidence.shared)
        return explanation_values(facts_of(self.catalogue), evidence.item, rows, shared)
