from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

KINDS = ("csv", "jsonl", "parquet")
Write = Callable[..., Path]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes rows as a file of a kind; values are written as that kind writes them."""

    def written(rows: list[dict[str, Any]], kind: str, name: str = "events") -> Path:
        path = tmp_path / f"{name}.{kind}"
        names = list(dict.fromkeys(key for row in rows for key in row))
        if kind == "csv":
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, names)
                writer.writeheader()
                writer.writerows(rows)
        elif kind == "jsonl":
            path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
        else:
            columns = {n: [row.get(n) for row in rows] for n in names}
            pa.parquet.write_table(pa.table(columns), path)
        return path

    return written
