"""Reasons in the words of a domain: the model chooses among sentences that records support."""

from __future__ import annotations

from collections.abc import Sequence

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.next_item import BATCH, NextItemRanker
from p5rec.errors import TemplateError
from p5rec.language.explanation import Evidence, Explanation
from p5rec.language.generate import write
from p5rec.language.reviews import described
from p5rec.language.statement_walk import StatementWalk
from p5rec.language.support import Records
from p5rec.language.wording import Wording
from p5rec.model.prompt_batch import PromptBatch
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import Attribute, ItemRef
from p5rec.prompting.templates import TemplateSet

LONGEST = 256


class DomainWriter:
    """Writes as the reference explanations do that a model learnt from.

    :param end: the base model's end-of-text token.
    :raises TemplateError: if no template of training needs just the item and its words.
    """

    def __init__(
        self,
        ranker: NextItemRanker,
        catalogue: Catalogue,
        templates: TemplateSet,
        wording: Wording,
        end: int,
    ) -> None:
        plain = templates.of("reason", seen=True, given={"item", "words"})
        if not plain:
            raise TemplateError(
                "reason has no template with seen = true that needs only {item} and {words}. "
                "Add one to prompts/reason.toml."
            )
        telling = templates.of("reason", seen=True, given={"item", "words", "user"})
        self._plain = plain[0]
        self._telling = next((one for one in telling if "user" in one.needs), plain[0])
        self._ranker = ranker
        self._catalogue = catalogue
        self._wording = wording
        self._end = end

    def explain(
        self, cases: Sequence[tuple[Evidence, str]], *, sentences: int
    ) -> list[Explanation | None]:
        """A reason for each item, given what is known of the person; None where there is none."""
        described_ = [described(self._catalogue, evidence.item) for evidence, _ in cases]
        stated = [
            self._wording.sentences(item_words, about)[:sentences]
            for item_words, (_, about) in zip(described_, cases, strict=True)
        ]
        found: list[Explanation | None] = [None] * len(cases)
        able = [at for at, places in enumerate(stated) if places]
        for start in range(0, len(able), BATCH):
            chosen = able[start : start + BATCH]
            texts = self._written(
                [self._values(cases[at], described_[at]) for at in chosen],
                [stated[at] for at in chosen],
            )
            for at, text in zip(chosen, texts, strict=True):
                evidence, about = cases[at]
                records = [self._catalogue.text(evidence.item), described_[at], about]
                claims = Records(records).claims(text)
                item_id = self._catalogue.item_ids[evidence.item]
                if text and all(claim.supported for claim in claims):
                    found[at] = Explanation(item_id, text, evidence, tuple(claims), (), "generated")
        return found

    def _values(self, case: tuple[Evidence, str], item_words: str) -> dict[str, Value]:
        evidence, about = case
        told: dict[str, Value] = {"item": ItemRef(evidence.item), "words": Attribute(item_words)}
        return told | ({"user": Attribute(about)} if about else {})

    def _written(
        self, values: Sequence[dict[str, Value]], stated: Sequence[list[list[str]]]
    ) -> list[str]:
        """What the model chooses of the sentences for each place."""
        encoder, backbone = self._ranker.encoder, self._ranker.scorer.backbone
        prompts = PromptBatch.from_prompts(
            [
                encoder.encode(render_prompt(self._telling if "user" in one else self._plain, one))
                for one in values
            ]
        )
        encode = encoder.tokenizer.encode_untrusted
        walks = [
            StatementWalk(
                [[encode(sentence) for sentence in place] for place in places],
                most=len(places),
                least=len(places),
                ordered=True,
                end=self._end,
            )
            for places in stated
        ]
        write(
            backbone,
            prompts.to(backbone.device),
            tokenizer=encoder.tokenizer,
            end=self._end,
            longest=LONGEST,
            walks=walks,
        )
        return [
            " ".join(places[number][form] for number, form in walk.said)
            for walk, places in zip(walks, stated, strict=True)
        ]
