"""Collects everything that is wrong with one input, then refuses it or sets the bad rows aside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa

from p5rec.data.arrays import Ints
from p5rec.data.reading import Reading
from p5rec.data.tables import unread_problem
from p5rec.data.texts import shorten
from p5rec.errors import DataError, Problem, RequestError

Policy = Literal["strict", "quarantine"]
PathLike = str | os.PathLike[str]


class Inspection:
    """What the checks found in one reading: refusals (the whole input) and faults (single rows)."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.notes: list[str] = []
        self.refusals: list[Problem] = []
        self.bad = np.zeros(reading.table.num_rows, dtype=bool)
        self._faults: list[tuple[int, Problem]] = []

    def refuse(self, message: str, fix: str, *, column: str | None = None) -> None:
        """Note that the input can't be used at all, whatever the policy."""
        self.refusals.append(Problem(self.reading.name, message, fix, column=self._given(column)))

    def fault(self, column: str, wrong: np.ndarray, message: str, fix: str) -> None:
        """Note that the rows where ``wrong`` (bool, one a row) is true are bad."""
        rows = np.flatnonzero(wrong)
        self.bad[rows] = True
        values = _plain(self.reading.table[column].take(pa.array(rows, pa.int64())))
        name, given = self.reading.name, self._given(column)
        for row, value in zip(rows.tolist(), values, strict=True):
            number = int(self.reading.numbers[row])
            problem = Problem(name, message, fix, number, given, shorten(value))
            self._faults.append((row, problem))

    def note(self, text: str) -> None:
        """Note something that was changed without losing anything."""
        self.notes.append(text)

    def problems(self) -> list[Problem]:
        """Everything found: what concerns the whole input, then row by row."""
        unread = [unread_problem(self.reading.name, entry) for entry in self.reading.unread]
        rows = [problem for _, problem in self._faults] + unread
        return self.refusals + sorted(rows, key=lambda problem: problem.row or 0)

    def settle(self, policy: Policy, quarantine_file: PathLike | None) -> Ints:
        """Apply the policy; the table rows that are left.

        :raises DataError: listing everything found, if the policy is strict, the input can't be
            used at all, the quarantine file can't be written, or no row is left.
        """
        check_policy(policy, quarantine_file)
        if self.refusals or (policy == "strict" and (self._faults or self.reading.unread)):
            raise DataError(self.problems())
        if policy == "quarantine" and quarantine_file is not None:
            write_quarantine(quarantine_file, self._lines())
        left = np.flatnonzero(~self.bad)
        if len(left) == 0:
            message = f"no row is left: all {len(self.bad) + len(self.reading.unread)} are bad"
            fix = "The problems below say why. Mend the input."
            raise DataError([Problem(self.reading.name, message, fix), *self.problems()])
        return left

    def _given(self, column: str | None) -> str | None:
        return column if column is None else self.reading.given.get(column, column)

    def _lines(self) -> list[dict[str, object]]:
        """One entry a bad row, in the order of the source."""
        reasons: dict[int, list[Problem]] = {}
        for row, problem in self._faults:
            reasons.setdefault(row, []).append(problem)
        rows = sorted(reasons)
        bad = self.reading.table.take(pa.array(rows, pa.int64()))
        columns = [_plain(column) for column in bad.columns]
        records = [
            dict(zip(bad.column_names, row, strict=True)) for row in zip(*columns, strict=True)
        ]
        lines = [
            _line(reasons[row], int(self.reading.numbers[row]), {"record": record})
            for row, record in zip(rows, records, strict=True)
        ]
        for entry in self.reading.unread:
            problem = unread_problem(self.reading.name, entry)
            lines.append(_line([problem], entry.row, {"text": entry.text}))
        return sorted(lines, key=lambda line: line["row"])  # type: ignore[arg-type,return-value]


def check_policy(policy: Policy, quarantine_file: PathLike | None) -> None:
    """Refuse a policy that does not exist or can't be followed.

    :raises RequestError: if so.
    """
    if policy not in ("strict", "quarantine"):
        message = f"policy is {policy!r}; expected 'strict' or 'quarantine'. Choose one of them."
        raise RequestError(message)
    if (policy == "quarantine") != (quarantine_file is not None):
        message = f"policy is {policy!r} and quarantine_file is {quarantine_file!r}"
        raise RequestError(f"{message}; they go together. Give both, or neither.")


def write_quarantine(path: PathLike, lines: list[dict[str, object]]) -> None:
    """Write one JSON object a bad row, replacing the file; it is whole or not there.

    :raises DataError: if the file can't be written.
    """
    target = Path(path)
    aside = target.with_name(f"{target.name}.tmp-{os.getpid()}")
    try:
        with aside.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, default=str) + "\n" for line in lines)
        aside.replace(target)
    except OSError as error:
        aside.unlink(missing_ok=True) if aside.parent.is_dir() else None
        message = f"can't be written: {error.strerror or error}"
        fix = "Name a quarantine file in a folder that exists and can be written to."
        raise DataError([Problem(str(path), message, fix)]) from error


def _plain(column: pa.ChunkedArray) -> list[object]:
    """Values as Python has them; times as text, since Python does not have all that Arrow has."""
    try:
        if pa.types.is_temporal(column.type):
            column = column.cast(pa.string())
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError, NotImplementedError):
        values = [f"a value of type {column.type}"] * len(column)
    return values


def _line(problems: list[Problem], row: int, content: dict[str, object]) -> dict[str, object]:
    told = [{"column": p.column, "message": p.message, "fix": p.fix} for p in problems]
    return {"file": problems[0].file, "row": row, "problems": told, **content}
