"""Progress bars for long work: on a terminal only, on standard error, or silent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn


class Bar:
    """One piece of work: how much of it is done, and a word on it."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def update(self, fraction: float, note: str = "") -> None:
        """Show that ``fraction`` (0 to 1) is done."""
        self._progress.update(self._task, completed=fraction, note=note)


class Reporter:
    """Shows bars and messages on standard error; quiet, it shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(file=sys.stderr, quiet=quiet, highlight=False)

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text)

    @contextmanager
    def bar(self, what: str) -> Iterator[Bar]:
        """Show a bar while the block runs; without a terminal, one line when it begins."""
        live = self.console.is_terminal and not self.console.quiet
        if not live:
            self.say(f"{what} …")
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=self.console, disable=not live) as progress:
            bar = Bar(progress, progress.add_task(what, total=1.0, note=""))
            yield bar
            bar.update(1.0)


SILENT = Reporter(quiet=True)
