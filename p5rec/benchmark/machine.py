"""What figures of speed and accuracy depend on besides the model: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("p5rec", "torch", "transformers", "numpy", "pm-implicit", "rectools")
_HERE = Path(__file__).resolve().parent


def circumstances(
    libraries: Sequence[str] = LIBRARIES, *, threads: int | None = None
) -> dict[str, Any]:
    """Machine, versions and commit, as plain values.

    :param libraries: whose versions to tell, of those that are installed.
    :param threads: how many were used, where torch does not know.

    >>> sorted(circumstances())
    ['commit', 'machine', 'versions']
    """
    return {
        "machine": _machine(threads),
        "versions": _versions(libraries),
        "commit": _commit(),
    }


def command_line(words: Sequence[str]) -> str:
    """A command as it may be shown: of absolute paths, the last part alone.

    >>> command_line(["p5rec", "evaluate", "--data", "/home/me/beauty"])
    'p5rec evaluate --data beauty'
    """
    return shlex.join(Path(word).name if word.startswith("/") else word for word in words)


def _machine(threads: int | None) -> dict[str, Any]:
    if threads is None:
        import torch

        threads = torch.get_num_threads()
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions(libraries: Sequence[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in libraries:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
    """The commit of the checkout that this file lies in; None in an installed package."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=_HERE, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip() or None
