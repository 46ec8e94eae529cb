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
from p5rec.errors import RequestError
from p5rec.language.choices import Choices
from p5rec.language.domain_writer import DomainWriter
from p5rec.language.evidence import measure_evidence
from p5rec.language.explanation import Claim, Evidence, Explanation, Source
from p5rec.language.explanation_prompt import explanation_templates, explanation_values
from p5rec.language.facts import facts_of
from p5rec.language.generate import stream, walk_along, write
from p5rec.language.phrases import load_phrases
from p5rec.language.sentences import Sentence, candidates, shared_text, statements
from p5rec.language.verify import Verdict, Verifier, split_sentences
from p5rec.language.wording import Wording
from p5rec.model.prompt_batch import PromptBatch
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
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
        evidence and what they share (with ``names`` what they are called, too) is used.
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
        names: bool = False,
        wording: Wording | None = None,
    ) -> None:
        self._ranker = ranker
        self._catalogue = catalogue
        self._template = explanation_templates(templates, names=names)[0]
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
        spoken = language or self._language
        cases = self._cases(histories, items, sentences, spoken, about)
        if generate == "freely":
            return self._freely(cases)
        if generate and self._domain is not None and spoken == self._language:
            worded = self._domain.explain(
                [(case.evidence, case.about) for case in cases], sentences=sentences
            )
            plain = self._from_statements(cases, choose=False)
            return [one or other for one, other in zip(worded, plain, strict=True)]
        return self._from_statements(cases, choose=generate)

    def stream(
        self,
        histories: Histories,
        items: IntArray,
        *,
        generate: Generate = True,
        sentences: int = 2,
        language: str | None = None,
        about: str | Sequence[str] = "",
    ) -> Iterator[str | Explanation]:
        """The text of :meth:`explain` for one history and item as it is written, then the whole.

        Along statements each token is a piece, for every way leads to a sentence that holds.
        What is written ``freely`` comes sentence by sentence, each after its check. Text that no
        model writes token by token comes in one piece. The pieces put together are the text.
        """
        spoken = language or self._language
        (case,) = self._cases(histories, items, sentences, spoken, about)
        domain = generate and self._domain is not None and spoken == self._language
        if generate == "freely" and case.evidence.events:
            yield from self._freely_streamed(case)
        elif generate is True and not domain:
            yield from self._chosen_streamed(case)
        else:
            (whole,) = self.explain(
                histories,
                items,
                generate=generate,
                sentences=sentences,
                language=language,
                about=about,
            )
            yield whole.text
            yield whole

    def _cases(
        self,
        histories: Histories,
        items: IntArray,
        sentences: int,
        language: str,
        about: str | Sequence[str],
    ) -> list[_Case]:
        if sentences < 1:
            raise RequestError(
                f"{sentences} sentences were asked for; expected at least 1. Ask for some."
            )
        load_phrases(language)
        wanted = np.asarray(items, dtype=np.int64)
        found = measure_evidence(self._ranker, histories, wanted, self._catalogue)
        known = [about] * len(found) if isinstance(about, str) else list(about)
        return [
            _Case(
                evidence, histories.items[histories.slice(user)], sentences, language, known[user]
            )
            for user, evidence in enumerate(found)
        ]

    def _freely(self, cases: Sequence[_Case]) -> list[Explanation]:
        """What the model writes, as far as it holds."""
        written = dict(zip(range(len(cases)), [""] * len(cases), strict=True))
        able = [at for at, case in enumerate(cases) if case.evidence.events]
        for chosen, prompts in self._prompts(cases, able):
            texts = write(
                self._ranker.scorer.backbone, prompts, tokenizer=self._tokenizer, end=self._end
            )
            written.update(zip(chosen, texts, strict=True))
        return [self._as_far_as_it_holds(case, written[at]) for at, case in enumerate(cases)]

    def _as_far_as_it_holds(self, case: _Case, written: str) -> Explanation:
        """What is left of a text after the check; where that is nothing, plain sentences."""
        verdict = self._check(case, written, rewrite=True)
        kept = split_sentences(verdict.text)[: case.sentences]
        if not kept:
            (plain,) = self._from_statements([case], choose=False)
            return replace(plain, refused=verdict.refused)
        text = " ".join(kept)
        claims = self._check(case, text).claims
        return self._explanation(case, _capitalised(text), claims, verdict.refused, "generated")

    def _freely_streamed(self, case: _Case) -> Iterator[str | Explanation]:
        ((_, prompts),) = self._prompts([case], [0])
        written = told = ""
        backbone = self._ranker.scorer.backbone
        for piece in stream(backbone, prompts, tokenizer=self._tokenizer, end=self._end):
            ended = len(split_sentences(written + piece)) > len(split_sentences(written))
            if ended and written:
                whole = self._as_far_as_it_holds(case, written)
                if whole.source == "generated":
                    yield whole.text[len(told) :]
                    told = whole.text
            written += piece
        whole = self._as_far_as_it_holds(case, written)
        yield whole.text[len(told) :]
        yield whole

    def _chosen_streamed(self, case: _Case) -> Iterator[str | Explanation]:
        stated = self._statements(case, every=True)
        said: list[tuple[int, int]] = []
        told = ""
        if stated:
            ((_, prompts),) = self._prompts([case], [0])
            choices = self._choices(stated)
            walk = choices.walk(most=case.sentences, end=self._end)
            for _ in walk_along(
                self._ranker.scorer.backbone,
                prompts,
                walk,
                tokenizer=self._tokenizer,
                end=self._end,
                longest=LONGEST,
            ):
                text = choices.so_far(walk)
                yield text[len(told) :]
                told = text
            said = walk.said
        whole = self._worded(case, stated, said)
        yield whole.text[len(told) :]
        yield whole

    def _from_statements(self, cases: Sequence[_Case], *, choose: bool) -> list[Explanation]:
        """Statements that hold: the strongest, or those that the model chooses."""
        stated = [self._statements(case, every=choose) for case in cases]
        said: dict[int, list[tuple[int, int]]] = {}
        if choose:
            said = self._chosen(cases, stated)
        return [
            self._worded(case, found, said.get(at, []))
            for at, (case, found) in enumerate(zip(cases, stated, strict=True))
        ]

    def _worded(
        self, case: _Case, stated: list[list[Checked]], said: Sequence[tuple[int, int]]
    ) -> Explanation:
        """The statements that were chosen; the strongest ones where none was."""
        strongest = [(number, 0) for number in range(len(stated))][: case.sentences]
        kept = [stated[number][form] for number, form in said or strongest]
        if not kept:
            none = load_phrases(case.language).none
            return self._explanation(case, none, (Claim(none, "none", True),), (), "evidence")
        text = " ".join(sentence.text for sentence, _ in kept)
        claims = tuple(claim for _, own in kept for claim in own)
        return self._explanation(case, text, claims, (), "generated" if said else "evidence")

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
            walks = [
                self._choices(stated[at]).walk(most=cases[at].sentences, end=self._end)
                for at in chosen
            ]
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

    def _choices(self, stated: list[list[Checked]]) -> Choices:
        return Choices([[form.text for form, _ in forms] for forms in stated], self._tokenizer)

    def _prompts(
        self, cases: Sequence[_Case], able: Sequence[int]
    ) -> Iterator[tuple[Sequence[int], PromptBatch]]:
        """Prompts of those cases that are able to have one, batch by batch."""
        encoder, device = self._ranker.encoder, self._ranker.scorer.backbone.device
        for start in range(0, len(able), BATCH):
            chosen = able[start : start + BATCH]
            prompts = [
                encoder.encode(render_prompt(self._template, self._values(cases[at].evidence)))
                for at in chosen
            ]
            yield chosen, PromptBatch.from_prompts(prompts).to(device)

    def _values(self, evidence: Evidence) -> dict[str, Value]:
        rows = [event.item for event in evidence.events]
        shared = shared_text(evidence.shared)
        return explanation_values(facts_of(self._catalogue), evidence.item, rows, shared)

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
