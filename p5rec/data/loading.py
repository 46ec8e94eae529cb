"""Loads events, items and users from any source: read, checked, brought to one form."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from p5rec.data.catalogue import Catalogue
from p5rec.data.checks import check_against, check_catalogue, check_events, check_users
from p5rec.data.events import CANONICAL, Events
from p5rec.data.inspection import Inspection, PathLike, Policy, check_policy
from p5rec.data.reading import Reading, refused
from p5rec.data.tables import Source, read
from p5rec.data.users import Users
from p5rec.errors import DataError, Problem
from p5rec.hints import did_you_mean

__all__ = [
    "catalogue_of",
    "check_against",
    "events_of",
    "load_catalogue",
    "load_events",
    "load_users",
]


def load_events(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    policy: Policy = "strict",
    quarantine_file: PathLike | None = None,
) -> Events:
    """Load who did what when, from a file or a table.

    Columns: ``user_id``, ``item_id``, ``timestamp`` or ``position`` (oldest first), and optionally
    ``behaviour``, ``session_id``, ``rating``, ``review``, its ``summary``, a reference
    ``explanation`` (why the item fitted the person), ``query``; others are left out. Ids are
    text, leading zeros stay. Times are ISO 8601 text, datetimes, or seconds or milliseconds since
    1970; without a zone they are taken for UTC.

    :param source: path of a CSV, JSONL (also ``.gz``) or Parquet file, a pandas or polars frame,
        a pyarrow Table, or a Hugging Face Dataset.
    :param columns: canonical name → the source's own name, for columns that are named otherwise.
    :param policy: "strict" refuses an input with any bad row; "quarantine" sets bad rows aside.
    :param quarantine_file: where bad rows go, one JSON object each (replaced at each call).
    :raises DataError: listing every problem found.
    """
    for name in columns or {}:
        if name not in CANONICAL:
            fix = f"Events have: {', '.join(CANONICAL)}.{did_you_mean(name, CANONICAL)}"
            raise DataError([Problem("columns", f"{name!r} is no column of events", fix)])
    reading = read(source, columns)
    checked = _checked(reading, check_events, policy, quarantine_file)
    return Events.from_table(checked[0], notes=checked[1])


def load_catalogue(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    policy: Policy = "strict",
    quarantine_file: PathLike | None = None,
) -> Catalogue:
    """Load the items that may be recommended, from a file or a table.

    Columns: ``item_id`` and any of ``title``, ``brand``, ``categories`` (a list of text, root
    first, or text with " > " or "|" between), ``variant``, ``description``, ``price``; further
    columns of text or numbers become attributes. Parameters and errors as for ``load_events``.
    """
    checked = _checked(read(source, columns), check_catalogue, policy, quarantine_file)
    return Catalogue.from_table(checked[0], notes=checked[1])


def load_users(
    source: Source,
    *,
    columns: Mapping[str, str] | None = None,
    policy: Policy = "strict",
    quarantine_file: PathLike | None = None,
) -> Users:
    """Load what is known about users, from a file or a table.

    Columns: ``user_id`` and any attributes. Parameters and errors as for ``load_events``.
    """
    checked = _checked(read(source, columns), check_users, policy, quarantine_file)
    return Users.from_table(checked[0], notes=checked[1])


def catalogue_of(items: Source | Catalogue) -> Catalogue:
    """A catalogue as it is, or what :func:`load_catalogue` makes of a source."""
    return items if isinstance(items, Catalogue) else load_catalogue(items)


def events_of(events: Source | Events, catalogue: Catalogue) -> Events:
    """Events as they are, or what :func:`load_events` makes of a source, checked against items.

    :raises DataError: listing every problem found.
    """
    return check_against(events if isinstance(events, Events) else load_events(events), catalogue)


def _checked(
    reading: Reading,
    check: Callable[[Inspection], pa.Table],
    policy: Policy,
    quarantine_file: PathLike | None,
) -> tuple[pa.Table, list[str]]:
    """The rows that are left after the checks, and what was changed."""
    check_policy(policy, quarantine_file)
    inspection = Inspection(reading)
    try:
        table = check(inspection)
    except pa.ArrowException as error:
        message = f"holds values that can't be converted: {' '.join(str(error).split())[:300]}"
        raise refused(reading.name, message, "Give ids, times and numbers as text.") from error
    left = inspection.settle(policy, quarantine_file)
    return table.take(pa.array(left)), inspection.notes
