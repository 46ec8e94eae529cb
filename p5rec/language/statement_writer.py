"""Explanations made of statements that hold: the strongest, or those that the model chooses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from p5rec.language.choices import Choices
from p5rec.language.explanation import Claim, Explanation
from p5rec.language.explanation_tools import Case, Tools
from p5rec.language.generate import LONGEST_KEPT, walk_along, write
from p5rec.language.phrases import load_phrases
from p5rec.language.sentences import Sentence, candidates, statements

Checked = tuple[Sentence, tuple[Claim, ...]]
Said = list[tuple[int, int]]
"""Statements by number, and which wording of each."""


class StatementWriter:
    """Says what the evidence supports; what the model chooses, it chooses token by token."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def explain(self, cases: Sequence[Case], *, choose: bool) -> list[Explanation]:
        """An explanation a case; without ``choose`` its strongest statements."""
        stated = [self._statements(case, every=choose) for case in cases]
        said = self._chosen(cases, stated) if choose else {}
        return [
            self._worded(case, found, said.get(at, []))
            for at, (case, found) in enumerate(zip(cases, stated, strict=True))
        ]

    def stream(self, case: Case) -> Iterator[str | Explanation]:
        """What the model chooses, a piece a token, then the whole."""
        tools, stated = self._tools, self._statements(case, every=True)
        said: Said = []
        told = ""
        if stated:
            ((_, prompts),) = tools.prompts([case], [0])
            choices = self._choices(stated)
            walk = choices.walk(most=case.sentences, end=tools.end)
            for _ in walk_along(
                tools.backbone,
                prompts,
                walk,
                tokenizer=tools.tokenizer,
                end=tools.end,
                longest=LONGEST_KEPT,
            ):
                text = choices.so_far(walk)
                yield text[len(told) :]
                told = text
            said = walk.said
        whole = self._worded(case, stated, said)
        yield whole.text[len(told) :]
        yield whole

    def _worded(self, case: Case, stated: list[list[Checked]], said: Said) -> Explanation:
        """The statements that were chosen; the strongest ones where none was."""
        strongest = [(number, 0) for number in range(len(stated))][: case.sentences]
        kept = [stated[number][form] for number, form in said or strongest]
        if not kept:
            none = load_phrases(case.language).none
            return self._tools.explanation(case, none, (Claim(none, "none", True),), (), "evidence")
        text = " ".join(sentence.text for sentence, _ in kept)
        claims = tuple(claim for _, own in kept for claim in own)
        return self._tools.explanation(case, text, claims, (), "generated" if said else "evidence")

    def _statements(self, case: Case, *, every: bool) -> list[list[Checked]]:
        """The statements of the evidence that pass the check, in every wording or in one."""
        catalogue = self._tools.catalogue
        options = {"verb": self._tools.verb, "language": case.language}
        stated = (statements if every else candidates)(catalogue, case.evidence, **options)
        held = []
        for forms in stated:
            checked = ((form, self._tools.check(case, form.english)) for form in forms)
            holding = ((form, verdict.claims) for form, verdict in checked if verdict.holds)
            kept = list(islice(holding, None if every else 1))
            held += [kept] if kept else []
            if not every and len(held) == case.sentences:
                break
        return held

    def _chosen(
        self, cases: Sequence[Case], stated: Sequence[list[list[Checked]]]
    ) -> dict[int, Said]:
        """What the model says of what can be said: statements and wordings, by case."""
        tools = self._tools
        said: dict[int, Said] = {}
        for chosen, prompts in tools.prompts(
            cases, [at for at, found in enumerate(stated) if found]
        ):
            walks = [
                self._choices(stated[at]).walk(most=cases[at].sentences, end=tools.end)
                for at in chosen
            ]
            write(
                tools.backbone,
                prompts,
                tokenizer=tools.tokenizer,
                end=tools.end,
                longest=LONGEST_KEPT,
                walks=walks,
            )
            said.update((at, walk.said) for at, walk in zip(chosen, walks, strict=True))
        return said

    def _choices(self, stated: list[list[Checked]]) -> Choices:
        texts = [[form.text for form, _ in forms] for forms in stated]
        return Choices(texts, self._tools.tokenizer)
