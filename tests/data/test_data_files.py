"""Files that are not what they should be, and every kind of table that can be read."""

from __future__ import annotations

import contextlib
import gzip
import json
import random
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from p5rec.data import files
from p5rec.data.loading import load_events
from p5rec.data.tables import read_table
from p5rec.errors import DataError

ROWS = [
    {"user_id": "01", "item_id": "a", "timestamp": "2026-01-01T10:00:00"},
    {"user_id": "01", "item_id": "é😀", "timestamp": "2026-01-02T10:00:00"},
]
CSV = "user_id,item_id,timestamp\n01,a,2026-01-01T10:00:00\n01,é😀,2026-01-02T10:00:00\n"


def refused(path, said):
    with pytest.raises(DataError) as caught:
        load_events(path)
    (problem,) = caught.value.problems
    assert problem.file == str(path)
    assert said in problem.message, problem.message
    assert problem.fix
    return problem


def same(events):
    assert events.table["user_id"].to_pylist() == ["01", "01"]
    assert events.table["item_id"].to_pylist() == ["a", "é😀"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet", "a.csv.gz", "a.parquet.gz"])
def test_an_empty_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path / name, "empty")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.ndjson", "a.json"])
def test_only_blanks(tmp_path, name):
    (tmp_path / name).write_bytes(b"\n\n")
    refused(tmp_path / name, "empty")


def test_only_a_header(tmp_path, write):
    (tmp_path / "a.csv").write_text("user_id,item_id,timestamp\n")
    refused(tmp_path / "a.csv", "no rows")
    table = pa.table({name: pa.array([], pa.string()) for name in ROWS[0]})
    with pytest.raises(DataError, match="no rows"):
        load_events(table)


def test_a_truncated_parquet_file(write):
    path = write(ROWS, "parquet")
    whole = path.read_bytes()
    for length in (4, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        refused(path, "can't be read")


def test_flipped_bytes_in_parquet_never_raise_anything_else(write):
    path = write(ROWS * 50, "parquet")
    whole = path.read_bytes()
    draw = random.Random(0)
    for _ in range(150):
        changed = bytearray(whole)
        changed[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        path.write_bytes(bytes(changed))
        with contextlib.suppress(DataError):
            load_events(path)


@pytest.mark.parametrize(
    ("held", "named"),
    [("parquet", "csv"), ("parquet", "jsonl"), ("csv", "parquet"), ("jsonl", "parquet")],
)
def test_a_wrong_ending(write, held, named):
    path = write(ROWS, held)
    wrong = path.with_suffix(f".{named}")
    path.rename(wrong)
    refused(wrong, "is named as")


def test_other_wrong_endings(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    refused(tmp_path / "a.xlsx", "not known")
    (tmp_path / "a.csv.gz").write_text(CSV)
    refused(tmp_path / "a.csv.gz", "not a gzip file")
    (tmp_path / "b.csv").write_bytes(gzip.compress(CSV.encode()))
    refused(tmp_path / "b.csv", "holds gzip")
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    refused(tmp_path / "a.json", "JSON array")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_packed_files(write, kind):
    path = write(ROWS, kind)
    packed = path.with_name(path.name + ".gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    same(load_events(packed))
    packed.write_bytes(packed.read_bytes()[:-12])
    refused(packed, "can't be read")


def test_a_gzip_bomb(tmp_path, monkeypatch):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(CSV.encode() + b"0" * 50_000_000, compresslevel=1))
    refused(path, "200 times its size")
    monkeypatch.setattr(files, "LARGEST_UNPACKED", 2**20)
    path.write_bytes(gzip.compress(random.Random(0).randbytes(2_000_000)))
    refused(path, "unpacks to more than")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_utf_16(write, kind, encoding):
    path = write(ROWS, kind)
    path.write_bytes(path.read_text(encoding="utf-8").encode(encoding))
    refused(path, "not UTF-8")


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_byte_order_mark(write, kind):
    path = write(ROWS, kind)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    same(load_events(path))


def test_invalid_utf_8_is_a_bad_row(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(CSV.encode() + b"02,\xff\xfe,2026-01-03T10:00:00\n")
    problem = refused(path, "not UTF-8")
    assert problem.row == 3
    same(load_events(path, policy="quarantine", quarantine_file=tmp_path / "aside"))
    path = tmp_path / "a.jsonl"
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()
    path.write_bytes(b'{"user_id": "\xff", "item_id": "x"}\n' + lines)
    assert refused(path, "not UTF-8").row == 1
    same(load_events(path, policy="quarantine", quarantine_file=tmp_path / "aside"))
    (tmp_path / "b.csv").write_bytes(b"user\xff_id,item_id\nu,a\n")
    refused(tmp_path / "b.csv", "first line is not UTF-8")


def test_invalid_utf_8_in_arrow_text_is_a_bad_row(tmp_path):
    broken = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    table = pa.table({"user_id": ["u", "v", "w"], "item_id": broken, "position": [1, 2, 3]})
    with pytest.raises(DataError) as caught:
        load_events(table)
    assert [(p.row, "not UTF-8" in p.message) for p in caught.value.problems] == [(2, True)]
    left = load_events(table, policy="quarantine", quarantine_file=tmp_path / "aside")
    assert left.user_ids == ("u", "w")


def test_mixed_line_ends(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("user_id,item_id,timestamp\r\n01,a,2026-01-01\n01,é😀,2026-01-02\r".encode())
    same(load_events(path))


@pytest.mark.parametrize("mark", [";", "\t"])
def test_other_separators(tmp_path, mark):
    (tmp_path / "a.tsv").write_text(CSV.replace(",", mark))
    same(load_events(tmp_path / "a.tsv"))


def test_one_endless_line(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"x" * 40_000_000)
    refused(path, "longer than 1 MiB")
    path.write_bytes(CSV.encode() + b"01," + b"x" * 40_000_000)
    refused(path, "can't be read")
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"user_id": "' + b"x" * 40_000_000)
    refused(path, "longer than 16 MiB")


@pytest.mark.parametrize("line", ["not json", "5", '["a"]', '{"a": 1, "a": 2}', '{"user_id": "u"'])
def test_odd_json_lines_are_bad_rows(write, line, tmp_path):
    path = write(ROWS, "jsonl")
    path.write_text(path.read_text() + "\n" + line + "\n")
    assert refused(path, "").row == 3
    same(load_events(path, policy="quarantine", quarantine_file=tmp_path / "aside"))
    assert json.loads((tmp_path / "aside").read_text())["text"] == line


def test_files_that_are_not_there(tmp_path):
    refused(tmp_path / "none.csv", "no such file")
    refused(tmp_path, "not a file")
    (tmp_path / "link.csv").symlink_to(tmp_path / "gone.csv")
    refused(tmp_path / "link.csv", "no such file")
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    refused(tmp_path / "loop.csv", "")


def test_an_unreadable_file(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(CSV)

    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    refused(path, "Permission denied")


def test_frames():
    frame = pd.DataFrame(ROWS, index=[7, 8])
    for source in (frame, pl.DataFrame(ROWS), pl.LazyFrame(ROWS), pa.Table.from_pylist(ROWS)):
        same(load_events(source))
        assert read_table(source, {"who": "user_id"}).column_names == [
            "item_id",
            "timestamp",
            "who",
        ]
    same(load_events(pa.RecordBatch.from_pylist(ROWS)))
    frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    same(load_events(frame))
    same(load_events(frame.astype({"item_id": "category"})))


def test_pandas_ids_that_became_floats():
    frame = pd.DataFrame({"user_id": [1, None], "item_id": ["a", "b"], "position": [0, 1]})
    with pytest.raises(DataError, match="row 2, column 'user_id': is missing"):
        load_events(frame)


def test_hugging_face_datasets(tmp_path):
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_list([*ROWS, {**ROWS[0], "user_id": "no"}])
    same(load_events(whole.filter(lambda row: row["user_id"] == "01", keep_in_memory=True)))
    with pytest.raises(DataError, match="Choose one: train"):
        load_events(datasets.DatasetDict({"train": whole}))
    with pytest.raises(DataError, match="streaming"):
        load_events(whole.to_iterable_dataset())


@pytest.mark.parametrize("source", [5, None, [1, 2], {"a": [1]}, b"a.csv"])
def test_what_is_no_table(source):
    with pytest.raises(DataError) as caught:
        load_events(source)
    assert "is no table" in caught.value.problems[0].message


def test_frames_that_cannot_be_converted():
    with pytest.raises(DataError, match="can't be read"):
        load_events(pd.DataFrame({"user_id": [1, "u"], "item_id": ["a", "b"]}))
    with pytest.raises(DataError, match="can't be read"):
        load_events(pd.DataFrame({"user_id": pd.Series(["\ud800"], dtype=object)}))
    with pytest.raises(DataError):
        load_events(pd.DataFrame([["u", "a", "b"]], columns=["user_id", "item_id", "item_id"]))
