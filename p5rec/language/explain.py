"""Explanations in three steps: measure the evidence, write from it, check what was written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.decoding.next_item import BATCH, NextItemRanker
from p5rec.errors import TemplateError
from p5rec.language.evidence import measure_evidence
from p5rec.language.explanation import Claim, Evidence, Explanation
from p5rec.language.generate import write
from p5rec.language.sentences import NO_REASON, candidates, shared_text
from p5rec.language.verify import Verifier, split_sentences
from p5rec.model.backbone import PromptBatch
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import Attribute, ItemRef
from p5rec.prompting.templates import TemplateSet

IntArray = NDArray[np.int64]


class Explainer:
    """Explains items to the people they are suggested to; each sentence is checked.

    :param templates: the first explanation template of training that needs no more than item,
        evidence and what they share is used.
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
    ) -> None:
        given = {"item", "evidence", "shared"}
        fitting = templates.of("explanation", seen=True, given=given)
        if not fitting:
            raise TemplateError(
                "explanation has no template with seen = true that needs only {item}, {evidence} "
                "and {shared}. Add one to prompts/explanation.toml."
            )
        self._ranker = ranker
        self._catalogue = catalogue
        self._template = fitting[0]
        self._end = end
        self._verb = verb
        self._verifier = Verifier(catalogue)

    def explain(
        self, histories: Histories, items: IntArray, *, generate: bool = True, sentences: int = 2
    ) -> list[Explanation]:
        """Why ``items[u]`` is suggested after history ``u``.

        :param items: catalogue rows, ``int64[U]``; one history may come with several items.
        :param generate: whether the model writes; else, and where none of its sentences holds or
            nothing carried the item, plain sentences are made from the evidence.
        :param sentences: at most so many plain sentences.
        """
        wanted = np.asarray(items, dtype=np.int64)
        found = measure_evidence(self._ranker, histories, wanted, self._catalogue)
        texts = self._written(found) if generate else [""] * len(found)
        return [
            self._checked(evidence, text, histories.items[histories.slice(user)], sentences)
            for user, (evidence, text) in enumerate(zip(found, texts, strict=True))
        ]

    def _written(self, found: Sequence[Evidence]) -> list[str]:
        """What the model writes for each evidence; nothing where there is none."""
        texts = [""] * len(found)
        able = [at for at, evidence in enumerate(found) if evidence.events]
        for start in range(0, len(able), BATCH):
            chosen = able[start : start + BATCH]
            encoder, backbone = self._ranker.encoder, self._ranker.scorer.backbone
            prompts = PromptBatch.from_prompts(
                [encoder.encode(render_prompt(self._template, _values(found[at]))) for at in chosen]
            )
            written = write(
                backbone, prompts.to(backbone.device), tokenizer=encoder.tokenizer, end=self._end
            )
            for at, text in zip(chosen, written, strict=True):
                texts[at] = text
        return texts

    def _checked(
        self, evidence: Evidence, text: str, history: IntArray, sentences: int
    ) -> Explanation:
        item = evidence.item
        verdict = self._verifier.verify(text, item=item, history_rows=history, evidence=evidence)
        item_id = self._catalogue.item_ids[item]
        if verdict.text:
            return Explanation(
                item_id,
                _capitalised(verdict.text),
                evidence,
                verdict.claims,
                verdict.refused,
                "generated",
            )
        plain, claims = self._plain(evidence, history, sentences)
        return Explanation(item_id, plain, evidence, claims, verdict.refused, "evidence")

    def _plain(
        self, evidence: Evidence, history: IntArray, most: int
    ) -> tuple[str, tuple[Claim, ...]]:
        """Plain sentences that pass the same check as the model's."""
        kept: list[str] = []
        claims: list[Claim] = []
        for sentence in candidates(self._catalogue, evidence, verb=self._verb):
            if len(kept) >= most:
                break
            verdict = self._verifier.verify(
                sentence, item=evidence.item, history_rows=history, evidence=evidence
            )
            if verdict.text and not verdict.refused:
                kept.append(sentence)
                claims += verdict.claims
        if not kept:
            return NO_REASON, (Claim(NO_REASON, "none", True),)
        return " ".join(kept), tuple(claims)


def _capitalised(text: str) -> str:
    """Sentences of a model that writes in lower case, each with a capital."""
    return " ".join(part[0].upper() + part[1:] for part in split_sentences(text))


def _values(evidence: Evidence) -> dict[str, Value]:
    return {
        "item": ItemRef(evidence.item),
        "evidence": [ItemRef(event.item) for event in evidence.events],
        "shared": Attribute(shared_text(evidence.shared)),
    }
