"""Schema, values, shape and text: what each bad input gives, in every kind of file."""

from __future__ import annotations

import contextlib
import csv
import json
import time
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from p5rec.data.loading import check_against, load_catalogue, load_events, load_users
from p5rec.errors import DataError, RequestError

GOOD = [
    {"user_id": "u1", "item_id": "a", "timestamp": "2026-01-01T10:00:00"},
    {"user_id": "u1", "item_id": "b", "timestamp": "2026-01-02T10:00:00"},
    {"user_id": "u2", "item_id": "a", "timestamp": "2026-01-03T10:00:00"},
]


def changed(row: int, **values):
    return [{**good, **values} if i == row else dict(good) for i, good in enumerate(GOOD)]


def rated(*ratings):
    return [{**row, "rating": rating} for row, rating in zip(GOOD, ratings, strict=True)]


def problems_of(source, **options):
    with pytest.raises(DataError) as caught:
        load_events(source, **options)
    assert all(problem.message and problem.fix for problem in caught.value.problems)
    return caught.value.problems


def test_good_events_load(write, kind):
    events = load_events(write(GOOD, kind))
    assert events.table["item_id"].to_pylist() == ["a", "b", "a"]
    assert events.user_ids == ("u1", "u2")
    assert events.table["timestamp"][0].as_py() == datetime(2026, 1, 1, 10)
    assert events.notes == ()


# --- bad rows: faults under strict, set aside under quarantine

FUTURE = (datetime.now(UTC) + timedelta(days=400)).strftime("%Y-%m-%dT%H:%M:%S")
BAD_ROWS = {
    "null user": (changed(1, user_id=None), "user_id", "missing"),
    "null item": (changed(1, item_id=None), "item_id", "missing"),
    "blank item": (changed(1, item_id="  "), "item_id", "missing"),
    "null time": (changed(1, timestamp=None), "timestamp", "missing"),
    "no time": (changed(1, timestamp="yesterday"), "timestamp", "not a time"),
    "30 February": (changed(1, timestamp="2026-02-30"), "timestamp", "not a time"),
    "future": (changed(1, timestamp=FUTURE), "timestamp", "future"),
    "zero": (changed(1, timestamp="1970-01-01T00:00:00"), "timestamp", "zero"),
    "zone among none": (changed(1, timestamp="2026-01-02T10:00:00Z"), "timestamp", "zone"),
    "number among texts": (changed(1, timestamp="1767348000"), "timestamp", "another kind"),
    "control": (changed(1, item_id="a\x07b"), "item_id", "control"),
    "line break": (changed(1, item_id="a\nb"), "item_id", "control"),
    "bidi": (changed(1, user_id="u\u202e1"), "user_id", "bidi"),
    "zero-width": (changed(1, item_id="a\u200b"), "item_id", "zero-width"),
    "long id": (changed(1, item_id="x" * 1_001), "item_id", "longer"),
    "repeated event": (changed(1, item_id="a", timestamp=GOOD[0]["timestamp"]), "item_id", "same"),
    "NaN": (rated(1.0, float("nan"), 2.0), "rating", "finite"),
    "infinite rating": (rated(1.0, float("inf"), 2.0), "rating", "finite"),
    "negative rating": (rated(1, -1, 2), "rating", "negative"),
    "text rating": (rated("1", "good", "2"), "rating", "not a number"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_named_and_can_be_set_aside(write, kind, case, tmp_path):
    rows, column, said = BAD_ROWS[case]
    path = write(rows, kind)
    problems = problems_of(path)
    assert [(p.file, p.row, p.column) for p in problems] == [(str(path), 2, column)]
    assert said in problems[0].message
    aside = tmp_path / "aside.jsonl"
    events = load_events(path, policy="quarantine", quarantine_file=aside)
    lines = [json.loads(line) for line in aside.read_text().splitlines()]
    assert len(events) == 2
    assert [line["row"] for line in lines] == [2]
    assert lines[0]["problems"][0]["column"] == column
    assert lines[0]["record"]["user_id"] == rows[1]["user_id"] or kind == "csv"


def test_all_problems_are_found_at_once(write, kind):
    rows = [
        {"user_id": None, "item_id": "a\u200b", "timestamp": "never"},
        {"user_id": "u", "item_id": "a", "timestamp": "2026-01-01"},
        {"user_id": "u", "item_id": None, "timestamp": "2026-01-01"},
    ]
    problems = problems_of(write(rows, kind))
    found = [(p.row, p.column) for p in problems]
    assert sorted(found) == [(1, "item_id"), (1, "timestamp"), (1, "user_id"), (3, "item_id")]
    assert [row for row, _ in found] == [1, 1, 1, 3]


def test_nothing_left_is_an_error_and_still_written(write, kind, tmp_path):
    aside = tmp_path / "aside.jsonl"
    path = write([{**row, "user_id": None} for row in GOOD], kind)
    problems = problems_of(path, policy="quarantine", quarantine_file=aside)
    assert "no row is left" in problems[0].message
    assert len(aside.read_text().splitlines()) == 3


def test_a_good_row_is_not_lost_to_a_bad_one_that_it_repeats(write, kind, tmp_path):
    rows = [{**GOOD[0], "rating": -1}, {**GOOD[0], "rating": 3}, {**GOOD[1], "rating": 3}]
    events = load_events(
        write(rows, kind), policy="quarantine", quarantine_file=tmp_path / "aside.jsonl"
    )
    assert events.table["rating"].to_pylist() == [3.0, 3.0]


CELLS = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["u", "v", "", None, "w\u200b", "007"]),
        "item_id": st.sampled_from(["a", "b", None, "c\x00", "d"]),
        "timestamp": st.sampled_from(
            ["2026-01-01", "2026-01-02T00:00:00Z", "x", None, "1767348000"]
        ),
        "rating": st.sampled_from([1.0, None, -2.0, float("inf")]),
    }
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=st.lists(CELLS, min_size=1, max_size=12))
def test_rows_in_are_rows_accepted_and_rows_set_aside(tmp_path, rows):
    aside = tmp_path / "aside.jsonl"
    schema = {name: pa.string() for name in ("user_id", "item_id", "timestamp")}
    table = pa.Table.from_pylist(rows, pa.schema({**schema, "rating": pa.float64()}))
    accepted, _ = outcome(table, policy="quarantine", quarantine_file=aside)
    numbers = [json.loads(line)["row"] for line in aside.read_text().splitlines()]
    assert accepted + len(numbers) == len(rows)
    assert len(set(numbers)) == len(numbers)
    _, problems = outcome(table)
    assert {problem.row for problem in problems} == set(numbers)


def outcome(table, **options):
    """How many events were accepted, and the problems if it was refused."""
    try:
        return len(load_events(table, **options)), ()
    except DataError as error:
        return 0, error.problems


# --- schema


@pytest.mark.parametrize("missing", ["user_id", "item_id", "timestamp"])
def test_a_missing_column_is_named(write, kind, missing):
    rows = [{k: v for k, v in row.items() if k != missing} for row in GOOD]
    problems = problems_of(write(rows, kind))
    assert [p.column for p in problems] == [missing]
    assert "missing" in problems[0].message


def test_a_renamed_column_is_suggested_and_can_be_mapped(write, kind):
    path = write(
        [{"UserId": r["user_id"], **{k: r[k] for k in r if k != "user_id"}} for r in GOOD], kind
    )
    problems = problems_of(path)
    assert "Did you mean 'UserId'?" in problems[0].fix
    assert load_events(path, columns={"user_id": "UserId"}).user_ids == ("u1", "u2")
    problems = problems_of(path, columns={"user_id": "Userid"})
    assert "Did you mean 'UserId'?" in problems[0].fix
    problems = problems_of(path, columns={"user_ids": "UserId"})
    assert "Did you mean 'user_id'?" in problems[0].fix


def test_problems_speak_of_the_columns_that_the_source_has(write, kind):
    rows = [{"who": None if i else "u", "what": "a", "when": f"2026-01-0{i + 1}"} for i in range(2)]
    columns = {"user_id": "who", "item_id": "what", "timestamp": "when"}
    assert [p.column for p in problems_of(write(rows, kind), columns=columns)] == ["who"]


def test_a_mapped_column_hides_one_of_the_canonical_name():
    table = pa.table({"item_id": ["1"], "asin": ["B01"], "title": ["t"]})
    assert load_catalogue(table, columns={"item_id": "asin"}).item_ids == ["B01"]


def test_duplicate_columns_are_named(tmp_path):
    path = tmp_path / "events.csv"
    path.write_text("user_id,item_id,item_id,timestamp\nu,a,b,2026-01-01\n")
    (problem,) = problems_of(path)
    assert (problem.column, "one name" in problem.message) == ("item_id", True)
    table = pa.table([["u"], ["a"], ["b"]], names=["user_id", "item_id", "item_id"])
    assert problems_of(table)[0].column == "item_id"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("user_id", [["u"], ["v"], ["w"]]),
        ("item_id", [{"a": 1}, {"a": 2}, {"a": 3}]),
        ("item_id", [True, False, True]),
        ("timestamp", [[1], [2], [3]]),
        ("rating", [[1], [2], [3]]),
        ("review", [["good"], ["bad"], []]),
    ],
)
@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_wrong_and_nested_types_are_refused(write, form, column, values):
    rows = [{**row, column: value} for row, value in zip(GOOD, values, strict=True)]
    (problem,) = problems_of(write(rows, form))
    assert problem.column == column
    assert "holds" in problem.message


def test_whole_float_ids_become_whole_numbers_with_a_note(write, kind):
    rows = [{**row, "user_id": 123.0 + i} for i, row in enumerate(GOOD)]
    events = load_events(write(rows, kind))
    assert events.user_ids == ("123", "124", "125")
    assert any("user_id" in note for note in events.notes)


def test_float_ids_that_are_not_exact_are_bad_rows():
    table = pa.table({"item_id": [1.0, 1.5, 2.0**60, float("inf"), None]})
    with pytest.raises(DataError) as caught:
        load_catalogue(table)
    assert [p.row for p in caught.value.problems] == [2, 3, 4, 5]


def test_leading_zeros_and_huge_numbers_stay_in_text_ids(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("item_id,title\n007,a\n7,b\n99999999999999999999,c\n1e5,d\n")
    assert load_catalogue(path).item_ids == ["007", "7", "99999999999999999999", "1e5"]


def test_ids_past_64_bits_in_json_are_never_rounded(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text('{"item_id": 99999999999999999999}\n{"item_id": 1}\n')
    with pytest.raises(DataError, match="too large to be exact"):
        load_catalogue(path)


def test_json_ids_of_mixed_types_become_text(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text('{"item_id": 1, "title": "2026-01-01"}\n{"item_id": "x"}\n')
    catalogue = load_catalogue(path)
    assert catalogue.item_ids == ["1", "x"]
    assert catalogue.record(0) == {"title": "2026-01-01"}


def test_text_that_looks_like_a_time_stays_text_in_json(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text('{"item_id": "2026-01-01", "categories": ["2026-01-01"]}\n')
    catalogue = load_catalogue(path)
    assert catalogue.item_ids == ["2026-01-01"]
    assert catalogue.record(0) == {"categories": ["2026-01-01"]}


ODD_VALUES = [
    pa.array([1.5, None, 2], pa.float16()),
    pa.array(["a", "b", None], pa.string_view()),
    pa.array([b"a", b"\xff", None]),
    pa.array([1, 2, None], pa.time64("us")),
    pa.array([1, 2, None], pa.duration("s")),
    pa.array([(1, 2, 3), None, None], pa.month_day_nano_interval()),
    pa.array([1, 2, None], pa.decimal256(50)),
    pa.array([["a"], [], None], pa.list_view(pa.string())),
    pa.array([[("a", 1)], [], None], pa.map_(pa.string(), pa.int8())),
    pa.array(["a", "b", None]).dictionary_encode(),
    pa.array([2**62, 1, None], pa.timestamp("ns")),
    pa.nulls(3),
]


@pytest.mark.parametrize("values", ODD_VALUES, ids=lambda values: str(values.type))
@pytest.mark.parametrize("load", [load_events, load_catalogue, load_users])
def test_no_type_in_any_column_raises_anything_else(load, values, tmp_path):
    good = pa.Table.from_pylist([{**row, "item_id": f"{i}"} for i, row in enumerate(GOOD)])
    names = ("user_id", "item_id", "timestamp", "position", "rating", "title", "price", "more")
    for name in (*names, "categories", "review"):
        columns = {n: good[n] for n in good.column_names} | {name: values}
        for options in ({}, {"policy": "quarantine", "quarantine_file": tmp_path / "aside"}):
            with contextlib.suppress(DataError):
                load(pa.table(columns), **options)


# --- times


@pytest.mark.parametrize(
    "value",
    [
        "2026-01-01T10:00:00",
        "2026-01-01 10:00",
        "2026-01-01T10:00:00.000000",
        "2026-01-01T10:00:00.000000000",
        "2026-01-01T10:00:00Z",
        "2026-01-01T12:00:00+02:00",
        "2026-01-01 12:00:00 +0200",
        1767261600,
        1767261600000,
        "1767261600",
        1767261600.0,
    ],
)
def test_every_way_to_write_a_time_gives_the_same(write, kind, value):
    events = load_events(write([{**GOOD[0], "timestamp": value}], kind))
    assert events.table["timestamp"].to_pylist() == [datetime(2026, 1, 1, 10)]


def test_times_with_different_offsets_are_fine(write, kind):
    texts = ("2026-01-01T10:00:00Z", "2026-01-01T12:30:00+02:00", "2026-01-01T10:00:00-01:00")
    rows = [{**GOOD[0], "timestamp": text} for text in texts]
    found = load_events(write(rows, kind)).table["timestamp"].to_pylist()
    assert found == [datetime(2026, 1, 1, *at) for at in ((10, 0), (10, 30), (11, 0))]


def test_arrow_times_of_any_unit_and_dates(tmp_path):
    moment = datetime(2026, 1, 1, 10)
    for kind in ("s", "ms", "us", "ns"):
        times = pa.array([moment], pa.timestamp(kind))
        table = pa.table({"user_id": ["u"], "item_id": ["a"], "timestamp": times})
        assert load_events(table).table["timestamp"].to_pylist() == [moment]
    zoned = pa.array([moment], pa.timestamp("us", "Europe/Berlin"))
    table = pa.table({"user_id": ["u"], "item_id": ["a"], "timestamp": zoned})
    assert load_events(table).table["timestamp"].to_pylist() == [moment]
    table = pa.table({"user_id": ["u"], "item_id": ["a"], "timestamp": [moment.date()]})
    assert load_events(table).table["timestamp"].to_pylist() == [datetime(2026, 1, 1)]


def test_a_mixture_of_units_is_refused_under_both_policies(write, kind, tmp_path):
    rows = [
        {**row, "timestamp": t}
        for row, t in zip(GOOD, (1767261600, 1767261600000, 1767261601), strict=True)
    ]
    path = write(rows, kind)
    for options in ({}, {"policy": "quarantine", "quarantine_file": tmp_path / "aside.jsonl"}):
        (problem,) = problems_of(path, **options)
        assert "seconds (row 1: 1767261600), milliseconds (row 2: 1767261600000)" in problem.message


def test_small_numbers_are_no_times(write, kind):
    rows = [{**row, "timestamp": t} for row, t in zip(GOOD, (0, 1, 1767261600), strict=True)]
    problems = problems_of(write(rows, kind))
    assert [p.row for p in problems] == [1, 2]
    assert "zero" in problems[0].message
    assert "position" in problems[1].fix


def test_times_that_arrow_cannot_hold_are_an_error():
    times = pa.array([2**55], pa.timestamp("s"))
    table = pa.table({"user_id": ["u"], "item_id": ["a"], "timestamp": times})
    with pytest.raises(DataError):
        load_events(table)


# --- positions


def test_positions_order_events(write, kind):
    rows = [{"user_id": "u", "item_id": i, "position": p} for i, p in (("b", 10), ("a", 9))]
    assert load_events(write(rows, kind)).table["item_id"].to_pylist() == ["a", "b"]
    rows.append({"user_id": "u", "item_id": "c", "position": 1.5})
    (problem,) = problems_of(write(rows, kind))
    assert (problem.row, problem.column) == (3, "position")


# --- catalogue and users


def test_catalogue_faults_are_all_named(write, kind):
    rows = [
        {"item_id": "a", "title": "one", "price": "1.50"},
        {"item_id": "a", "title": "two", "price": "2"},
        {"item_id": None, "title": "three", "price": "$3"},
        {"item_id": "d", "title": "four", "price": "-1"},
        {"item_id": "e", "title": "five", "price": "nan"},
    ]
    with pytest.raises(DataError) as caught:
        load_catalogue(write(rows, kind))
    found = [(p.row, p.column) for p in caught.value.problems]
    assert found == [
        *((2, "item_id"), (3, "item_id")),
        *((3, "price"), (4, "price"), (5, "price")),
    ]


@pytest.mark.parametrize("written", ["Food > Cheese", "Food|Cheese", " Food |  Cheese | "])
def test_categories_as_text(write, kind, written):
    catalogue = load_catalogue(write([{"item_id": "a", "categories": written}], kind))
    assert catalogue.column("categories") == [["Food", "Cheese"]]


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_categories_as_lists(write, form):
    rows = [
        {"item_id": "a", "categories": ["Food", "", "Cheese"]},
        {"item_id": "b", "categories": []},
    ]
    catalogue = load_catalogue(write(rows, form))
    assert catalogue.column("categories") == [["Food", "Cheese"], None]


def test_a_printed_list_and_nested_categories_are_refused(write):
    with pytest.raises(DataError, match="printed as text"):
        load_catalogue(write([{"item_id": "a", "categories": "['Food']"}], "csv"))
    with pytest.raises(DataError, match="expected paths"):
        load_catalogue(write([{"item_id": "a", "categories": [["Food"]]}], "jsonl"))


def test_users(write, kind):
    rows = [
        {"user_id": "01", "age": "44", "town": None},
        {"user_id": "2", "age": "45", "town": "B"},
    ]
    users = load_users(write(rows, kind))
    assert (len(users), users.attributes("01"), users.attributes("nobody")) == (
        2,
        {"age": "44"},
        {},
    )
    with pytest.raises(DataError, match="earlier row"):
        load_users(write([rows[0], rows[0]], kind))


def test_nested_attributes_are_left_out_with_a_note(write):
    rows = [{"user_id": "u", "item_id": "a", "more": {"x": 1}, "tags": ["new", "red"]}]
    catalogue = load_catalogue(write(rows, "parquet"))
    assert catalogue.record(0) == {"user_id": "u", "tags": "new, red"}
    assert "'more' was left out" in catalogue.notes[0]
    assert "'more' was left out" in load_users(write(rows, "parquet")).notes[0]


# --- texts


def test_texts_are_mended_with_a_note(write, kind):
    title = "a\u202eb\u200bc\x00\u2028d 👩\u200d🚀 مرحبا <b>{{x}}</b> =cmd"
    rows = [
        {"item_id": "a", "title": title, "description": "two\nlines"},
        {"item_id": "b", "title": ""},
    ]
    catalogue = load_catalogue(write(rows, kind))
    assert catalogue.record(0) == {
        "title": "abc d 👩\u200d🚀 مرحبا <b>{{x}}</b> =cmd",
        "description": "two lines",
    }
    assert catalogue.record(1) == {}
    assert catalogue.notes == ("title: control or hidden characters were removed from 1 texts",)


def test_a_megabyte_title_is_cut_with_a_note(write, kind):
    catalogue = load_catalogue(write([{"item_id": "a", "title": "x" * 1_000_000}], kind))
    assert len(catalogue.record(0)["title"]) == 10_000
    assert catalogue.notes == ("title: 1 texts were cut at 10,000 characters",)


def test_lone_surrogates_are_a_bad_row(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text('{"item_id": "a", "title": "\\ud800"}\n{"item_id": "b", "title": "😀"}\n')
    with pytest.raises(DataError) as caught:
        load_catalogue(path)
    assert [(p.row, "surrogate" in p.message) for p in caught.value.problems] == [(1, True)]
    kept = load_catalogue(path, policy="quarantine", quarantine_file=tmp_path / "aside.jsonl")
    assert kept.item_ids == ["b"]


def test_white_space_around_ids_is_removed_with_a_note(write, kind):
    events = load_events(write(changed(1, item_id=" b "), kind))
    assert events.table["item_id"].to_pylist() == ["a", "b", "a"]
    assert "white space" in events.notes[0]


# --- shapes that must work


@pytest.mark.parametrize(
    "pairs",
    [
        [("u", "a"), ("u", "b")],
        [("u", "a"), ("v", "a"), ("u", "a")],
        [("u", "a"), ("u", "b"), ("v", "a"), ("v", "b")],
        [("u", "a"), ("v", "b"), ("w", "c")],
    ],
    ids=["one user", "one item", "users identical", "one interaction each"],
)
def test_small_shapes_work(write, kind, pairs):
    rows = [{"user_id": u, "item_id": i, "position": p} for p, (u, i) in enumerate(pairs)]
    events = load_events(write(rows, kind))
    catalogue = load_catalogue(pa.table({"item_id": sorted({i for _, i in pairs})}))
    histories = check_against(events, catalogue).histories(catalogue)
    assert int(histories.lengths.sum()) == len(pairs)


def test_identical_texts_and_category_cycles_work(write, kind):
    paths = ("A > B", "B > A", "A > B > A")
    rows = [{"item_id": str(i), "title": "same", "categories": p} for i, p in enumerate(paths)]
    catalogue = load_catalogue(write(rows, kind))
    assert catalogue.column("categories") == [["A", "B"], ["B", "A"], ["A", "B", "A"]]
    assert {catalogue.name(row) for row in range(3)} == {"same"}


def test_a_history_of_100_000_events_is_quick():
    n = 100_000
    table = pa.table({"user_id": ["u"] * n, "item_id": ["a", "b"] * (n // 2), "position": range(n)})
    start = time.perf_counter()
    assert len(load_events(table)) == n
    assert time.perf_counter() - start < 5


# --- events against a catalogue


def test_unknown_items_are_refused_or_set_aside(tmp_path):
    events = load_events(pa.Table.from_pylist(GOOD))
    catalogue = load_catalogue(pa.table({"item_id": ["b", "never seen"]}))
    with pytest.raises(DataError) as caught:
        check_against(events, catalogue)
    (problem,) = caught.value.problems
    assert (problem.value, "2 events" in problem.message) == ("a", True)
    aside = tmp_path / "aside.jsonl"
    left = check_against(events, catalogue, policy="quarantine", quarantine_file=aside)
    assert left.table["item_id"].to_pylist() == ["b"]
    assert len(aside.read_text().splitlines()) + len(left) == len(events)
    none = load_catalogue(pa.table({"item_id": ["z"]}))
    with pytest.raises(DataError):
        check_against(events, none, policy="quarantine", quarantine_file=aside)


# --- policies


def test_policies_are_checked(tmp_path):
    for options in (
        {"policy": "lenient"},
        {"policy": "quarantine"},
        {"quarantine_file": tmp_path / "aside.jsonl"},
    ):
        with pytest.raises(RequestError):
            load_events(pa.Table.from_pylist(GOOD), **options)


def test_an_unwritable_quarantine_file_is_an_error(tmp_path):
    aside = tmp_path / "no such folder" / "aside.jsonl"
    problems = problems_of(pa.Table.from_pylist(GOOD), policy="quarantine", quarantine_file=aside)
    assert problems[0].file == str(aside)
    assert "can't be written" in problems[0].message


def test_odd_csv_rows_are_counted_by_record(tmp_path):
    path = tmp_path / "events.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["user_id", "item_id", "timestamp", "review"]])
        writer.writerows([["u", "a", "2026-01-01", "two\nlines"], ["u", "b"], ["u", "c", "x", ""]])
    found = [(p.row, p.message) for p in problems_of(path)]
    assert found == [(2, "has 2 fields; expected 4"), (3, "is not a time")]
    aside = tmp_path / "aside.jsonl"
    assert len(load_events(path, policy="quarantine", quarantine_file=aside)) == 1
    assert [json.loads(line)["row"] for line in aside.read_text().splitlines()] == [2, 3]
