"""Splits lose nothing and hold out what comes last; cases see only what came before."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.data.splits import by_time, leave_last_basket, leave_one_out, split_for_training
from p5rec.errors import RequestError

SHOP = Catalogue.from_table(pa.table({"item_id": list("abcdef")}))
START = datetime(2026, 1, 1)
ROWS = st.lists(
    st.tuples(st.sampled_from("uvwx"), st.sampled_from("abcdef"), st.integers(0, 9)),
    min_size=1,
    max_size=30,
    unique=True,
)


def log(rows):
    """Events a day apart; those of one user and day are one basket."""
    users, items, days = zip(*rows, strict=True)
    times = [START + timedelta(days=day) for day in days]
    sessions = [f"{user}{day}" for user, day in zip(users, days, strict=True)]
    return Events.from_table(
        pa.table({"user_id": users, "item_id": items, "timestamp": times, "session_id": sessions})
    )


def keys(events):
    columns = ("user_id", "item_id", "timestamp")
    return list(zip(*(events.table[name].to_pylist() for name in columns), strict=True))


def splits_of(events):
    middle = START + timedelta(days=5)
    return {
        "leave_one_out": leave_one_out(events),
        "leave_last_basket": leave_last_basket(events),
        "by_time": by_time(events, validation_from=middle, test_from=middle + timedelta(days=2)),
    }


@settings(deadline=None)
@given(rows=ROWS)
def test_every_event_is_in_one_part_and_parts_follow_each_other(rows):
    events = log(rows)
    for split in splits_of(events).values():
        parts = [keys(part) for part in (split.train, split.validation, split.test)]
        assert sorted(key for part in parts for key in part) == sorted(keys(events))
        for earlier, later in ((0, 1), (1, 2), (0, 2)):
            for user in "uvwx":
                before = [time for who, _, time in parts[earlier] if who == user]
                after = [time for who, _, time in parts[later] if who == user]
                assert not before or not after or max(before) <= min(after)


@settings(deadline=None)
@given(rows=ROWS)
def test_cases_hold_what_came_before_and_the_unique_held_out_items(rows):
    events = log(rows)
    for split in splits_of(events).values():
        for name, past, held in (
            ("validation", keys(split.train), keys(split.validation)),
            ("test", keys(split.train) + keys(split.validation), keys(split.test)),
        ):
            cases = split.cases(name, SHOP)
            expected = sorted({u for u, _, _ in held} & {u for u, _, _ in past})
            assert list(cases.histories.user_ids) == expected
            for u, user in enumerate(expected):
                before = [item for who, item, _ in past if who == user]
                found = cases.histories.items[cases.histories.slice(u)]
                assert [SHOP.item_ids[row] for row in found] == before
                wanted = sorted({item for who, item, _ in held if who == user})
                assert [SHOP.item_ids[row] for row in cases.targets[u]] == wanted
                days = cases.histories.days[cases.histories.slice(u)]
                assert bool((np.diff(days) >= 0).all())


@settings(deadline=None)
@given(rows=ROWS, seed=st.randoms(use_true_random=False))
def test_splits_do_not_depend_on_the_order_of_rows(rows, seed):
    shuffled = list(rows)
    seed.shuffle(shuffled)
    one, other = log(rows), log(shuffled)
    assert sorted(keys(leave_last_basket(one).test)) == sorted(keys(leave_last_basket(other).test))


def test_leave_one_out_needs_three_events():
    events = log([("u", "a", 1), ("u", "b", 2), ("v", "a", 1), ("v", "b", 2), ("v", "c", 3)])
    split = leave_one_out(events)
    assert [u for u, _, _ in keys(split.train)] == ["u", "u", "v"]
    assert [i for _, i, _ in keys(split.validation)] == ["b"]
    assert [i for _, i, _ in keys(split.test)] == ["c"]


def test_leave_last_basket_needs_two_and_three_sessions():
    baskets = {"u": ["a"], "v": ["a", "bc"], "w": ["a", "b", "cd"]}
    events = log(
        [
            (user, item, day)
            for user, days in baskets.items()
            for day, items in enumerate(days)
            for item in items
        ]
    )
    split = leave_last_basket(events)
    assert [(u, i) for u, i, _ in keys(split.test)] == [
        ("v", "b"),
        ("v", "c"),
        ("w", "c"),
        ("w", "d"),
    ]
    assert [(u, i) for u, i, _ in keys(split.validation)] == [("w", "b")]


def test_a_sample_of_validation_users_depends_on_names_and_seed_alone():
    users = [f"user {n}" for n in range(50)]
    rows = [(user, item, day) for user in users for day, item in enumerate("abc")]
    whole, few = log(rows), leave_last_basket(log(rows), validation_users=10)
    assert len(few.validation.user_ids) == 10
    assert len(few.test.user_ids) == 50
    assert len(few.train) + len(few.validation) + len(few.test) == len(whole)
    again = leave_last_basket(log(rows[::-1]), validation_users=10)
    assert again.validation.user_ids == few.validation.user_ids
    other = leave_last_basket(log(rows), validation_users=10, seed=1)
    assert other.validation.user_ids != few.validation.user_ids
    # A user more or less changes at most one of the others.
    fewer = leave_last_basket(log(rows[3:]), validation_users=10)
    assert len(set(fewer.validation.user_ids) ^ set(few.validation.user_ids)) <= 2
    assert len(leave_last_basket(log(rows), validation_users=0).validation) == 0
    assert len(leave_last_basket(log(rows), validation_users=99).validation.user_ids) == 50


def test_nothing_left_to_split():
    events = log([("u", "a", 1)]).select(np.zeros(1, dtype=bool))
    for split in splits_of(events).values():
        assert len(split.train) + len(split.validation) + len(split.test) == 0
        assert len(split.cases("test", SHOP)) == 0


def test_a_sample_of_cases_keeps_their_order():
    rows = [(f"u{user}", item, day) for user in range(9) for day, item in enumerate("abc")]
    cases = leave_one_out(log(rows)).cases("test", SHOP)
    drawn, again, other = (cases.sample(4, seed=seed).histories.user_ids for seed in (0, 0, 1))
    assert list(drawn) == sorted(drawn) == list(again) != list(other)
    assert len(drawn) == 4
    assert cases.sample(None) is cases.sample(99) is cases


def test_wrong_requests():
    events = log([("u", "a", 1)])
    positions = Events.from_table(pa.table({"user_id": ["u"], "item_id": ["a"], "position": [1]}))
    calls = [
        lambda: leave_last_basket(events, validation_users=-1),
        lambda: split_for_training(events, "last", validation_users=1),
        lambda: by_time(events, validation_from="2026-01-02", test_from="2026-01-01"),
        lambda: by_time(events, validation_from="soon", test_from="2026-01-01"),
        lambda: by_time(positions, validation_from="2026-01-01", test_from="2026-01-02"),
        lambda: leave_one_out(events).cases("train", SHOP),
    ]
    for call in calls:
        with pytest.raises(RequestError):
            call()
