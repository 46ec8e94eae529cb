"""Reasons in the words of a domain: the model chooses among sentences that records support."""

from __future__ import annotations

from collections.abc import Sequence

from p5rec.errors import TemplateError
from p5rec.language.explanation import Explanation
from p5rec.language.explanation_tools import Case, Tools
from p5rec.language.generate import LONGEST_KEPT, write
from p5rec.language.reviews import described
from p5rec.language.statement_walk import StatementWalk
from p5rec.language.statement_writer import StatementWriter
from p5rec.language.support import Records
from p5rec.language.wording import Wording
from p5rec.model.prompt_batch import PromptBatch
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import Attribute, ItemRef, Prompt


class DomainWriter:
    """Writes as the reference explanations do that a model learnt from.

    :param fallback: says something where no such sentence is supported.
    :raises TemplateError: if no template of training needs just the item and its words.
    """

    def __init__(self, tools: Tools, wording: Wording, fallback: StatementWriter) -> None:
        plain = tools.templates.of("reason", seen=True, given={"item", "words"})
        if not plain:
            raise TemplateError(
                "reason has no template with seen = true that needs only {item} and {words}. "
                "Add one to prompts/reason.toml."
            )
        telling = tools.templates.of("reason", seen=True, given={"item", "words", "user"})
        self._plain = plain[0]
        self._telling = next((one for one in telling if "user" in one.needs), plain[0])
        self._tools = tools
        self._wording = wording
        self._fallback = fallback

    def explain(self, cases: Sequence[Case]) -> list[Explanation]:
        """A reason a case."""
        catalogue = self._tools.catalogue
        items = [described(catalogue, case.evidence.item) for case in cases]
        stated = [
            self._wording.sentences(item, case.about)[: case.sentences]
            for item, case in zip(items, cases, strict=True)
        ]
        found: dict[int, Explanation] = {}
        values = ((at, _values(cases[at], items[at])) for at, places in enumerate(stated) if places)
        for chosen, prompts in self._tools.batches((at, self._prompt(own)) for at, own in values):
            texts = self._written(prompts, [stated[at] for at in chosen])
            for at, text in zip(chosen, texts, strict=True):
                case = cases[at]
                records = [catalogue.text(case.evidence.item), items[at], case.about]
                claims = tuple(Records(records).claims(text))
                if text and all(claim.supported for claim in claims):
                    found[at] = self._tools.explanation(case, text, claims, (), "generated")
        left = [at for at in range(len(cases)) if at not in found]
        plain = self._fallback.explain([cases[at] for at in left], choose=False)
        found.update(zip(left, plain, strict=True))
        return [found[at] for at in range(len(cases))]

    def _prompt(self, values: dict[str, Value]) -> Prompt:
        return render_prompt(self._telling if "user" in values else self._plain, values)

    def _written(self, prompts: PromptBatch, stated: Sequence[list[list[str]]]) -> list[str]:
        """What the model chooses of the sentences for each place."""
        tools = self._tools
        encode = tools.tokenizer.encode_untrusted
        walks = [
            StatementWalk(
                [[encode(sentence) for sentence in place] for place in places],
                most=len(places),
                least=len(places),
                ordered=True,
                end=tools.end,
            )
            for places in stated
        ]
        write(
            tools.backbone,
            prompts,
            tokenizer=tools.tokenizer,
            end=tools.end,
            longest=LONGEST_KEPT,
            walks=walks,
        )
        return [
            " ".join(places[number][form] for number, form in walk.said)
            for walk, places in zip(walks, stated, strict=True)
        ]


def _values(case: Case, item_words: str) -> dict[str, Value]:
    told: dict[str, Value] = {"item": ItemRef(case.evidence.item), "words": Attribute(item_words)}
    return told | ({"user": Attribute(case.about)} if case.about else {})
