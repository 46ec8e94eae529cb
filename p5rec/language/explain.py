"""Explanations in three steps: measure the evidence, write from it, check what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Unpack

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.decoding.next_item import NextItemRanker
from p5rec.errors import RequestError
from p5rec.language.domain_writer import DomainWriter
from p5rec.language.evidence import measure_evidence
from p5rec.language.explanation import Explanation
from p5rec.language.explanation_tools import Case, Tools
from p5rec.language.free_writer import FreeWriter
from p5rec.language.phrases import load_phrases
from p5rec.language.statement_writer import StatementWriter
from p5rec.language.wording import Wording
from p5rec.prompting.templates import TemplateSet

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


class Explainer:
    """Explains items to the people they are suggested to; each sentence is checked.

    Templates, ``end``, ``verb`` and ``names`` are those of :class:`Tools`.

    :param language: that of the explanations that the model learnt from.
    :param wording: what was learnt from reference explanations, if there were any.
    :raises TemplateError: if there is no template to explain with.
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
        self._language = language
        self._tools = Tools(ranker, catalogue, templates, end=end, verb=verb, names=names)
        self._statements = StatementWriter(self._tools)
        self._free = FreeWriter(self._tools, self._statements)
        self._domain = (
            None if wording is None else DomainWriter(ranker, catalogue, templates, wording, end)
        )

    def explain(
        self, histories: Histories, items: IntArray, **how: Unpack[HowToExplain]
    ) -> list[Explanation]:
        """Why ``items[u]`` is suggested after history ``u``.

        :param items: catalogue rows, ``int64[U]``; one history may come with several items.
        :raises RequestError: if there is no such language, or less than one sentence is wanted.
        """
        cases = self._cases(histories, items, how)
        generate = how.get("generate", True)
        if generate == "freely":
            return self._free.explain(cases)
        domain = self._speaks(how)
        if domain is None:
            return self._statements.explain(cases, choose=generate)
        worded = domain.explain(
            [(case.evidence, case.about) for case in cases],
            sentences=how.get("sentences", SENTENCES),
        )
        plain = self._statements.explain(cases, choose=False)
        return [one or other for one, other in zip(worded, plain, strict=True)]

    def stream(
        self, histories: Histories, items: IntArray, **how: Unpack[HowToExplain]
    ) -> Iterator[str | Explanation]:
        """The text of :meth:`explain` for one history and item as it is written, then the whole.

        Along statements each token is a piece, for every way leads to a sentence that holds.
        What is written ``freely`` comes sentence by sentence, each after its check. Text that no
        model writes token by token comes in one piece. The pieces put together are the text.
        """
        generate = how.get("generate", True)
        if generate is True and self._speaks(how) is None:
            (case,) = self._cases(histories, items, how)
            yield from self._statements.stream(case)
            return
        if generate == "freely":
            (case,) = self._cases(histories, items, how)
            if case.evidence.events:
                yield from self._free.stream(case)
                return
        (whole,) = self.explain(histories, items, **how)
        yield whole.text
        yield whole

    def _speaks(self, how: HowToExplain) -> DomainWriter | None:
        """What writes in the words of the domain, where that is what is wanted."""
        spoken = how.get("language") or self._language
        wanted = how.get("generate", True) is True and spoken == self._language
        return self._domain if wanted else None

    def _cases(self, histories: Histories, items: IntArray, how: HowToExplain) -> list[Case]:
        sentences, about = how.get("sentences", SENTENCES), how.get("about", "")
        if sentences < 1:
            raise RequestError(
                f"{sentences} sentences were asked for; expected at least 1. Ask for some."
            )
        language = how.get("language") or self._language
        load_phrases(language)
        wanted = np.asarray(items, dtype=np.int64)
        found = measure_evidence(self._tools.ranker, histories, wanted, self._tools.catalogue)
        known = [about] * len(found) if isinstance(about, str) else list(about)
        return [
            Case(evidence, histories.items[histories.slice(user)], sentences, language, told)
            for user, (evidence, told) in enumerate(zip(found, known, strict=True))
        ]
