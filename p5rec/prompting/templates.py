"""Sets of templates, kept as data (one TOML file a task) and checked when they are loaded."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from p5rec.errors import TemplateError
from p5rec.hints import did_you_mean
from p5rec.prompting.placeholders import SHAPES, TASKS, Task
from p5rec.prompting.template import Template
from p5rec.resources import folder as shipped_folder

__all__ = ["Template", "TemplateSet", "load_templates", "parse_templates", "require_minimum"]

_FILE_KEYS = ("task", "template")
_TEMPLATE_KEYS = {"name": str, "seen": bool, "source": str, "target": str}


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
