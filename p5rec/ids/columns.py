"""The configured levels, read out of a catalogue's columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.hints import did_you_mean
from p5rec.ids.semantic_ids import LEAF_LEVEL
from p5rec.ids.words import comparable, in_words, tidy

_CATEGORY = re.compile(r"categories\[(-?\d+)\]")


Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LevelColumn:
    """One level of the tree as a column says it: the code of each row, the text of each code.

    ``notes`` tells what was read as one value, and how many items have none.
    """

    name: str
    codes: Ints
    labels: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_levels(
    catalogue: Catalogue, levels: Sequence[str]
) -> tuple[list[LevelColumn], tuple[str, ...]]:
    """The levels that tell items apart, and notes on how they were read or why they were dropped.

    :raises SemanticIDError: if a level is no column of the catalogue, or is named twice.
    """
    check_levels(catalogue, levels)
    columns: list[LevelColumn] = []
    notes: list[str] = []
    for level in levels:
        column = _encode(level, _values(catalogue, level))
        if len(column.labels) > 1:
            columns.append(column)
            notes += column.notes
        else:
            only = column.labels[0]
            notes.append(f"level {level!r} was dropped: every item has the same value {only!r}")
    return columns, tuple(notes)


def check_levels(catalogue: Catalogue, levels: Sequence[str]) -> None:
    """Refuse levels that cannot be read, all unknown ones in one message."""
    if isinstance(levels, str):
        raise SemanticIDError(f"levels is the text {levels!r}; expected a list: [{levels!r}].")
    doubled = sorted(level for level, count in Counter(levels).items() if count > 1)
    if doubled:
        raise SemanticIDError(
            f"levels {doubled} are named more than once; expected each once. Remove the repeats."
        )
    if LEAF_LEVEL in levels:
        raise SemanticIDError(
            f"level {LEAF_LEVEL!r} cannot be configured: it is the name of the last level, which "
            "every tree has. Remove it, or give the column another name."
        )
    known = known_levels(catalogue)
    part = "categories[-1]" in known
    wrong = [
        level
        for level in levels
        if level not in known and not (part and _CATEGORY.fullmatch(level))
    ]
    if wrong:
        raise SemanticIDError("\n".join(_unknown(level, known) for level in wrong))


def known_levels(catalogue: Catalogue) -> list[str]:
    """What may be configured as a level: each attribute, and each position in the categories."""
    known: list[str] = []
    for name in catalogue.table.column_names:
        if name == "categories":
            deepest = max((len(path or ()) for path in catalogue.column(name)), default=0)
            known += [*(f"categories[{i}]" for i in range(deepest)), "categories[-1]"]
        elif name != "item_id":
            known.append(name)
    return known


def default_levels(catalogue: Catalogue) -> list[str]:
    """Levels for a catalogue that nobody configured: two levels of category, then the brand.

    The first two positions of the categories that tell items apart are taken, and what the
    catalogue does not have is left out.

    >>> import pyarrow as pa
    >>> table = pa.table({"item_id": ["a", "b"], "categories": [["food", "tea"], ["food", "oil"]]})
    >>> default_levels(Catalogue.from_table(table))
    ['categories[1]']
    """
    known = known_levels(catalogue)
    paths = [level for level in known if level.startswith("categories[") and "-" not in level]
    telling = [level for level in paths if len(set(_values(catalogue, level))) > 1]
    return telling[:2] + (["brand"] if "brand" in known else [])


def _unknown(level: str, known: Sequence[str]) -> str:
    if level == "item_id":
        return "level 'item_id' cannot be used: semantic IDs must not depend on item ids."
    hint = did_you_mean(level, known) or " Choose among these."
    return f"level {level!r} is not in the catalogue. Known: {', '.join(known) or 'none'}.{hint}"


def encode_more(level: str, labels: list[str], catalogue: Catalogue) -> Ints:
    """The codes of further items at a level, int64[n]; values that are new go after ``labels``.

    >>> import pyarrow as pa
    >>> table = pa.table({"item_id": ["a", "b", "c"], "brand": ["ALPO", None, "Lux"]})
    >>> labels = ["Alpo"]
    >>> encode_more("brand", labels, Catalogue.from_table(table)).tolist(), labels
    ([0, 1, 2], ['Alpo', '(no brand)', 'Lux'])
    """
    values = _values(catalogue, level)
    missing = missing_label(level)
    code: dict[str | None, int] = {}
    for number, label in enumerate(labels):
        code.setdefault(None if label == missing else _key(level, label), number)
    keys = [None if value is None else _key(level, value) for value in values]
    unseen: dict[str | None, Counter[str]] = {}
    for key, value in zip(keys, values, strict=True):
        if key not in code:
            shown = missing if value is None else tidy(value)
            unseen.setdefault(key, Counter())[shown] += 1
    for key in sorted(unseen, key=lambda key: (key is not None, key or "")):
        code[key] = len(labels)
        labels.append(_commonest(unseen[key]))
    return np.fromiter((code[key] for key in keys), np.int64, len(keys))


def _values(catalogue: Catalogue, level: str) -> list[str | None]:
    """What each item has at a level; nothing where the catalogue lacks the column."""
    if level in catalogue.table.column_names:
        return [in_words(value) for value in catalogue.column(level)]
    if not _CATEGORY.fullmatch(level) or "categories" not in catalogue.table.column_names:
        return [None] * len(catalogue)
    position = _position(level)
    needed = -position if position < 0 else position + 1
    return [
        in_words(path[position]) if path is not None and len(path) >= needed else None
        for path in catalogue.column("categories")
    ]


def _position(level: str) -> int:
    found = _CATEGORY.fullmatch(level)
    assert found is not None, level
    return int(found[1])


def _encode(level: str, values: Sequence[str | None]) -> LevelColumn:
    """Number the distinct values by label; the missing value is one of them."""
    spellings: dict[str | None, Counter[str]] = {}
    folded = {value: None if value is None else _key(level, value) for value in set(values)}
    for value, count in Counter(values).items():
        shown = missing_label(level) if value is None else tidy(value)
        spellings.setdefault(folded[value], Counter())[shown] += count
    labels = {key: _commonest(counts) for key, counts in spellings.items()}
    ordered = sorted(labels, key=lambda key: (comparable(labels[key]), key is not None, key or ""))
    code = {key: i for i, key in enumerate(ordered)}
    codes = np.fromiter((code[folded[value]] for value in values), np.int64, len(values))
    return LevelColumn(
        name=level,
        codes=codes,
        labels=tuple(labels[key] for key in ordered),
        notes=tuple(_told(level, spellings, labels)),
    )


def _told(
    level: str,
    spellings: Mapping[str | None, Counter[str]],
    labels: Mapping[str | None, str],
) -> Iterator[str]:
    """What a person should know of how the values of a level were read."""
    several = [key for key, counts in spellings.items() if len(counts) > 1]
    if several:
        widest = max(several, key=lambda key: (spellings[key].total(), labels[key]))
        other = min(set(spellings[widest]) - {labels[widest]})
        spelt = sum(len(spellings[key]) for key in several)
        yield (
            f"level {level!r}: spellings read as the same value as another: {spelt:,}, such as "
            f"{other!r} as {labels[widest]!r}"
        )
    if None in spellings:
        yield (
            f"level {level!r}: items without a value, which share the code {labels[None]!r}: "
            f"{spellings[None].total():,}"
        )


def _commonest(spellings: Counter[str]) -> str:
    return min(spellings, key=lambda text: (-spellings[text], text))


def _key(level: str, value: str) -> str:
    """What two values of a level share if they are one: a brand is its letters and digits.

    >>> _key("brand", "L'Oréal-Paris") == _key("brand", "L’ORÉAL PARIS")
    True
    >>> _key("size", "1.5 oz") == _key("size", "15 oz")
    False
    """
    read = comparable(value)
    return ("".join(ch for ch in read if ch.isalnum()) or read) if level == "brand" else read


def missing_label(level: str) -> str:
    """What the code of a missing attribute is called.

    >>> missing_label("brand"), missing_label("categories[0]"), missing_label("categories[2]")
    ('(no brand)', '(no category)', '(no further category)')
    """
    if _CATEGORY.fullmatch(level):
        return "(no category)" if _position(level) in (0, -1) else "(no further category)"
    return f"(no {level.replace('_', ' ')})"
