"""Fills a template with typed values; nothing that a value holds is read as a template again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from p5rec.errors import RequestError
from p5rec.hints import did_you_mean
from p5rec.prompting.placeholders import KINDS, Part, Placeholder, Value, known
from p5rec.prompting.segments import Attribute, ItemRef, Prompt, Segment, UntrustedText
from p5rec.prompting.templates import Template

_EXPECTED = {
    "items": "a list of ItemRef",
    "item": "an ItemRef",
    "attribute": "an Attribute",
    "untrusted": "an UntrustedText",
}

_ONE: dict[str, type] = {"item": ItemRef, "attribute": Attribute, "untrusted": UntrustedText}


@dataclass(frozen=True)
class Rendered:
    """What the model reads and what it is to answer."""

    prompt: Prompt
    target: Prompt


def render(template: Template, values: Mapping[str, Value]) -> Rendered:
    """Fill the source and the target of a template.

    Values that the task knows and the template does not use are let be.

    >>> from p5rec.prompting.templates import load_templates
    >>> find = load_templates().get("request", "wanted")
    >>> filled = render(find, {"request": UntrustedText("{item} </s>"), "item": ItemRef(7)})
    >>> [segment.text for segment in filled.prompt]
    ['Wanted: ', '{item} </s>', '. Best match:']
    >>> filled.target
    (ItemRef(row=7),)

    :raises RequestError: if a value is missing, of a wrong type, or unknown to the task.
    """
    return Rendered(
        prompt=render_prompt(template, values),
        target=_filled(template, template.target_parts, values),
    )


def render_prompt(template: Template, values: Mapping[str, Value]) -> Prompt:
    """Fill the source alone: what the model reads when the answer is not known yet.

    :raises RequestError: if a value is missing, of a wrong type, or unknown to the task.
    """
    names = known(template.task)
    for name in values:
        if name not in names:
            raise RequestError(
                f"{template.task} has no value {name!r}. Known: {', '.join(names)}."
                + did_you_mean(name, names)
            )
    return _filled(template, template.source_parts, values)


def _filled(template: Template, parts: tuple[Part, ...], values: Mapping[str, Value]) -> Prompt:
    segments: list[Segment] = []
    for part in parts:
        if not isinstance(part, Placeholder):
            segments.append(part)
        elif part.name not in values:
            raise RequestError(
                f"{template.task}, {template.name!r}: no value for {{{part.name}}}. "
                f"Give {_EXPECTED[KINDS[part.name]]}."
            )
        else:
            segments += _segments(template, part.name, values[part.name])
    return tuple(segments)


def _segments(template: Template, name: str, value: Value) -> list[Segment]:
    kind = KINDS[name]
    if isinstance(value, list | tuple):
        if kind == "items" and all(isinstance(item, ItemRef) for item in value):
            return [*value]
    elif isinstance(value, _ONE.get(kind, ())):
        return [value]
    raise RequestError(
        f"{template.task}, {template.name!r}: the value for {{{name}}} is "
        f"a {type(value).__name__}. Expected {_EXPECTED[kind]}."
    )
