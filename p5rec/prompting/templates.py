"""Templates: pairs of source and target with placeholders, kept as data and checked at load."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path

from p5rec.errors import TemplateError
from p5rec.prompting.placeholders import (
    SHAPES,
    TASKS,
    Part,
    Placeholder,
    Shape,
    Task,
    check_plain,
    did_you_mean,
    known,
    parse,
)
from p5rec.resources import folder as shipped_folder

_FILE_KEYS = ("task", "template")
_TEMPLATE_KEYS = {"name": str, "seen": bool, "source": str, "target": str}


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


@dataclass(frozen=True)
class TemplateSet:
    """Templates of one or more tasks, in the order of their files.

    :raises TemplateError: if two templates of a task share a name.
    """

    templates: tuple[Template, ...]

    def __post_init__(self) -> None:
        taken: set[tuple[str, str]] = set()
        for template in self.templates:
            if (template.task, template.name) in taken:
                raise TemplateError(
                    f"{template.name!r}: the name is used twice in {template.task}. Rename one."
                )
            taken.add((template.task, template.name))

    def __len__(self) -> int:
        return len(self.templates)

    def __iter__(self) -> Iterator[Template]:
        return iter(self.templates)

    def of(
        self,
        task: Task,
        *,
        seen: bool | None = None,
        answer: str | None = None,
        given: Collection[str] | None = None,
    ) -> tuple[Template, ...]:
        """The templates of a task that can be used.

        :param seen: True for those of training, False for those kept from it, None for both.
        :param answer: what the target must be: ``item``, ``words`` or ``explanation``.
        :param given: the placeholders that there are values for; a template whose source needs
            another is left out.
        """
        return tuple(
            template
            for template in self.templates
            if template.task == task
            and seen in (None, template.seen)
            and answer in (None, template.answer)
            and (given is None or template.needs.issubset(given))
        )

    def get(self, task: Task, name: str) -> Template:
        """The template of ``task`` called ``name``.

        :raises TemplateError: if there is none.
        """
        names = [template.name for template in self.of(task)]
        if name not in names:
            raise TemplateError(
                f"no template {name!r} for {task}. Known: {', '.join(names)}."
                + did_you_mean(name, names)
            )
        return self.of(task)[names.index(name)]


def load_templates(folder: Path | Traversable | None = None) -> TemplateSet:
    """Load and check every template file (``*.toml``) of a folder.

    >>> len(load_templates().of("next_item", seen=True, given={"history"})) >= 5
    True

    :param folder: None for the templates that ship with p5rec.
    :raises TemplateError: if there is no file, or one is not well formed; names file and template.
    """
    place = shipped_folder("prompts") if folder is None else folder
    files = (
        sorted(
            (entry for entry in place.iterdir() if entry.name.endswith(".toml")),
            key=lambda entry: entry.name,
        )
        if place.is_dir()
        else []
    )
    if not files:
        raise TemplateError(f"{place}: no template files. Expected one *.toml a task.")
    templates: list[Template] = []
    for entry in files:
        file = f"{place.name}/{entry.name}"
        try:
            text = entry.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise TemplateError(f"{file}: cannot be read as UTF-8 text: {error}.") from None
        templates += parse_templates(text, file=file)
    return TemplateSet(tuple(templates))


def parse_templates(text: str, *, file: str) -> tuple[Template, ...]:
    """Read the templates of one task from the text of a TOML file.

    :param file: the file's name, for messages.
    :raises TemplateError: if the text is not TOML, a key is unknown, missing or of a wrong type,
        or a template is not well formed.
    """
    try:
        return _templates_of(text)
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"{file}: not valid TOML: {error}.") from None
    except TemplateError as error:
        raise TemplateError(f"{file}, {error}") from None


def _templates_of(text: str) -> tuple[Template, ...]:
    content = tomllib.loads(text)
    _check_keys(content, _FILE_KEYS, where="the file")
    task, entries = content["task"], content["template"]
    if task not in TASKS:
        raise TemplateError(
            f"unknown task {task!r}. Known: {', '.join(TASKS)}." + did_you_mean(str(task), TASKS)
        )
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise TemplateError("'template' is not a list of tables. Begin each with [[template]].")
    templates = []
    for number, entry in enumerate(entries, start=1):
        where = f"template {number}"
        _check_keys(entry, tuple(_TEMPLATE_KEYS), where=where)
        for key, kind in _TEMPLATE_KEYS.items():
            if not isinstance(entry[key], kind):
                raise TemplateError(
                    f"{where}: {key} = {entry[key]!r} is not a {kind.__name__}. Change its type."
                )
        templates.append(Template(task=task, **entry))
    return TemplateSet(tuple(templates)).templates


def _check_keys(table: dict[str, object], keys: tuple[str, ...], *, where: str) -> None:
    for key in table:
        if key not in keys:
            raise TemplateError(
                f"{where}: unknown key {key!r}. Known: {', '.join(keys)}." + did_you_mean(key, keys)
            )
    for key in keys:
        if key not in table:
            raise TemplateError(f"{where}: the key {key!r} is missing. Add it.")


def require_minimum(templates: TemplateSet, *, seen: int = 5, unseen: int = 2) -> None:
    """Check that each task has enough wordings to learn from and to be tested on.

    They must need no more than the required placeholders, so that a user without attributes or
    history has them all. ``item_text`` must have them in each direction.

    :raises TemplateError: naming the task with too few.
    """
    for task, shapes in SHAPES.items():
        for shape in shapes:
            for kept, least in ((True, seen), (False, unseen)):
                found = templates.of(task, seen=kept, answer=shape.target, given=shape.required)
                if len(found) < least:
                    raise TemplateError(
                        f"{task} has {len(found)} templates with seen = {str(kept).lower()} and "
                        f"target {{{shape.target}}}. Expected at least {least}. Add some."
                    )
