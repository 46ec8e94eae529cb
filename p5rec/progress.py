"""Progress of long work: bars on a terminal, lines elsewhere, always on standard error."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

LINE_EVERY = 0.2
"""Without a terminal, a line is printed whenever so much more of the work is done."""


class Bar:
    """One piece of work: how much of it is done, and a word on it."""

    def __init__(self, progress: Progress, task: TaskID, what: str) -> None:
        self._progress = progress
        self._task = task
        self._what = what
        self._told = 0.0

    def update(self, fraction: float, note: str = "") -> None:
        """Show that ``fraction`` (0 to 1) is done."""
        self._progress.update(self._task, completed=fraction, note=note)
        if self._progress.disable and note and fraction >= self._told + LINE_EVERY:
            self._told = fraction
            self._progress.console.print(f"{self._what} {fraction:.0%}: {note}")


class Reporter:
    """Shows progress and messages on standard error; quiet, it shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(file=sys.stderr, quiet=quiet, highlight=False)

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(text, markup=False)

    @contextmanager
    def bar(self, what: str) -> Iterator[Bar]:
        """Show a bar while the block runs; without a terminal, lines from time to time."""
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
            bar = Bar(progress, progress.add_task(what, total=1.0, note=""), what)
            yield bar
            bar.update(1.0)


SILENT = Reporter(quiet=True)


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Without transformers' own bars and notices; errors still come through."""
    import transformers
    from tqdm.auto import tqdm

    verbosity = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    made = tqdm.__init__  # reading GGUF files draws bars past transformers' own switch
    tqdm.__init__ = partialmethod(made, disable=True)
    try:
        yield
    finally:
        tqdm.__init__ = made
        transformers.logging.set_verbosity(verbosity)
        transformers.logging.enable_progress_bar()
