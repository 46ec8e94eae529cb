"""Explanations that the model writes in any words, as far as they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from p5rec.language.explanation import Explanation
from p5rec.language.explanation_tools import Case, Tools
from p5rec.language.generate import stream, write
from p5rec.language.statement_writer import StatementWriter
from p5rec.language.verify import split_sentences


class FreeWriter:
    """Lets the model write, checks what it wrote, and keeps what holds.

    :param fallback: says something where nothing of it does.
    """

    def __init__(self, tools: Tools, fallback: StatementWriter) -> None:
        self._tools = tools
        self._fallback = fallback

    def explain(self, cases: Sequence[Case]) -> list[Explanation]:
        """An explanation a case; without evidence nothing is written."""
        tools = self._tools
        written = [""] * len(cases)
        able = [at for at, case in enumerate(cases) if case.evidence.events]
        for chosen, prompts in tools.prompts(cases, able):
            texts = write(tools.backbone, prompts, tokenizer=tools.tokenizer, end=tools.end)
            for at, text in zip(chosen, texts, strict=True):
                written[at] = text
        return [self._kept(case, text) for case, text in zip(cases, written, strict=True)]

    def stream(self, case: Case) -> Iterator[str | Explanation]:
        """Sentence by sentence, each after its check, then the whole."""
        written = told = ""
        for piece in self._pieces(case):
            ended = len(split_sentences(written + piece)) > len(split_sentences(written))
            if ended and written:
                whole = self._kept(case, written)
                if whole.source == "generated":
                    yield whole.text[len(told) :]
                    told = whole.text
            written += piece
        whole = self._kept(case, written)
        yield whole.text[len(told) :]
        yield whole

    def _pieces(self, case: Case) -> Iterator[str]:
        """What the model writes; nothing without evidence."""
        tools = self._tools
        for _, prompts in tools.prompts([case], [0] if case.evidence.events else []):
            yield from stream(tools.backbone, prompts, tokenizer=tools.tokenizer, end=tools.end)

    def _kept(self, case: Case, written: str) -> Explanation:
        """What is left of a text after the check; where that is nothing, plain sentences."""
        verdict = self._tools.check(case, written, rewrite=True)
        kept = split_sentences(verdict.text)[: case.sentences]
        if not kept:
            (plain,) = self._fallback.explain([case], choose=False)
            return replace(plain, refused=verdict.refused)
        text = " ".join(kept)
        claims = self._tools.check(case, text).claims
        return self._tools.explanation(
            case, _capitalised(text), claims, verdict.refused, "generated"
        )


def _capitalised(text: str) -> str:
    """Sentences of a model that writes in lower case, each with a capital."""
    return " ".join(part[0].upper() + part[1:] for part in split_sentences(text))
