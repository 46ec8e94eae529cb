"""What each task may write between braces, and how a template's text is taken apart."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from string import Formatter
from typing import Literal as OneOf
from typing import get_args

from p5rec.errors import TemplateError
from p5rec.prompting.segments import Attribute, ItemRef, Literal, UntrustedText

Task = OneOf[
    "next_item", "explanation", "request", "item_text", "rating", "reason", "review_summary"
]
Value = ItemRef | Attribute | UntrustedText | list[ItemRef] | tuple[ItemRef, ...]

TASKS: tuple[Task, ...] = get_args(Task)

#: What stands for each placeholder: one item, items in order, catalogue text or a user's words.
KINDS: dict[str, str] = {
    "history": "items",
    "evidence": "items",
    "item": "item",
    "user": "attribute",
    "shared": "attribute",
    "words": "attribute",
    "earlier": "attribute",
    "request": "untrusted",
    "explanation": "untrusted",
    "rating": "attribute",
    "review": "untrusted",
    "summary": "untrusted",
    "past": "untrusted",
}


@dataclass(frozen=True)
class Placeholder:
    """A named gap in a template's text."""

    name: str


Part = Literal | Placeholder


@dataclass(frozen=True)
class Shape:
    """Which placeholders a source must have, which it may have, and the target's only one."""

    required: frozenset[str]
    optional: frozenset[str]
    target: str

    @property
    def allowed(self) -> frozenset[str]:
        """All that the source may name."""
        return self.required | self.optional


def _shape(required: str, optional: str, target: str) -> Shape:
    return Shape(frozenset(required.split()), frozenset(optional.split()), target)


#: The shapes of each task; ``item_text`` has one for each direction.
SHAPES: dict[Task, tuple[Shape, ...]] = {
    "next_item": (_shape("history", "user", "item"),),
    # {words} and {earlier} say what the item and those of the evidence are called.
    "explanation": (_shape("item evidence shared", "history words earlier", "explanation"),),
    "request": (_shape("request", "history", "item"),),
    "item_text": (_shape("item", "", "words"), _shape("words", "", "item")),
    # Of reviews: {past} is what the person wrote before, never the review that is to be foreseen.
    "rating": (_shape("item", "words history user past", "rating"),),
    "reason": (_shape("item words", "history user past", "explanation"),),
    "review_summary": (_shape("review", "item rating", "summary"),),
}


def known(task: Task) -> list[str]:
    """The names of all placeholders of ``task``, sorted.

    >>> known("next_item")
    ['history', 'item', 'user']
    """
    shapes = SHAPES[task]
    return sorted(frozenset().union(*(shape.allowed | {shape.target} for shape in shapes)))


def parse(text: str) -> tuple[Part, ...]:
    """Take a template's text apart into literals and placeholders.

    Doubled braces are literal braces.

    >>> parse("Picked: {history}")
    (Literal(text='Picked: '), Placeholder(name='history'))

    :raises TemplateError: if braces do not match, or a placeholder has more than a name.
    """
    try:
        fields = list(Formatter().parse(text))
    except ValueError as error:
        raise TemplateError(
            f"{text!r} cannot be read: {error}. Placeholders look like {{history}}; "
            "write {{ or }} for a brace."
        ) from None
    parts: list[Part] = []
    literal = ""
    for before, name, spec, conversion in fields:
        literal += before
        if name is None:
            continue
        _check_name(name, spec or "", conversion)
        parts += [Literal(literal)] if literal else []
        parts.append(Placeholder(name))
        literal = ""
    return (*parts, Literal(literal)) if literal else tuple(parts)


def _check_name(name: str, spec: str, conversion: str | None) -> None:
    if name.isidentifier() and not spec and conversion is None:
        return
    written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
    raise TemplateError(
        f"the placeholder {{{written}}} has more than a name. "
        "Attributes, indices, conversions and formats are not allowed: write {history}."
    )


def check_plain(text: str) -> None:
    """Refuse text that does not stand on one line, or that begins or ends with a space.

    :raises TemplateError: naming the character.
    """
    for character in text:
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            raise TemplateError(
                f"{text!r} holds the control character U+{ord(character):04X}. "
                "Write a template on one line of visible text."
            )
    if text != text.strip():
        raise TemplateError(f"{text!r} begins or ends with a space. Remove it.")
