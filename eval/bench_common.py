"""What the benchmarks share: clocks, the machine, figures beside their goals, results on disk."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from p5rec.benchmark.machine import circumstances, command_line

RESULTS = Path(__file__).parent / "results"
LANGUAGE = RESULTS / "language.json"
"""All that is measured of language, by several scripts."""


def bench_parser(doc: str, out: Path) -> argparse.ArgumentParser:
    """What a benchmark can be told; ``doc`` begins with what it measures."""
    parser = argparse.ArgumentParser(description=doc.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="smaller, to see that it runs")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=out)
    return parser


def seconds(work: Callable[[], object], repeats: int) -> float:
    """Median wall time of ``work`` after one call that is not counted."""
    work()
    return median(once(work) for _ in range(repeats))


def once(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def peak_gib() -> float:
    """The most memory that this process has held. What started it does not count."""
    status = Path("/proc/self/status").read_text()
    kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kib) / 2**20


def in_own_process(script: str, *arguments: str) -> dict:
    """What a script prints as JSON, run by itself so that its peak memory is its own."""
    done = subprocess.run([sys.executable, script, *arguments], stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def machine(*libraries: str, threads: int | None = None) -> dict:
    """Machine, versions, commit and command, to stand beside the figures."""
    return {
        **circumstances((*libraries, "p5rec"), threads=threads),
        "command": command_line(["python", *sys.argv]),
    }


def beside_goals(figures: Mapping[str, float], goals: Mapping[str, tuple[str, float]]) -> list[str]:
    """A line a figure: what was measured, what was wished for, and whether it was missed."""
    wide = max(26, *(len(name) + 1 for name in goals))
    lines = [f"{'figure':<{wide}}{'measured':>12}  goal"]
    for name, (sign, goal) in goals.items():
        value = figures[name]
        met = {">=": value >= goal, ">": value > goal, "<=": value <= goal}[sign]
        lines.append(f"{name:<{wide}}{value:>12.3f}  {sign} {goal:g}{'' if met else '   missed'}")
    return lines


def write_results(figures: Mapping[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def add_language_results(
    found: Mapping[str, Any], part: str, about: Mapping[str, object], path: Path = LANGUAGE
) -> None:
    """Put figures among those of other parts; of a figure a data set, others keep theirs.

    :param about: of the run that gave them, kept beside as that of ``part``.
    """
    told = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for name, value in {**found, "runs": {part: about}}.items():
        several = isinstance(value, Mapping) and isinstance(told.get(name), dict)
        told[name] = {**told[name], **value} if several else value
    write_results(told, path)


def publish(
    figures: Mapping[str, object],
    path: Path,
    *,
    table: Callable[[Mapping], str],
    draw: Callable[[Mapping, Path], None],
) -> None:
    """Print figures as a table, write them, and draw them beside."""
    print(table(figures))
    write_results(figures, path)
    draw(figures, path.with_suffix(".png"))


def say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)
