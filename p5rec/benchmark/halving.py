"""Successive halving: settings share the time evenly, and the better half goes on learning."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from p5rec.evaluation.protocol import FIGURE

Trial = dict[str, Any]


class Learner(Protocol):
    """What learns for as long as it is told, and goes on from there when told again."""

    @property
    def best(self) -> float:
        """The best validation figure so far."""
        ...

    def go_on(self, minutes: float, *, last: bool) -> None:
        """Learn for so many minutes more; ``last``: and no more after these."""


Model = TypeVar("Model", bound=Learner)


def halve(
    candidates: Sequence[tuple[Mapping[str, Any], Model]],
    *,
    minutes: float,
    tell: Callable[[Trial], None],
) -> tuple[Model, list[Trial]]:
    """The candidate that learns best within ``minutes`` for all of them together.

    A rung shares half of the time that is left evenly among its candidates; the better half of
    them goes on. The last one has all that is left then. Nobody starts anew, so that no time is
    lost on what was tried.

    :param candidates: settings, and the learner that was made with them.
    :param tell: called with each trial when it is over.
    :returns: the winner, and a trial for each candidate and rung.
    """
    begun, trials = time.monotonic(), list[Trial]()
    rung, going = 1, list(candidates)
    while True:
        left = max(0.0, minutes - (time.monotonic() - begun) / 60)
        last = len(going) == 1
        for settings, model in going:
            started = time.monotonic()
            model.go_on(left if last else left / 2 / len(going), last=last)
            trial = {
                "settings": dict(settings),
                "rung": rung,
                f"validation {FIGURE}": round(model.best, 5),
                "seconds": round(time.monotonic() - started, 1),
            }
            trials.append(trial)
            tell(trial)
        if last:
            return going[0][1], trials
        going = sorted(going, key=lambda candidate: -candidate[1].best)[: (len(going) + 1) // 2]
        rung += 1
