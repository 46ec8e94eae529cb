"""Writes templates back as TOML, so that a saved recommender carries those it was trained with."""

from __future__ import annotations

import json

from p5rec.prompting.placeholders import TASKS
from p5rec.prompting.templates import TemplateSet


def dump_templates(templates: TemplateSet) -> dict[str, str]:
    """The files, name to text, that ``load_templates`` reads back as equal templates.

    >>> from p5rec.prompting.templates import load_templates
    >>> sorted(dump_templates(load_templates()))  # doctest: +NORMALIZE_WHITESPACE
    ['explanation.toml', 'item_text.toml', 'next_item.toml', 'rating.toml', 'reason.toml',
     'request.toml', 'review_summary.toml']
    """
    files = {}
    for task in TASKS:
        tables = [
            f"[[template]]\nname = {_string(template.name)}\n"
            f"seen = {str(template.seen).lower()}\n"
            f"source = {_string(template.source)}\ntarget = {_string(template.target)}\n"
            for template in templates.of(task)
        ]
        if tables:
            files[f"{task}.toml"] = "\n".join([f"task = {_string(task)}\n", *tables])
    return files


def _string(text: str) -> str:
    # Names and texts hold no control character, so JSON's quoting is TOML's.
    return json.dumps(text, ensure_ascii=False)
