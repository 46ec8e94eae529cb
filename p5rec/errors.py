"""The errors that p5rec raises on purpose.

P5RecError
├── DataError            events, items or users that cannot be used; carries every problem found
├── SemanticIDError      items that cannot be given semantic IDs
├── TemplateError        a prompt template that is not well formed
├── RecipeError          a recipe or base model that cannot be used
├── TrainingError        a training run that cannot start, go on or resume
├── BundleError          a saved recommender that is missing, incomplete or changed
├── DecodingError        scores that are not finite, or a walk that cannot be made
├── RequestError         a call with arguments that cannot be served
└── NotFittedError       a call that needs a fitted recommender

Each message says what is wrong (with the value and its place), what was expected, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class P5RecError(Exception):
    """Root of every error that p5rec raises on purpose."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input, and what to do about it.

    ``row`` counts from 1 at the first data row; it is None where a whole file or column is meant.
    """

    file: str
    message: str
    fix: str
    row: int | None = None
    column: str | None = None
    value: str | None = None

    def __str__(self) -> str:
        place = [self.file]
        if self.row is not None:
            place.append(f"row {self.row}")
        if self.column is not None:
            place.append(f"column {self.column!r}")
        value = "" if self.value is None else f" ({self.value!r})"
        return f"{', '.join(place)}: {self.message}{value}. {self.fix}"


class DataError(P5RecError):
    """Events, items or users that cannot be used; ``problems`` lists every one found."""

    SHOWN = 20

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[: self.SHOWN]]
        hidden = len(self.problems) - len(lines)
        if hidden > 0:
            lines.append(f"… and {hidden} more problems")
        super().__init__("\n".join(lines))


class SemanticIDError(P5RecError):
    """Items that cannot be given semantic IDs."""


class TemplateError(P5RecError):
    """A prompt template that is not well formed."""


class RecipeError(P5RecError):
    """A recipe or base model that cannot be used."""


class TrainingError(P5RecError):
    """A training run that cannot start, go on or resume."""


class BundleError(P5RecError):
    """A saved recommender that is missing, incomplete or changed."""


class DecodingError(P5RecError):
    """Scores that are not finite, or a walk that cannot be made."""


class RequestError(P5RecError):
    """A call with arguments that cannot be served."""


class NotFittedError(P5RecError):
    """A call that needs a fitted recommender."""
