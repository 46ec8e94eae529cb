"""What several commands do alike: load a bundle, read lists, print answers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from p5rec.progress import Reporter

if TYPE_CHECKING:
    from p5rec.data.events import Event
    from p5rec.recommendations import Recommendations
    from p5rec.recommender import Recommender


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
    _tell(found, quiet)
    plain, lines = _items(recommender, found)
    print_answer({"items": plain, "notices": list(found.notices)}, as_json, lines)


def print_turn(
    recommender: Recommender, text: str, found: Recommendations, as_json: bool, quiet: bool
) -> None:
    """Print the answer to one turn of a conversation; as JSON it is one line."""
    plain, lines = _items(recommender, found)
    if as_json:
        turn = {"request": text, "items": plain, "notices": list(found.notices)}
        lines = [json.dumps(turn, ensure_ascii=False)]
    else:
        _tell(found, quiet)
    print("\n".join(lines), flush=True)  # noqa: T201


def print_chat_error(message: str, as_json: bool) -> None:
    """Tell of a turn that could not be answered; as JSON on standard output, in its place."""
    if as_json:
        print(json.dumps({"error": message}, ensure_ascii=False), flush=True)  # noqa: T201
    else:
        print(f"p5rec: {message}", file=sys.stderr)  # noqa: T201


def _tell(found: Recommendations, quiet: bool) -> None:
    reporter = Reporter(quiet=quiet)
    for notice in found.notices:
        reporter.say(f"Note: {notice}")


def _items(
    recommender: Recommender, found: Recommendations
) -> tuple[list[dict[str, Any]], list[str]]:
    """Recommended items as plain values, and as lines for a person."""
    catalogue = recommender.catalogue
    rows = catalogue.rows_of([one.item_id for one in found]).tolist()
    names = [catalogue.name(row) for row in rows]
    lines = [
        f"{one.rank}\t{one.item_id}\t{one.score:.3f}\t{name}\t{' > '.join(one.path[:-1])}"
        for one, name in zip(found, names, strict=True)
    ]
    plain = [one.to_dict() | {"name": name} for one, name in zip(found, names, strict=True)]
    return plain, lines


def print_answer(data: Any, as_json: bool, lines: list[str]) -> None:  # noqa: ANN401 (JSON)
    """Print ``data`` as JSON, or the ``lines`` that say the same to a person."""
    text = json.dumps(data, indent=2, ensure_ascii=False) if as_json else "\n".join(lines)
    print(text)  # noqa: T201
