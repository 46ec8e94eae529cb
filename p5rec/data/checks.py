"""What is checked before events, items and users are used; every problem is found at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from p5rec.data.arrays import is_list, is_plain, is_text, strings
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import CANONICAL, Events
from p5rec.data.inspection import Inspection, PathLike, Policy, check_policy, write_quarantine
from p5rec.data.texts import fit_to_show, plural, shorten
from p5rec.data.times import times
from p5rec.data.values import by_value, ids, mask_of, numbers, whole_numbers
from p5rec.errors import DataError, Problem
from p5rec.hints import did_you_mean

Convert = Callable[[Inspection, str], pa.ChunkedArray | None]
_SAME_EVENT = ("user_id", "item_id", "timestamp", "position", "session_id", "behaviour")
_NO_NESTING = "Give one plain value a row."


def check_events(inspection: Inspection) -> pa.Table:
    """Check events row by row; the canonical columns that could be made.

    A row is bad without user, item or time; with an id that hides characters; with a time that is
    none, zero, in the future or written unlike the others; with a rating that is negative or not
    finite; or if user, item, time, session and behaviour are those of an earlier row.
    """
    ordered = _present(inspection, "timestamp", "position")
    _require(inspection, "user_id", "item_id", *([] if ordered else ["timestamp"]))
    converters: dict[str, Convert] = {
        **{"user_id": ids, "item_id": ids, "timestamp": times, "position": whole_numbers},
        **{"session_id": _optional_ids, "rating": numbers},
        **{"behaviour": _texts, "review": _texts, "query": _texts},
        **{"summary": _texts, "explanation": _texts},
    }
    table = _converted(inspection, {name: converters[name] for name in CANONICAL})
    message = "is the same event as an earlier row"
    _check_repeats(inspection, table, _SAME_EVENT, message, "Keep one row an event.")
    return table


def check_catalogue(inspection: Inspection) -> pa.Table:
    """Check items row by row; the canonical columns that could be made, and all further ones.

    A row is bad without an id, with one that hides characters or that an earlier row has, or with
    a price that is negative or no number. ``Catalogue.from_table`` mends texts.
    """
    _require(inspection, "item_id")
    converters: dict[str, Convert] = {
        **{"item_id": ids, "price": numbers, "categories": _categories},
        **dict.fromkeys(("title", "brand", "variant", "description"), _plain),
    }
    table = _converted(inspection, converters)
    message = "is the id of an earlier row too"
    _check_repeats(inspection, table, ("item_id",), message, "Keep one row an item.")
    return _with_further(inspection, table)


def check_users(inspection: Inspection) -> pa.Table:
    """Check users row by row: each needs an id of its own; further columns stay as they are."""
    _require(inspection, "user_id")
    table = _converted(inspection, {"user_id": ids})
    message = "is the id of an earlier row too"
    _check_repeats(inspection, table, ("user_id",), message, "Keep one row a user.")
    return _with_further(inspection, table)


def check_against(
    events: Events,
    catalogue: Catalogue,
    *,
    policy: Policy = "strict",
    quarantine_file: PathLike | None = None,
) -> Events:
    """Find events with items that the catalogue does not have; the events that are left.

    Items that no event names are fine: they can be recommended too.

    :param policy: "strict" refuses with one problem an unknown item; "quarantine" writes their
        events to ``quarantine_file`` (replaced) and goes on with the others.
    :raises DataError: under "strict" if there are any, or if no event is left.
    """
    check_policy(policy, quarantine_file)
    unknown = catalogue.rows_of(events.table["item_id"]) < 0
    odd = events.table.filter(pa.array(unknown))
    problems = _unknown_items(odd)
    if problems and (policy == "strict" or bool(unknown.all())):
        raise DataError(problems)
    if quarantine_file is not None:
        told = [{"column": "item_id", "message": "is not in the catalogue"}]
        lines: list[dict[str, object]] = [
            {"file": "events", "row": None, "problems": told, "record": record}
            for record in odd.to_pylist()
        ]
        write_quarantine(quarantine_file, lines)
    return events.select(~unknown) if problems else events


def _unknown_items(odd: pa.Table) -> list[Problem]:
    counts = pc.value_counts(odd["item_id"].combine_chunks()).to_pylist()
    fix = "Add it to the catalogue, or set such events aside with policy='quarantine'."
    return [
        Problem(
            "events",
            f"{plural(entry['counts'], 'event')} with an item that is not in the catalogue",
            fix,
            column="item_id",
            value=shorten(entry["values"]),
        )
        for entry in sorted(counts, key=lambda entry: str(entry["values"]))
    ]


def _present(inspection: Inspection, *names: str) -> list[str]:
    return [name for name in names if name in inspection.reading.table.column_names]


def _require(inspection: Inspection, *names: str) -> None:
    """Refuse an input without these columns, or without any row."""
    has = inspection.reading.table.column_names
    for name in names:
        if name not in has:
            known = ", ".join(has) or "no column"
            fix = f"Map it with columns={{{name!r}: '…'}}. There is: {known}."
            also = " (or position)" if name == "timestamp" else ""
            message = f"column {name!r}{also} is missing"
            inspection.refuse(message, fix + did_you_mean(name, has), column=name)
    if inspection.reading.table.num_rows == 0:
        inspection.refuse("there are no rows", "Expected at least one row below the names.")


def _converted(inspection: Inspection, converters: dict[str, Convert]) -> pa.Table:
    columns = {}
    for name in _present(inspection, *converters):
        column = converters[name](inspection, name)
        if column is not None:
            columns[name] = column
    return pa.table(columns)


def _with_further(inspection: Inspection, table: pa.Table) -> pa.Table:
    """The checked columns in the order of the source, with the unchecked ones between them."""
    refused = {problem.column for problem in inspection.refusals}
    source = inspection.reading.table
    names = [name for name in source.column_names if name not in refused]
    checked = table.column_names
    return pa.table({name: (table if name in checked else source)[name] for name in names})


def _check_repeats(
    inspection: Inspection, table: pa.Table, columns: Sequence[str], message: str, fix: str
) -> None:
    """Fault each row that repeats an earlier good one in these columns."""
    names = [name for name in columns if name in table.column_names]
    if inspection.refusals or not names:
        return
    # Bad rows don't count: a good row must not be lost because it repeats one of them.
    good = np.flatnonzero(~inspection.bad)
    rows = table.select(names).take(pa.array(good)).append_column("row", pa.array(good))
    first = rows.group_by(names).aggregate([("row", "min")])["row_min"].to_numpy()
    repeats = ~inspection.bad
    repeats[first] = False
    inspection.fault("item_id" if "item_id" in names else names[0], repeats, message, fix)


def _optional_ids(inspection: Inspection, name: str) -> pa.ChunkedArray | None:
    return ids(inspection, name, required=False)


def _plain(inspection: Inspection, name: str) -> pa.ChunkedArray | None:
    """A text column as text (numbers are written out); nested ones and bytes refuse the input."""
    column = inspection.reading.table[name]
    if not is_plain(column.type):
        inspection.refuse(f"holds {column.type}; expected text", _NO_NESTING, column=name)
        return None
    return strings(column)


def _texts(inspection: Inspection, name: str) -> pa.ChunkedArray | None:
    """The same, cleaned of control and hidden characters and cut, with a note."""
    column = _plain(inspection, name)
    return None if column is None else fit_to_show(name, column, inspection.notes)


def _categories(inspection: Inspection, name: str) -> pa.ChunkedArray | None:
    column = inspection.reading.table[name]
    kind = column.type
    fix = 'Give a list of text, root first, or text like "Food > Cheese".'
    words = is_list(kind) and (is_text(kind.value_type) or pa.types.is_null(kind.value_type))
    if not (words or is_text(kind) or pa.types.is_null(kind)):
        inspection.refuse(f"holds {kind}; expected paths", fix, column=name)
        return None
    if is_text(kind):
        column = strings(column)
        printed = by_value(column, lambda v: pc.match_substring_regex(v, r"^\s*\[.*\]\s*$"))
        inspection.fault(name, mask_of(printed), "is a list printed as text", fix)
    return column
