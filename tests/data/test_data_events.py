"""Events, histories and the catalogue as the other rooms use them."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Event, Events, Histories
from p5rec.errors import DataError

SHOP = Catalogue.from_table(pa.table({"item_id": list("abcd")}))


def log(*rows, by="position"):
    names = ("user_id", "item_id", by, "session_id")[: len(rows[0])]
    return Events.from_table(
        pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))
    )


def test_events_are_sorted_by_user_time_session_and_order():
    events = log(
        *(("v", "a", 1, "x"), ("u", "b", 2, "y"), ("u", "c", 2, "x"), ("u", "d", 1, "z")),
        *(("u", "a", 2, "y"),),
    )
    assert events.table["item_id"].to_pylist() == ["d", "c", "b", "a", "a"]
    assert events.user_ids == ("u", "v")
    assert events.offsets.tolist() == [0, 4, 5]
    assert events.sessions.tolist() == [0, 1, 2, 2, 0]


def test_position_breaks_ties_of_time():
    day = datetime(2026, 1, 1)
    table = {"user_id": ["u"] * 3, "item_id": list("abc"), "timestamp": [day] * 3}
    events = Events.from_table(pa.table({**table, "position": [3, 1, 2]}))
    assert events.table["item_id"].to_pylist() == ["b", "c", "a"]


def test_events_without_a_session_are_their_own_and_interrupted_ones_count_twice():
    events = log(
        *(("u", "a", 1, "x"), ("u", "b", 2, None), ("u", "c", 3, None), ("u", "d", 4, "x")),
        *(("u", "a", 5, "x"), ("v", "a", 1, "x")),
    )
    assert events.sessions.tolist() == [0, 1, 2, 3, 3, 0]
    assert log(("u", "a", 1), ("u", "b", 2)).sessions.tolist() == [0, 1]


def test_missing_columns_are_all_named():
    with pytest.raises(DataError) as caught:
        Events.from_table(pa.table({"user": ["u"]}))
    assert len(caught.value.problems) == 3


def test_histories_have_rows_days_and_sessions():
    noon = datetime(1970, 1, 11, 12)
    events = log(("u", "b", noon), ("u", "a", noon - timedelta(days=1)), by="timestamp")
    histories = events.histories(SHOP)
    assert (histories.items.tolist(), histories.days.tolist()) == ([0, 1], [9.5, 10.5])
    assert log(("u", "b", 1)).histories(SHOP).days is None


def test_unknown_items_leave_the_history_and_sessions_stay_dense():
    events = log(("u", "a", 1, "x"), ("u", "?", 2, "y"), ("u", "b", 3, "z"), ("v", "?", 1, "w"))
    histories = events.histories(SHOP)
    assert histories.user_ids == ("u", "v")
    assert histories.items.tolist() == [0, 1]
    assert histories.sessions.tolist() == [0, 1]
    assert histories.lengths.tolist() == [2, 0]


def test_no_events_at_all():
    events = log(("u", "a", 1)).select(np.zeros(1, dtype=bool))
    histories = events.histories(SHOP)
    assert (len(events), len(histories), histories.offsets.tolist()) == (0, 0, [0])


def test_histories_from_what_callers_hand_over():
    given_lists = [["b", Event("a", 86_400.0, "s"), Event("c", 172_800.0, "s")], ["?", "a"], []]
    histories, unknown = Histories.from_events(given_lists, SHOP, user_ids=["x", "y", "z"])
    assert unknown == [[], ["?"], []]
    assert histories.user_ids == ("x", "y", "z")
    assert histories.items.tolist() == [1, 0, 2, 0]
    assert histories.offsets.tolist() == [0, 3, 4, 4]
    assert histories.sessions.tolist() == [0, 1, 1, 0]
    np.testing.assert_equal(histories.days, [np.nan, 1.0, 2.0, np.nan])
    assert Histories.from_events([["a"]], SHOP)[0].days is None
    with pytest.raises(DataError):
        Histories.from_events([["a"]], SHOP, user_ids=[])


@settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from("uvw"),
            st.sampled_from("abc?"),
            st.integers(0, 3),
            st.sampled_from("xyz"),
        ),
        min_size=1,
        max_size=20,
    ),
    users=st.lists(st.integers(0, 100), max_size=5),
)
def test_histories_say_the_same_as_the_rows(rows, users):
    events = log(*rows)
    histories = events.histories(SHOP)
    for u, user in enumerate(histories.user_ids):
        mine = sorted((r for r in rows if r[0] == user), key=lambda r: (r[2], r[3]))
        known = [r for r in mine if r[1] != "?"]
        assert [SHOP.item_ids[i] for i in histories.items[histories.slice(u)]] == [
            r[1] for r in known
        ]
        sessions = histories.sessions[histories.slice(u)]
        steps = np.diff(sessions, prepend=-1)
        assert set(steps.tolist()) <= {0, 1}
        assert steps[:1].tolist() in ([], [1])
    chosen = np.array([u % len(histories) for u in users], dtype=np.int64)
    taken = histories.take(chosen)
    assert len(taken) == len(chosen)
    for at, u in enumerate(chosen.tolist()):
        assert taken.user_ids[at] == histories.user_ids[u]
        for name in ("items", "sessions"):
            one = getattr(taken, name)[taken.slice(at)]
            assert one.tolist() == getattr(histories, name)[histories.slice(u)].tolist()


def test_a_million_events_are_quick():
    draw = np.random.default_rng(0)
    n = 1_400_000
    table = pa.table(
        {
            "user_id": pa.array(draw.integers(0, 2_500, n)).cast(pa.string()),
            "item_id": pa.array(draw.integers(0, 28_000, n)).cast(pa.string()),
            "timestamp": pa.array(draw.integers(10**9, 2 * 10**9, n) * 10**6).cast(
                pa.timestamp("us")
            ),
            "session_id": pa.array(draw.integers(0, 150_000, n)).cast(pa.string()),
        }
    )
    shop = Catalogue.from_table(pa.table({"item_id": table["item_id"].unique()}))
    start = time.perf_counter()
    histories = Events.from_table(table).histories(shop)
    assert time.perf_counter() - start < 8  # about 1 s on a quiet machine
    assert len(histories.items) == n


# --- the catalogue

FULL = Catalogue.from_table(
    pa.table(
        {
            "colour": ["blue", None, " "],
            "item_id": ["1", "2", "3"],
            "title": ["Oat milk", None, ""],
            "brand": ["Oatly", "Hof", None],
            "categories": [["Food", "Drinks", "oat milk"], ["Food", "Cheese"], []],
            "variant": ["1 l", "200 g", None],
            "price": [1, 2, None],
            "weight": [1.5, None, None],
            "description": ["long", None, None],
        }
    )
)


def test_records_have_only_what_is_known():
    assert FULL.record(0) == {
        "title": "Oat milk",
        "brand": "Oatly",
        "categories": ["Food", "Drinks", "oat milk"],
        "variant": "1 l",
        "description": "long",
        "price": 1.0,
        "colour": "blue",
        "weight": 1.5,
    }
    assert FULL.record(2) == {}
    assert FULL.column("price") == [1.0, 2.0, None]


def test_texts_and_names():
    assert FULL.texts == ["Oat milk, Oatly, Drinks, 1 l, blue", "Hof, Cheese, Food, 200 g", ""]
    assert [FULL.name(row) for row in range(3)] == ["Oat milk", "Cheese, Hof, 200 g", "3"]
    long = Catalogue.from_table(pa.table({"item_id": ["1"], "title": ["x" * 200]}))
    assert len(long.name(0)) == 80


@pytest.mark.parametrize("left", [n for n in FULL.table.column_names if n != "item_id"])
def test_any_column_may_be_missing(left):
    less = Catalogue.from_table(FULL.table.drop_columns([left]))
    assert left not in less.record(0)
    assert len(less.texts) == 3
    assert less.name(0)


def test_only_ids():
    assert (SHOP.record(0), SHOP.text(0), SHOP.name(0)) == ({}, "", "a")
    assert SHOP.rows_of(["d", "?", "a"]).tolist() == [3, -1, 0]
    assert SHOP.rows_of(pa.chunked_array([["d"], ["?", None]])).tolist() == [3, -1, -1]
    assert SHOP.rows_of([]).tolist() == []


@pytest.mark.parametrize(
    "columns", [{"title": ["x"]}, {"item_id": ["a", "a"]}, {"item_id": ["a", None]}]
)
def test_ids_must_be_there_and_unique(columns):
    with pytest.raises(DataError):
        Catalogue.from_table(pa.table(columns))


def test_unknown_columns_are_named():
    with pytest.raises(DataError, match="no column 'size'"):
        SHOP.column("size")
