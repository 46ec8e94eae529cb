"""What the prompt of a request shows, in training and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from p5rec.data.events import Histories
from p5rec.model.prompt_batch import EncodedPrompt
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.prompting.placeholders import Value
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import ItemRef, UntrustedText
from p5rec.prompting.template import Template
from p5rec.prompting.templates import TemplateSet

SHOWN = 32
"""The newest events of a history that stand before a request."""


def request_templates(templates: TemplateSet, *, after: bool) -> tuple[Template, ...]:
    """The templates of training for a request alone, or ``after`` a history; maybe none."""
    given = {"request", "history"} if after else {"request"}
    found = templates.of("request", seen=True, given=given)
    return tuple(template for template in found if after == ("history" in template.needs))


def request_values(words: str, history: Sequence[int] = ()) -> dict[str, Value]:
    """The values of a request's prompt: a person's own words, and catalogue rows, oldest first."""
    items = [ItemRef(row) for row in history[-SHOWN:]]
    return {"request": UntrustedText(words), "history": items}


def request_prompts(
    encoder: PromptEncoder, templates: TemplateSet, words: str, histories: Histories
) -> list[EncodedPrompt]:
    """The prompts of one request after each history; an empty one is not mentioned.

    Where no template has both, none is.
    """
    alone = request_templates(templates, after=False)[0]
    after = next(iter(request_templates(templates, after=True)), alone)
    items = np.asarray(histories.items, dtype=np.int64)
    prompts = []
    for user in range(len(histories)):
        history = items[histories.slice(user)].tolist()
        values = request_values(words, history)
        prompts.append(encoder.encode(render_prompt(after if history else alone, values)))
    return prompts
