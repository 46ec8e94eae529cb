"""One template: a source and a target with placeholders, well formed or not made at all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from p5rec.errors import TemplateError
from p5rec.hints import did_you_mean
from p5rec.prompting.placeholders import (
    SHAPES,
    TASKS,
    Part,
    Placeholder,
    Shape,
    Task,
    check_plain,
    known,
    parse,
)


@dataclass(frozen=True)
class Template:
    """A way to put one task into words: what the model reads and what it answers.

    The target is one placeholder and nothing else. In ``item_text`` it tells the direction:
    ``{words}`` reads an item's words off it, ``{item}`` finds the item of the words.

    >>> Template("next_item", "plain", "Picked: {history}", "{item}", seen=True).history_last
    True

    :param seen: whether training may use it; the others measure how well wording carries over.
    :raises TemplateError: if a placeholder is unknown, missing, doubled or more than a name, or
        ``{history}`` is not the last thing of a ``next_item`` source.
    """

    task: Task
    name: str
    source: str
    target: str
    seen: bool

    def __post_init__(self) -> None:
        try:
            self._check()
        except TemplateError as error:
            raise TemplateError(f"{self.name!r}: {error}") from None

    @cached_property
    def source_parts(self) -> tuple[Part, ...]:
        """The source, taken apart."""
        return parse(self.source)

    @cached_property
    def target_parts(self) -> tuple[Part, ...]:
        """The target, taken apart."""
        return parse(self.target)

    @cached_property
    def needs(self) -> frozenset[str]:
        """The placeholders of the source."""
        return frozenset(_names(self.source_parts))

    @property
    def answer(self) -> str:
        """The placeholder of the target: ``item``, ``words`` or ``explanation``."""
        return _names(self.target_parts)[0]

    @property
    def history_last(self) -> bool:
        """Whether the source ends with the history, so that one pass can train on every event."""
        return self.source_parts[-1] == Placeholder("history")

    def _check(self) -> None:
        if self.task not in TASKS:
            raise TemplateError(
                f"unknown task {self.task!r}. Known: {', '.join(TASKS)}."
                + did_you_mean(self.task, TASKS)
            )
        if not self.name.strip():
            raise TemplateError("the name is empty. Give each template a name of its own.")
        for side in (self.source, self.target):
            if not side:
                raise TemplateError("the source or target is empty. Write a text for both.")
            check_plain(side)
        self._check_known()
        shape = self._shape()
        self._check_source(shape)
        if self.task == "next_item" and not self.history_last:
            raise TemplateError(
                "{history} is not the last thing of the source. A causal model learns from every "
                "event of a history in one pass, so nothing may stand between an event and the "
                "next. Move the text before {history}."
            )

    def _check_known(self) -> None:
        names = known(self.task)
        for name in _names(self.source_parts) + _names(self.target_parts):
            if name not in names:
                raise TemplateError(
                    f"unknown placeholder {{{name}}}. Known: {', '.join(names)}."
                    + did_you_mean(name, names, form="{{{}}}")
                )

    def _shape(self) -> Shape:
        for shape in SHAPES[self.task]:
            if self.target_parts == (Placeholder(shape.target),):
                return shape
        targets = " or ".join(f"{{{shape.target}}}" for shape in SHAPES[self.task])
        raise TemplateError(
            f"the target is {self.target!r}. Expected {targets} and nothing else. "
            "Put words that lead to the answer at the end of the source."
        )

    def _check_source(self, shape: Shape) -> None:
        names = _names(self.source_parts)
        for name in names:
            if name not in shape.allowed:
                raise TemplateError(
                    f"{{{name}}} cannot stand in a source whose target is {self.target}. "
                    f"Allowed: {', '.join(sorted(shape.allowed))}."
                )
            if names.count(name) > 1:
                raise TemplateError(f"{{{name}}} stands more than once. Keep one.")
        missing = sorted(shape.required.difference(names))
        if missing:
            raise TemplateError(
                f"missing placeholder {{{missing[0]}}} in the source. "
                f"Required: {', '.join(sorted(shape.required))}. Add it."
            )


def _names(parts: tuple[Part, ...]) -> list[str]:
    return [part.name for part in parts if isinstance(part, Placeholder)]
