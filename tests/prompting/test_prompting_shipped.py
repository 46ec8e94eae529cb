import re
import tomllib
from pathlib import Path

import pytest

from p5rec.prompting.rendering import render
from p5rec.prompting.segments import Attribute, ItemRef, UntrustedText
from p5rec.prompting.templates import load_templates, parse_templates, require_minimum

FILES = sorted((Path(__file__).parents[2] / "prompts").glob("*.toml"))
VALUES = {
    "next_item": {"history": [ItemRef(1)], "user": Attribute("two adults"), "item": ItemRef(2)},
    "explanation": {
        "history": [ItemRef(1), ItemRef(3)],
        "item": ItemRef(2),
        "evidence": [ItemRef(1)],
        "shared": Attribute("oat drinks"),
        "words": Attribute("Oat drink, Mill Lane"),
        "earlier": Attribute("Rolled oats"),
        "explanation": UntrustedText("You often buy oat milk."),
    },
    "request": {
        "request": UntrustedText("something crunchy"),
        "history": [ItemRef(1)],
        "item": ItemRef(2),
    },
    "item_text": {"item": ItemRef(2), "words": Attribute("oat milk")},
    "rating": {
        "item": ItemRef(2),
        "words": Attribute("oat milk"),
        "history": [ItemRef(1)],
        "user": Attribute("two adults"),
        "past": UntrustedText("Too sweet."),
        "rating": Attribute("4"),
    },
    "reason": {
        "item": ItemRef(2),
        "words": Attribute("oat milk"),
        "history": [ItemRef(1)],
        "user": Attribute("two adults"),
        "past": UntrustedText("Too sweet."),
        "explanation": UntrustedText("It froths well."),
    },
    "review_summary": {
        "review": UntrustedText("It froths well and keeps."),
        "item": ItemRef(2),
        "rating": Attribute("4"),
        "summary": UntrustedText("Froths well"),
    },
}
SHIPPED = list(load_templates())


def test_there_is_a_file_for_each_task():
    assert [file.stem for file in FILES] == [
        *("explanation", "item_text", "next_item", "rating", "reason", "request"),
        "review_summary",
    ]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_file_parses_and_holds_the_task_of_its_name(file):
    text = file.read_text(encoding="utf-8")
    assert parse_templates(text, file=file.name)
    assert tomllib.loads(text)["task"] == file.stem


def test_each_task_has_wordings_enough():
    require_minimum(load_templates(), seen=5, unseen=2)


@pytest.mark.parametrize("template", SHIPPED, ids=lambda t: f"{t.task}-{t.name}")
def test_each_template_renders_and_encodes(template, tokenizers):
    rendered = render(template, VALUES[template.task])
    assert rendered.target == (VALUES[template.task][template.answer],)
    for tokenizer in tokenizers.values():
        text = [s for s in rendered.prompt if not isinstance(s, ItemRef)]
        ids = [id_ for segment in text for id_ in tokenizer.encode_segment(segment)]
        assert tokenizer.reserved.isdisjoint(ids)


@pytest.mark.parametrize("template", SHIPPED, ids=lambda t: f"{t.task}-{t.name}")
def test_no_template_holds_a_reserved_string_or_a_user_id(template):
    assert not re.search(r"[<>\[\]|]|user_?id", template.source, re.IGNORECASE)
    assert len(template.source) < 100


def test_sources_differ():
    assert len({template.source for template in SHIPPED}) == len(SHIPPED)


@pytest.mark.parametrize("template", SHIPPED, ids=lambda t: f"{t.task}-{t.name}")
def test_every_next_item_source_ends_with_the_history(template):
    assert template.history_last or template.task != "next_item"
