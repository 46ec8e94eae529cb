"""Forms of plain sentences, one file a language."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from string import Formatter

from p5rec import resources
from p5rec.errors import RequestError, TemplateError

_GAPS = frozenset({"verb", "participle", "item", "other", "times", "has", "named", "n"})
_LISTS = ("again", "again_it", "alike", "unnamed", "several", "chosen", "about", "called")


@dataclass(frozen=True)
class Phrases:
    """How each kind of statement is put; a list holds forms that say the same.

    ``has`` and ``named`` word an attribute and its value, by attribute or ``other``; ``verbs``
    gives for each English verb the past form and the participle.
    """

    none: str
    once: str
    twice: str
    often: str
    recently: str
    recently_many: str
    again: tuple[str, ...]
    again_it: tuple[str, ...]
    alike: tuple[str, ...]
    unnamed: tuple[str, ...]
    several: tuple[str, ...]
    chosen: tuple[str, ...]
    about: tuple[str, ...]
    called: tuple[str, ...]
    has: dict[str, str]
    named: dict[str, str]
    verbs: dict[str, tuple[str, str]]

    def worded(self, kind: dict[str, str], attribute: str, value: str) -> str:
        """An attribute and its value in the words of ``has`` or ``named``."""
        return kind.get(attribute, kind["other"]).format(attribute=attribute, value=value)

    def counted(self, count: int, ago: int | None = None) -> str:
        """How often, and, where it was more than once, how many events ago."""
        times = {1: self.once, 2: self.twice}.get(count, self.often.format(n=count))
        if ago is None or count < 2:
            return times
        form = self.recently if ago == 1 else self.recently_many
        return form.format(times=times, ago=ago)


def languages() -> list[str]:
    """The languages that plain sentences can be had in, sorted.

    >>> languages()
    ['de', 'en', 'es', 'fr']
    """
    files = (resources.folder("prompts") / "phrases").iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


def load_phrases(language: str = "en") -> Phrases:
    """The phrases of a language, checked.

    >>> load_phrases("de").counted(3)
    '3-mal'

    :raises RequestError: if there is no such language.
    :raises TemplateError: if a form is missing or has a gap that nothing fills.
    """
    # Cached behind, so that the language that is taken when none is named is the very same.
    return _load(language)


@cache
def _load(language: str) -> Phrases:
    if language not in languages():
        raise RequestError(
            f"there are no phrases for the language {language!r}. Known: {', '.join(languages())}. "
            "Choose one, or add prompts/phrases/<language>.toml."
        )
    file = resources.folder("prompts") / "phrases" / f"{language}.toml"
    told = tomllib.loads(file.read_text(encoding="utf-8"))
    wanted = {field.name for field in fields(Phrases)}
    if set(told) != wanted:
        odd = ", ".join(sorted(wanted ^ set(told)))
        raise TemplateError(
            f"phrases/{language}.toml: missing or unknown: {odd}. Expected each once."
        )
    lists = {name: tuple(told[name]) for name in _LISTS}
    verbs = {verb: (past, participle) for verb, (past, participle) in told["verbs"].items()}
    for name, forms in lists.items():
        for form in forms:
            _check(form, f"phrases/{language}.toml, {name}")
    return Phrases(**{**told, **lists, "verbs": verbs})


def _check(form: str, where: str) -> None:
    gaps = {name for _, name, _, _ in Formatter().parse(form) if name is not None}
    if unknown := gaps - _GAPS:
        raise TemplateError(
            f"{where}: {form!r} has the gap {{{min(unknown)}}}, which nothing fills. "
            f"Known: {', '.join(sorted(_GAPS))}."
        )
