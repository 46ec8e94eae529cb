"""Splits of events into what a model may learn from and what it is measured on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
import pyarrow as pa

from p5rec.data.arrays import Ints, ranks
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories
from p5rec.errors import RequestError

Part = Literal["validation", "test"]
HoldOut = Literal["nothing", "last-basket", "leave-one-out"]


@dataclass(frozen=True, eq=False)
class Cases:
    """One row a user with something held out: what came before, and what is to be found.

    ``targets[u]``: int64, the catalogue rows of the unique held-out items of user ``u``, rising.
    """

    histories: Histories
    targets: list[Ints]

    def __len__(self) -> int:
        """How many users there are."""
        return len(self.targets)

    def take(self, users: Ints) -> Cases:
        """The cases of some users, in the order given."""
        return Cases(self.histories.take(users), [self.targets[user] for user in users.tolist()])

    def sample(self, size: int | None, *, seed: int = 0) -> Cases:
        """The cases of so many users, drawn at random and in their order; None takes all."""
        if size is None or size >= len(self):
            return self
        return self.take(self.histories.drawn(size, seed=seed))


@dataclass(frozen=True, eq=False)
class Split:
    """Events in three parts; a user's validation events come before the test events."""

    train: Events
    validation: Events
    test: Events

    def cases(self, part: Part, catalogue: Catalogue) -> Cases:
        """The users with something held out in ``part``, with all that came before it.

        For "test" that is the training and the validation events. Users with nothing before, or
        with nothing held out that the catalogue knows, are not cases.

        :raises RequestError: if ``part`` is neither "validation" nor "test".
        """
        if part not in ("validation", "test"):
            message = f"part is {part!r}; expected 'validation' or 'test'. Choose one of them."
            raise RequestError(message)
        held = (self.validation if part == "validation" else self.test).histories(catalogue)
        past = self.train if part == "validation" else _joined(self.train, self.validation)
        before = past.histories(catalogue)
        number = {user: u for u, user in enumerate(before.user_ids)}
        found = np.array([number.get(user, -1) for user in held.user_ids], dtype=np.int64)
        # Index -1 would be the last user: an empty history stands in for a missing one.
        lengths = np.append(before.lengths, 0)
        chosen = np.flatnonzero((found >= 0) & (lengths[found] > 0) & (held.lengths > 0))
        targets = [np.unique(held.items[held.slice(u)]) for u in chosen.tolist()]
        return Cases(before.take(found[chosen]), targets)


def split_for_training(
    events: Events, hold_out: HoldOut, *, validation_users: int, seed: int = 0
) -> Split:
    """Hold out what training must not see, and what it validates on.

    :param hold_out: for test: ``nothing``, each user's ``last-basket``, or their last event
        (``leave-one-out``).
    :param validation_users: so many users validate; with ``leave-one-out`` all do.
    :param seed: another seed chooses other users.
    :raises RequestError: if there is no such way to hold out.
    """
    if hold_out == "last-basket":
        return leave_last_basket(events, validation_users=validation_users, seed=seed)
    if hold_out == "leave-one-out":
        return leave_one_out(events)
    if hold_out != "nothing":
        raise RequestError(
            f"hold_out is {hold_out!r}; expected 'nothing', 'last-basket' or 'leave-one-out'. "
            "Choose one of them."
        )
    return validate_last_basket(events, users=validation_users, seed=seed)


def leave_one_out(events: Events) -> Split:
    """Hold out each user's last event for test and the one before for validation.

    Users with fewer than three events stay in training only. The leak: time order holds within a
    user, not across users, so training sees what others did after a user's test event, and
    popularity and trends of that later time with it.

    >>> log = Events.from_table(pa.table({"user_id": ["u"] * 4, "item_id": list("abcd"),
    ...                                   "position": [1, 2, 3, 4]}))
    >>> split = leave_one_out(log)
    >>> [part.table["item_id"].to_pylist() for part in (split.train, split.validation, split.test)]
    [['a', 'b'], ['c'], ['d']]
    """
    lengths = np.diff(events.offsets)
    left = np.repeat(events.offsets[1:], lengths) - np.arange(len(events))
    enough = np.repeat(lengths >= 3, lengths)
    return _parted(events, enough & (left == 2), enough & (left == 1))


def leave_last_basket(
    events: Events, *, validation_users: int | None = None, seed: int = 0
) -> Split:
    """Hold out each user's last session for test and the one before for validation.

    A user needs two sessions for a test and three for a validation basket; events without a
    ``session_id`` are sessions of their own. The leak: as with leave-one-out, training sees what
    others bought after a user's held-out baskets.

    :param validation_users: hold out a validation basket of only so many users; the others keep
        theirs in training. Chosen by a hash of user id and seed, so not by order.
    :param seed: another seed chooses other users.
    :raises RequestError: if ``validation_users`` is negative.

    >>> log = Events.from_table(pa.table({"user_id": ["u"] * 4, "item_id": list("abcd"),
    ...                                   "position": [1, 2, 3, 4], "session_id": list("1233")}))
    >>> split = leave_last_basket(log)
    >>> [part.table["item_id"].to_pylist() for part in (split.train, split.validation, split.test)]
    [['a'], ['b'], ['c', 'd']]
    """
    lengths = np.diff(events.offsets)
    last = events.sessions[events.offsets[1:] - 1] if len(events) else np.zeros(0, dtype=np.int64)
    validated = last >= 2
    if validation_users is not None:
        validated &= _sample(events.user_ids, validated, validation_users, seed)
    left = np.repeat(last, lengths) - events.sessions
    test = np.repeat(last >= 1, lengths) & (left == 0)
    return _parted(events, np.repeat(validated, lengths) & (left == 1), test)


def validate_last_basket(events: Events, *, users: int, seed: int = 0) -> Split:
    """Hold out the last session of a sample of users for validation, and nothing for test.

    Only users with two sessions are sampled, by a hash of user id and seed. The leak is that of
    ``leave_last_basket``.

    >>> log = Events.from_table(pa.table({"user_id": ["u"] * 3, "item_id": list("abc"),
    ...                                   "position": [1, 2, 3], "session_id": list("122")}))
    >>> split = validate_last_basket(log, users=1)
    >>> [part.table["item_id"].to_pylist() for part in (split.train, split.validation, split.test)]
    [['a'], ['b', 'c'], []]
    """
    lengths = np.diff(events.offsets)
    last = events.sessions[events.offsets[1:] - 1] if len(events) else np.zeros(0, dtype=np.int64)
    chosen = (last >= 1) & _sample(events.user_ids, last >= 1, users, seed)
    left = np.repeat(last, lengths) - events.sessions
    return _parted(
        events, np.repeat(chosen, lengths) & (left == 0), np.zeros(len(left), dtype=bool)
    )


def by_time(events: Events, *, validation_from: datetime | str, test_from: datetime | str) -> Split:
    """Hold out everything from one moment on for validation, from a later one on for test.

    No event of training is later than one held out. What leaks still: the catalogue, which knows
    items that had not appeared by then. Users without an earlier event are not cases.

    :param validation_from: ISO 8601 text or datetime; without a zone it is taken for UTC.
    :param test_from: the same; later than ``validation_from``.
    :raises RequestError: if the events have no times or the moments are not in order.

    >>> log = Events.from_table(pa.table({"user_id": ["u"] * 3, "item_id": list("abc"),
    ...     "timestamp": [datetime(2026, 1, day) for day in (1, 2, 3)]}))
    >>> split = by_time(log, validation_from="2026-01-02", test_from="2026-01-03")
    >>> [part.table["item_id"].to_pylist() for part in (split.train, split.validation, split.test)]
    [['a'], ['b'], ['c']]
    """
    if "timestamp" not in events.table.column_names:
        message = "the events have positions, not times; a split by time needs times"
        raise RequestError(f"{message}. Use leave_one_out, or load a timestamp.")
    first, second = _micros(validation_from), _micros(test_from)
    if first >= second:
        message = f"validation_from is {validation_from}, test_from is {test_from}"
        raise RequestError(f"{message}; expected the first to be earlier. Exchange them.")
    times = events.table["timestamp"].cast(pa.int64()).to_numpy()
    return _parted(events, (times >= first) & (times < second), times >= second)


def _parted(events: Events, validation: np.ndarray, test: np.ndarray) -> Split:
    train = events.select(~(validation | test))
    return Split(train, events.select(validation), events.select(test))


def _joined(first: Events, second: Events) -> Events:
    """The events of both, those of ``first`` before those of ``second`` within a user."""
    table = pa.concat_tables([first.table, second.table])
    order = np.argsort(ranks(table["user_id"]), kind="stable")
    return Events(table.take(pa.array(order)).combine_chunks(), first.notes)


def _sample(user_ids: Sequence[str], eligible: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Which users belong to a sample of the eligible ones that does not depend on their order."""
    if size < 0:
        message = f"validation_users is {size}; expected 0 or more, or None for all"
        raise RequestError(f"{message}. Leave it out to validate on all.")
    draw = {
        u: hashlib.blake2b(f"{seed}:{user_ids[u]}".encode(), digest_size=8).digest()
        for u in np.flatnonzero(eligible).tolist()
    }
    chosen = np.zeros(len(user_ids), dtype=bool)
    chosen[sorted(draw, key=lambda u: (draw[u], user_ids[u]))[:size]] = True
    return chosen


def _micros(moment: datetime | str) -> int:
    try:
        time = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    except ValueError as error:
        message = f"{moment!r} is no time; expected ISO 8601"
        raise RequestError(f"{message}. Write it like 2026-11-21T09:30:00.") from error
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    since = time - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
