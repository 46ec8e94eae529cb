"""What the benchmarks share: clocks, the machine, figures beside their goals, results on disk."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median

RESULTS = Path(__file__).parent / "results"


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


def machine(*libraries: str, threads: int) -> dict:
    """Machine, versions, commit and command, to stand beside the figures."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    return {
        "machine": {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": threads,
            "load": os.getloadavg(),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in libraries},
            "p5rec": version("p5rec"),
        },
        "commit": commit.stdout.strip(),
        # Where folders lie on this machine says nothing to others.
        "command": " ".join(["python", sys.argv[0], *map(_last_part, sys.argv[1:])]),
    }


def _last_part(word: str) -> str:
    return Path(word).name if Path(word).is_absolute() else word


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
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def say(what: str) -> None:
    print(f"… {what}", file=sys.stderr, flush=True)
