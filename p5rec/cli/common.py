"""What several commands do alike: load a bundle, read lists, print answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p5rec.progress import Reporter

if TYPE_CHECKING:
    from p5rec.data.events import Event
    from p5rec.recommender import Recommendations, Recommender


def load_bundle(bundle: Path) -> Recommender:
    """The recommender that a folder holds; loads torch."""
    from p5rec.recommender import Recommender

    return Recommender.from_pretrained(bundle)


def listed(text: str) -> list[str]:
    """Item ids typed with commas between.

    >>> listed("oats, milk,")
    ['oats', 'milk']
    """
    return [item.strip() for item in text.split(",") if item.strip()]


def history_of(text: str) -> list[str | Event]:
    """The history that a user typed: item ids, oldest first, with commas between."""
    return [*listed(text)]


def print_items(
    recommender: Recommender, found: Recommendations, as_json: bool, quiet: bool
) -> None:
    """Print recommended items, a line each, and their notices on standard error."""
    reporter = Reporter(quiet=quiet)
    for notice in found.notices:
        reporter.say(f"Note: {notice}")
    catalogue = recommender.catalogue
    rows = catalogue.rows_of([one.item_id for one in found]).tolist()
    names = [catalogue.name(row) for row in rows]
    lines = [
        f"{one.rank}\t{one.item_id}\t{one.score:.3f}\t{name}\t{' > '.join(one.path[:-1])}"
        for one, name in zip(found, names, strict=True)
    ]
    plain = [one.to_dict() | {"name": name} for one, name in zip(found, names, strict=True)]
    print_answer({"items": plain, "notices": list(found.notices)}, as_json, lines)


def print_answer(data: Any, as_json: bool, lines: list[str]) -> None:  # noqa: ANN401 (JSON)
    """Print ``data`` as JSON, or the ``lines`` that say the same to a person."""
    text = json.dumps(data, indent=2, ensure_ascii=False) if as_json else "\n".join(lines)
    print(text)  # noqa: T201
