"""Explanations in three steps: measure the evidence, write from it, check what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Unpack

from p5rec.data.events import Histories
from p5rec.errors import RequestError
from p5rec.hints import check_keywords
from p5rec.language.domain_writer import DomainWriter
from p5rec.language.evidence import measure_evidence
from p5rec.language.explanation import Explanation
from p5rec.language.explanation_tools import Case, Tools
from p5rec.language.free_writer import FreeWriter
from p5rec.language.phrases import load_phrases
from p5rec.language.statement_writer import StatementWriter
from p5rec.language.wording import Wording

IntArray = NDArray[np.int64]
Generate = bool | Literal["freely"]

SENTENCES = 2
"""As many as an explanation has at most, unless others are asked for."""


class HowToExplain(TypedDict, total=False):
    """What :meth:`Explainer.explain` can be asked for; every key may be left out.

    - ``generate``: whether the model writes (True). It then chooses, token by token, what to say
      and how, and every path that it can take is a statement that holds. ``freely`` lets it write
      any words (English alone); what the check refuses is rewritten or dropped. Where nothing is
      left, and with False, sentences are made from the evidence.
    - ``sentences``: at most so many (2).
    - ``language``: one of ``phrases.languages()``; by default that of the training.
    - ``about``: what is known of the person in words, or of each; used where the model has learnt
      from reference explanations, whose words it then takes.
    """

    generate: Generate
    sentences: int
    language: str | None
    about: str | Sequence[str]


@dataclass(frozen=True)
class _Asked:
    """What was asked for, checked, and where nothing was said, what then holds."""

    generate: Generate
    sentences: int
    language: str
    about: str | Sequence[str]

    @classmethod
    def of(cls, how: HowToExplain, language: str) -> _Asked:
        check_keywords(how, HowToExplain.__annotations__)
        asked = cls(
            how.get("generate", True),
            how.get("sentences", SENTENCES),
            how.get("language") or language,
            how.get("about", ""),
        )
        if asked.sentences < 1:
            raise RequestError(
                f"{asked.sentences} sentences were asked for; expected at least 1. Ask for some."
            )
        load_phrases(asked.language)
        return asked

    def of_each(self, n_pairs: int) -> list[str]:
        """What is known of the person of each pair of history and item."""
        if isinstance(self.about, str):
            return [self.about] * n_pairs
        if len(self.about) != n_pairs:
            raise RequestError(
                f"about has {len(self.about)} texts for {n_pairs} pairs of history and item. Give "
                "one text for all, or one for each."
            )
        return list(self.about)


class Explainer:
    """Explains items to the people they are suggested to; each sentence is checked.

    :param language: that of the explanations that the model learnt from.
    :param wording: what was learnt from reference explanations, if there were any.
    :raises TemplateError: if there is a wording and no template to write with it.
    """

    def __init__(
        self, tools: Tools, *, language: str = "en", wording: Wording | None = None
    ) -> None:
        self._tools = tools
        self._language = language
        self._statements = StatementWriter(tools)
        self._free = FreeWriter(tools, self._statements)
        self._domain = None if wording is None else DomainWriter(tools, wording, self._statements)

    def explain(
        self, histories: Histories, items: IntArray, **how: Unpack[HowToExplain]
    ) -> list[Explanation]:
        """Why ``items[u]`` is suggested after history ``u``.

        :param items: catalogue rows, ``int64[U]``; one history may come with several items.
        :raises RequestError: if there is no such language or keyword, less than one sentence is
            wanted, or ``about`` has another length than ``items``.
        """
        asked = _Asked.of(how, self._language)
        cases = self._cases(histories, items, asked)
        if asked.generate == "freely":
            return self._free.explain(cases)
        domain = self._domain_writer(asked)
        if domain is not None:
            return domain.explain(cases)
        return self._statements.explain(cases, choose=asked.generate)

    def stream(
        self, histories: Histories, items: IntArray, **how: Unpack[HowToExplain]
    ) -> Iterator[str | Explanation]:
        """The text of :meth:`explain` for one history and item as it is written, then the whole.

        Along statements each token is a piece, for every way leads to a sentence that holds.
        What is written ``freely`` comes sentence by sentence, each after its check. Text that no
        model writes token by token comes in one piece. The pieces put together are the text.
        """
        asked = _Asked.of(how, self._language)
        if asked.generate is True and self._domain_writer(asked) is None:
            (case,) = self._cases(histories, items, asked)
            yield from self._statements.stream(case)
            return
        if asked.generate == "freely":
            (case,) = self._cases(histories, items, asked)
            yield from self._free.stream(case)
            return
        (whole,) = self.explain(histories, items, **how)
        yield whole.text
        yield whole

    def _domain_writer(self, asked: _Asked) -> DomainWriter | None:
        """What writes in the words of the domain, where that is what is wanted."""
        wanted = asked.generate is True and asked.language == self._language
        return self._domain if wanted else None

    def _cases(self, histories: Histories, items: IntArray, asked: _Asked) -> list[Case]:
        wanted = np.asarray(items, dtype=np.int64)
        about = asked.of_each(len(wanted))
        found = measure_evidence(self._tools.ranker, histories, wanted, self._tools.catalogue)
        return [
            Case(
                evidence,
                histories.items[histories.slice(user)],
                asked.sentences,
                asked.language,
                told,
            )
            for user, (evidence, told) in enumerate(zip(found, about, strict=True))
        ]
