"""What the prompt of a request shows."""

from __future__ import annotations

import numpy as np
from tiny_worlds import grocery_world, histories_of

from p5rec.language.request_prompt import SHOWN, request_prompts, request_templates
from p5rec.prompting.templates import TemplateSet

MODEL = grocery_world("gpt2").model


def test_a_history_stands_before_the_request_its_newest_events_alone() -> None:
    histories = histories_of([[], [3, 5], [0] * 60 + [7]])
    none, two, long = request_prompts(MODEL.encoder, MODEL.templates, "a snack", histories)
    base = MODEL.scorer.backbone.table.base_size

    def items(prompt: np.ndarray) -> np.ndarray:
        return prompt[prompt[:, 0] >= base]

    assert len(items(none)) == 0
    assert (items(two) == MODEL.encoder.items(np.array([3, 5]))).all()
    assert (items(long) == MODEL.encoder.items(np.array([0] * (SHOWN - 1) + [7]))).all()


def test_without_a_template_for_a_history_it_is_not_shown() -> None:
    plain = TemplateSet(request_templates(MODEL.templates, after=False))
    found = request_prompts(MODEL.encoder, plain, "a snack", histories_of([[], [3, 5]]))
    assert (found[0] == found[1]).all()
