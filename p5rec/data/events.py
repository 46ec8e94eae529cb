"""Events (who did what when) and histories (the same as arrays over catalogue rows)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from p5rec.data.arrays import Floats, Ints, offsets_of, ragged, ranks, run_starts, strings
from p5rec.data.catalogue import Catalogue
from p5rec.errors import DataError, Problem

TEXT_COLUMNS = (
    *("user_id", "item_id", "behaviour", "session_id"),
    *("review", "summary", "explanation", "query"),
)
CANONICAL = (
    *("user_id", "item_id", "timestamp", "position"),
    *("behaviour", "session_id", "rating", "review", "summary", "explanation", "query"),
)
MICROSECONDS_A_DAY = 86_400_000_000


class Event(NamedTuple):
    """One event of a history that a caller hands over.

    ``timestamp`` is in seconds since 1970, UTC. Events next to each other with one ``session_id``
    are one basket; an event without is one of its own.
    """

    item_id: str
    timestamp: float | None = None
    session_id: str | None = None


History = Sequence[str | Event]
"""What somebody has chosen, oldest first, as a caller hands it over: item ids or events."""


@dataclass(frozen=True, eq=False)
class Events:
    """Events of all users, one row an event, sorted by user and then time.

    ``table`` holds ``user_id``, ``item_id``, ``timestamp`` (microseconds, UTC) or ``position``
    (whole numbers, oldest first), and any of ``behaviour``, ``session_id``, ``rating``,
    ``review``, its ``summary``, a reference ``explanation`` (why the item fitted the person), and
    ``query``. Build it with ``from_table`` or ``load_events``, which sort; the constructor trusts
    its caller. ``notes`` says what was changed on the way in.

    >>> log = Events.from_table(pa.table({"user_id": ["u", "u"], "item_id": ["b", "a"],
    ...                                   "position": [2, 1]}))
    >>> log.table["item_id"].to_pylist(), log.user_ids
    (['a', 'b'], ('u',))
    """

    table: pa.Table
    notes: tuple[str, ...] = ()

    @classmethod
    def from_table(cls, table: pa.Table, *, notes: Sequence[str] = ()) -> Events:
        """The events of a table with canonical column names, sorted; other columns are left out.

        Order: user, then time, then position, then session, then the order given.

        :raises DataError: if user, item or both of time and position are missing.
        """
        _check_columns(table)
        table = table.select([name for name in CANONICAL if name in table.column_names])
        for name in TEXT_COLUMNS:
            if name in table.column_names:
                table = _replace(table, name, strings(table[name]))
        keys = [ranks(table["session_id"])] if "session_id" in table.column_names else []
        for name, kind in (("position", pa.int64()), ("timestamp", pa.timestamp("us"))):
            if name in table.column_names:
                table = _replace(table, name, table[name].cast(kind))
                keys.append(table[name].cast(pa.int64()).to_numpy())
        keys.append(ranks(table["user_id"]))
        return cls(table.take(pa.array(np.lexsort(keys))).combine_chunks(), tuple(notes))

    def __len__(self) -> int:
        """How many events there are."""
        return int(self.table.num_rows)

    @cached_property
    def starts(self) -> Ints:
        """The first row of each user."""
        return run_starts(self.table["user_id"])

    @cached_property
    def offsets(self) -> Ints:
        """Rows ``offsets[u]`` to ``offsets[u + 1]`` are those of user ``u``."""
        return np.append(self.starts, len(self))

    @cached_property
    def user_ids(self) -> tuple[str, ...]:
        """The users, sorted."""
        return tuple(self.table["user_id"].take(pa.array(self.starts)).to_pylist())

    @cached_property
    def sessions(self) -> Ints:
        """The session of each event, counted 0, 1, 2… within its user.

        A session is a run of events with one ``session_id``; an event without one is a session of
        its own. So sessions never overlap: one that another interrupts counts as two.
        """
        new = np.ones(len(self), dtype=bool)
        if "session_id" in self.table.column_names and len(self) > 1:
            ids = self.table["session_id"].combine_chunks()
            same = pc.equal(ids[1:], ids[:-1]).fill_null(False)
            new[1:] = ~np.asarray(same)
            new[self.starts] = True
        return _count_within(new, self.offsets)

    def select(self, mask: np.ndarray) -> Events:
        """The events where ``mask`` (bool, one an event) is true; still sorted."""
        return Events(self.table.filter(pa.array(mask)).combine_chunks(), self.notes)

    def histories(self, catalogue: Catalogue) -> Histories:
        """The same as arrays; every user stays, also one with nothing left.

        Events with an item that the catalogue does not have (any more) are left out;
        ``check_against`` finds them.
        """
        rows = catalogue.rows_of(self.table["item_id"])
        days = None
        if "timestamp" in self.table.column_names:
            days = self.table["timestamp"].cast(pa.int64()).to_numpy() / MICROSECONDS_A_DAY
        every = Histories(self.user_ids, self.offsets, rows, days, self.sessions)
        return every if bool((rows >= 0).all()) else every.where(rows >= 0)


@dataclass(frozen=True, eq=False)
class Histories:
    """Histories of several users as arrays: E events of U users, oldest first within a user.

    ``user_ids``: U ids; ``offsets``: int64[U + 1], events ``offsets[u]`` to ``offsets[u + 1]``
    are those of user ``u``; ``items``: int64[E], catalogue rows; ``days``: float64[E], days since
    1970 UTC (NaN for an event without a time), or None where no event has a time; ``sessions``:
    int64[E], 0, 1, 2… within a user.
    """

    user_ids: tuple[str, ...]
    offsets: Ints
    items: Ints
    days: Floats | None
    sessions: Ints

    def __len__(self) -> int:
        """How many users there are."""
        return len(self.user_ids)

    @property
    def lengths(self) -> Ints:
        """How many events each user has."""
        return np.diff(self.offsets)

    @property
    def user_of_event(self) -> Ints:
        """The number of the user of each event, ``int64[E]``."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def begins_session(self) -> np.ndarray:
        """Whether each event is the first of its session, ``bool[E]``."""
        begins = np.ones(len(self.items), dtype=bool)
        begins[1:] = (np.diff(self.user_of_event) != 0) | (np.diff(self.sessions) != 0)
        return begins

    def slice(self, u: int) -> slice:
        """Where the events of user number ``u`` lie."""
        return slice(int(self.offsets[u]), int(self.offsets[u + 1]))

    def events_of(self, u: int, catalogue: Catalogue) -> list[Event]:
        """The events of user number ``u``, as a caller would hand them over."""
        own = self.slice(u)
        items = catalogue.item_ids
        days = np.full(len(self.items), np.nan) if self.days is None else self.days
        return [
            Event(items[row], None if np.isnan(day) else day * 86_400, str(session))
            for row, day, session in zip(
                self.items[own].tolist(),
                days[own].tolist(),
                self.sessions[own].tolist(),
                strict=True,
            )
        ]

    def take(self, users: Ints) -> Histories:
        """The histories of some users by number, in the order asked; one may come twice."""
        users = np.asarray(users, dtype=np.int64)
        lengths = self.lengths[users]
        rows = ragged(self.offsets[users], lengths)
        ids = tuple(self.user_ids[u] for u in users.tolist())
        return self._with(ids, offsets_of(lengths), rows)

    def drawn(self, size: int, *, seed: int = 0) -> Ints:
        """The numbers of at most so many users, drawn at random and in their order."""
        return np.sort(np.random.default_rng(seed).permutation(len(self))[:size])

    def where(self, mask: np.ndarray) -> Histories:
        """The histories without the events where ``mask`` (bool, one an event) is false."""
        offsets = offsets_of(np.asarray(mask, dtype=np.int64))[self.offsets]
        left = self._with(self.user_ids, offsets, np.flatnonzero(mask))
        new = np.diff(left.sessions, prepend=-1) != 0
        new[offsets[:-1][left.lengths > 0]] = True
        return replace(left, sessions=_count_within(new, offsets))

    @classmethod
    def from_events(
        cls,
        events: Sequence[History],
        catalogue: Catalogue,
        *,
        user_ids: Sequence[str] | None = None,
    ) -> tuple[Histories, list[list[str]]]:
        """Histories from lists of item ids or ``Event``s, oldest first, and the unknown ids.

        The order given is kept. Items that the catalogue does not have are left out and
        returned, one list a user. Users are called "0", "1"… unless ``user_ids`` names them.

        >>> shop = Catalogue.from_table(pa.table({"item_id": ["m1", "m2"]}))
        >>> histories, unknown = Histories.from_events([["m2", "x"], []], shop)
        >>> histories.items.tolist(), histories.offsets.tolist(), unknown
        ([1], [0, 1, 1], [['x'], []])
        """
        users = [[Event(e) if isinstance(e, str) else e for e in user] for user in events]
        flat = [event for user in users for event in user]
        rows = catalogue.rows_of([event.item_id for event in flat])
        given = [event.timestamp for event in flat]
        days = None
        if any(time is not None for time in given):
            days = np.array([np.nan if t is None else t for t in given], dtype=np.float64) / 86_400
        names = tuple(user_ids) if user_ids is not None else tuple(map(str, range(len(users))))
        if len(names) != len(users):
            message = f"{len(names)} user ids were given for {len(users)} histories"
            raise DataError([Problem("histories", message, "Give one user id a history.")])
        offsets = offsets_of([len(user) for user in users])
        every = cls(names, offsets, rows, days, _session_numbers(users))
        unknown = [[e.item_id for e in user if not _has(catalogue, e.item_id)] for user in users]
        return every.where(rows >= 0), unknown

    def _with(self, user_ids: tuple[str, ...], offsets: Ints, rows: Ints) -> Histories:
        days = None if self.days is None else self.days[rows]
        return Histories(user_ids, offsets, self.items[rows], days, self.sessions[rows])


def _count_within(new: np.ndarray, offsets: Ints) -> Ints:
    """0, 1, 2… within each user, one more wherever ``new`` (true at each user's first event)."""
    lengths = np.diff(offsets)
    count = np.cumsum(new) - 1
    first = count[offsets[:-1][lengths > 0]]
    numbers: Ints = count - np.repeat(first, lengths[lengths > 0])
    return numbers


def _session_numbers(users: Sequence[Sequence[Event]]) -> Ints:
    numbers: list[int] = []
    for user in users:
        number, last = -1, None
        for event in user:
            number += event.session_id is None or event.session_id != last
            last = event.session_id
            numbers.append(number)
    return np.array(numbers, dtype=np.int64)


def _has(catalogue: Catalogue, item_id: str) -> bool:
    return bool(catalogue.rows_of([item_id])[0] >= 0)


def _replace(table: pa.Table, name: str, column: pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def _check_columns(table: pa.Table) -> None:
    names = table.column_names
    missing = [name for name in ("user_id", "item_id") if name not in names]
    if "timestamp" not in names and "position" not in names:
        missing.append("timestamp or position")
    if missing:
        fix = f"Name it, or map it with columns=. The table has: {', '.join(names) or 'nothing'}."
        raise DataError([Problem("events", f"column {m} is missing", fix) for m in missing])
