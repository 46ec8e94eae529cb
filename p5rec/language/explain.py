"""Explanations in three steps: measure the evidence, write from it, check what was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.decoding.next_item import BATCH, NextItemRanker
from p5rec.errors import RequestError, TemplateError
from p5rec.language.domain_writer import DomainWriter
from p5rec.language.evidence import measure_evidence
from p5rec.language.explanation import Claim, Evidence, Explanation, Source
from p5rec.language.generate import write
from p5rec.language.phrases import load_phrases
from p5rec.language.sentences import Sentence, candidates, shared_text, statements
from p5rec.language.statement_walk import StatementWalk
from p5rec.language.verify import Verdict, Verifier, split_sentences
from p5rec.language.wording import Wording
from p5rec.model.backbone import PromptBatch
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import Attribute, ItemRef
from p5rec.prompting.templates import TemplateSet
from p5rec.prompting.tokenizing import TextTokenizer

IntArray = NDArray[np.int64]
Checked = tuple[Sentence, tuple[Claim, ...]]
Generate = bool | Literal["freely"]


class HowToExplain(TypedDict, total=False):
    """What :meth:`Explainer.explain` can be asked for."""

    generate: Generate
    sentences: int
    language: str | None
    about: str | Sequence[str]


LONGEST = 256
"""Tokens that sentences may take together; a walk along statements ends before."""


@dataclass(frozen=True)
class _Case:
    """One explanation to be made: its evidence, the whole history, and what was asked for."""

    evidence: Evidence
    history: IntArray
    sentences: int
    language: str
    about: str = ""


class Explainer:
    """Explains items to the people they are suggested to; each sentence is checked.

    :param templates: the first explanation template of training that needs no more than item,
        evidence and what they share is used.
    :param end: the base model's end-of-text token.
    :param verb: what people do with the items of their histories, one of ``VERBS``.
    :param language: that of the explanations that the model learnt from.
    :param wording: what was learnt from reference explanations, if there were any.
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
        language: str = "en",
        wording: Wording | None = None,
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
        self._language = language
        self._verifier = Verifier(catalogue, verb=verb)
        self._domain = (
            None if wording is None else DomainWriter(ranker, catalogue, templates, wording, end)
        )

    def explain(
        self,
        histories: Histories,
        items: IntArray,
        *,
        generate: Generate = True,
        sentences: int = 2,
        language: str | None = None,
        about: str | Sequence[str] = "",
    ) -> list[Explanation]:
        """Why ``items[u]`` is suggested after history ``u``.

        :param items: catalogue rows, ``int64[U]``; one history may come with several items.
        :param generate: whether the model writes. It then chooses, token by token, what to say
            and how, and every path that it can take is a statement that holds. ``freely`` lets
            it write any words (English alone); what the check refuses is rewritten or dropped.
            Where nothing is left, and without ``generate``, sentences are made from the evidence.
        :param sentences: at most so many sentences.
        :param language: one of ``phrases.languages()``; by default that of the training.
        :param about: what is known of the person in words, or of each; used where the model has
            learnt from reference explanations, whose words it then takes.
        :raises RequestError: if there is no such language, or less than one sentence is wanted.
        """
        if sentences < 1:
            raise RequestError(
                f"{sentences} sentences were asked for; expected at least 1. Ask for some."
            )
        wanted = np.asarray(items, dtype=np.int64)
        spoken = language or self._language
        load_phrases(spoken)
        found = measure_evidence(self._ranker, histories, wanted, self._catalogue)
        known = [about] * len(found) if isinstance(about, str) else list(about)
        cases = [
            _Case(evidence, histories.items[histories.slice(user)], sentences, spoken, known[user])
            for user, evidence in enumerate(found)
        ]
        if generate == "freely":
            return self._freely(cases)
        if generate and self._domain is not None and spoken == self._language:
            worded = self._domain.explain(
                [(case.evidence, case.about) for case in cases], sentences=sentences
            )
            plain = self._from_statements(cases, choose=False)
            return [one or other for one, other in zip(worded, plain, strict=True)]
        return self._from_statements(cases, choose=generate)

    def _freely(self, cases: Sequence[_Case]) -> list[Explanation]:
        """What the model writes, as far as it holds."""
        written = dict(zip(range(len(cases)), [""] * len(cases), strict=True))
        able = [at for at, case in enumerate(cases) if case.evidence.events]
        for chosen, prompts in self._prompts(cases, able):
            texts = write(
                self._ranker.scorer.backbone, prompts, tokenizer=self._tokenizer, end=self._end
            )
            written.update(zip(chosen, texts, strict=True))
        explanations = []
        for at, case in enumerate(cases):
            verdict = self._check(case, written[at], rewrite=True)
            kept = split_sentences(verdict.text)[: case.sentences]
            if not kept:
                (plain,) = self._from_statements([case], choose=False)
                explanations.append(replace(plain, refused=verdict.refused))
                continue
            text = " ".join(kept)
            claims = self._check(case, text).claims
            explanations.append(
                self._explanation(case, _capitalised(text), claims, verdict.refused, "generated")
            )
        return explanations

    def _from_statements(self, cases: Sequence[_Case], *, choose: bool) -> list[Explanation]:
        """Statements that hold: the strongest, or those that the model chooses."""
        stated = [self._statements(case, every=choose) for case in cases]
        said: dict[int, list[tuple[int, int]]] = {}
        if choose:
            said = self._chosen(cases, stated)
        explanations = []
        for at, (case, found) in enumerate(zip(cases, stated, strict=True)):
            strongest = [(number, 0) for number in range(len(found))][: case.sentences]
            kept = [found[number][form] for number, form in said.get(at) or strongest]
            if not kept:
                none = load_phrases(case.language).none
                claim = Claim(none, "none", True)
                explanations.append(self._explanation(case, none, (claim,), (), "evidence"))
                continue
            text = " ".join(sentence.text for sentence, _ in kept)
            claims = tuple(claim for _, own in kept for claim in own)
            source: Source = "generated" if said.get(at) else "evidence"
            explanations.append(self._explanation(case, text, claims, (), source))
        return explanations

    def _statements(self, case: _Case, *, every: bool) -> list[list[Checked]]:
        """The statements of the evidence that pass the check, in every wording or in one."""
        options = {"verb": self._verb, "language": case.language}
        found: Iterable[Sequence[Sentence]] = (
            statements(self._catalogue, case.evidence, **options)
            if every
            else ([one] for one in candidates(self._catalogue, case.evidence, **options))
        )
        held = []
        for forms in found:
            checked = [(form, self._check(case, form.english)) for form in forms]
            kept = [(form, verdict.claims) for form, verdict in checked if verdict.holds]
            held += [kept] if kept else []
            if not every and len(held) == case.sentences:
                break
        return held

    def _chosen(
        self, cases: Sequence[_Case], stated: Sequence[list[list[Checked]]]
    ) -> dict[int, list[tuple[int, int]]]:
        """What the model says of what can be said: statements and wordings, by case."""
        said: dict[int, list[tuple[int, int]]] = {}
        for chosen, prompts in self._prompts(
            cases, [at for at, found in enumerate(stated) if found]
        ):
            walks = [self._walk(cases[at], stated[at]) for at in chosen]
            write(
                self._ranker.scorer.backbone,
                prompts,
                tokenizer=self._tokenizer,
                end=self._end,
                longest=LONGEST,
                walks=walks,
            )
            said.update((at, walk.said) for at, walk in zip(chosen, walks, strict=True))
        return said

    def _walk(self, case: _Case, stated: list[list[Checked]]) -> StatementWalk:
        encode = self._tokenizer.encode_untrusted
        tokens = [[encode(sentence.text) for sentence, _ in forms] for forms in stated]
        return StatementWalk(tokens, most=case.sentences, end=self._end)

    def _prompts(
        self, cases: Sequence[_Case], able: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], PromptBatch]]:
        """Prompts of those cases that are able to have one, batch by batch."""
        encoder, device = self._ranker.encoder, self._ranker.scorer.backbone.device
        for start in range(0, len(able), BATCH):
            chosen = able[start : start + BATCH]
            prompts = [
                encoder.encode(render_prompt(self._template, _values(cases[at].evidence)))
                for at in chosen
            ]
            yield chosen, PromptBatch.from_prompts(prompts).to(device)

    @property
    def _tokenizer(self) -> TextTokenizer:
        return self._ranker.encoder.tokenizer

    def _check(self, case: _Case, text: str, *, rewrite: bool = False) -> Verdict:
        return self._verifier.verify(
            text,
            item=case.evidence.item,
            history_rows=case.history,
            evidence=case.evidence,
            rewrite=rewrite,
        )

    def _explanation(
        self,
        case: _Case,
        text: str,
        claims: tuple[Claim, ...],
        refused: tuple[str, ...],
        source: Source,
    ) -> Explanation:
        item_id = self._catalogue.item_ids[case.evidence.item]
        return Explanation(item_id, text, case.evidence, claims, refused, source)


def _capitalised(text: str) -> str:
    """Sentences of a model that writes in lower case, each with a capital."""
    return " ".join(part[0].upper() + part[1:] for part in split_sentences(text))


def _values(evidence: Evidence) -> dict[str, Value]:
    return {
        "item": ItemRef(evidence.item),
        "evidence": [ItemRef(event.item) for event in evidence.events],
        "shared": Attribute(shared_text(evidence.shared)),
    }
