"""Runs rankers over held-out cases under one protocol, so that their figures can be compared.

``PLAIN`` ranks the whole catalogue for every held-out item. ``UNSEEN`` asks what is new: items of
the user's history may not be recommended, and only items that the user never had are targets.
Figures of different protocols must not be compared; each result names its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from typing import Protocol as Interface

import numpy as np
import numpy.typing as npt

from p5rec.errors import RequestError
from p5rec.evaluation.metrics import coverage, evaluate_ranking, hits, invalid_slots

if TYPE_CHECKING:
    from p5rec.data.events import Histories
    from p5rec.data.splits import Cases

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Ranker = Callable[["Histories", int], Ints]
Progress = Callable[[str, int, int], None]

FIGURE = "ndcg@10"
"""What weights and settings are chosen by, on validation."""


class Ranks(Interface):
    """What ranks items for histories: a baseline, or a model behind the same method."""

    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> Ints:
        """Catalogue rows ``int64[U, k]``, best first, -1 in empty slots."""


def validation_figure(model: Ranks, cases: Cases) -> float:
    """The mean of :data:`FIGURE` over validation cases, everything held out being a target."""
    ranked = model.rank(cases.histories, k=10)
    return float(evaluate_ranking(ranked, cases.targets, ks=(10,))[FIGURE].mean())


@dataclass(frozen=True)
class Protocol:
    """What counts as a target, and what may be recommended."""

    name: str
    exclude_history: bool

    def targets_of(self, cases: Cases) -> Cases:
        """The cases with the targets of this protocol."""
        return first_time_targets(cases) if self.exclude_history else cases

    def rankers(self, models: Mapping[str, Ranks]) -> dict[str, Ranker]:
        """The models as rankers that keep to this protocol."""
        return {name: self._ranker(model) for name, model in models.items()}

    def _ranker(self, model: Ranks) -> Ranker:
        return lambda histories, k: model.rank(histories, k=k, exclude_history=self.exclude_history)


PLAIN = Protocol("plain", exclude_history=False)
UNSEEN = Protocol("unseen", exclude_history=True)


@dataclass(frozen=True)
class Result:
    """The figures of one ranker under one protocol.

    ``per_user`` holds ``float64[U]`` for each of "recall@10", "ndcg@10", …; results of one
    comparison hold the same users in the same order, so that they can be paired.
    ``invalid_items`` counts slots outside the catalogue and repeats within a list.
    """

    name: str
    protocol: str
    per_user: dict[str, Floats]
    coverage: float
    invalid_items: int

    @property
    def means(self) -> dict[str, float]:
        """The mean over users of each metric; 0 where there is no user."""
        return {
            metric: float(values.mean()) if len(values) else 0.0
            for metric, values in self.per_user.items()
        }


def first_time_targets(cases: Cases) -> Cases:
    """The cases whose targets are only items that the user never had before.

    Users without such a target are left out.
    """
    users, targets = [], []
    for user, target in enumerate(cases.targets):
        new = target[~np.isin(target, cases.histories.items[cases.histories.slice(user)])]
        if len(new):
            users.append(user)
            targets.append(new)
    kept = cases.histories.take(np.array(users, dtype=np.int64))
    return replace(cases, histories=kept, targets=targets)


def compare(
    cases: Cases,
    rankers: Mapping[str, Ranker],
    *,
    ks: Sequence[int] = (5, 10),
    n_items: int,
    protocol: Protocol = PLAIN,
    progress: Progress | None = None,
    batch: int = 512,
) -> list[Result]:
    """Measure every ranker on the same cases under one protocol.

    :param cases: all cases; those of the protocol are chosen here.
    :param rankers: name -> function of (histories, k) that gives ``int64[U, k]``;
        ``protocol.rankers(models)`` makes them of baselines.
    :param n_items: the size of the catalogue.
    :param progress: called with (name, users done, users in all) after each batch of users.
    :raises RequestError: if a ranker breaks the protocol or gives an array of another shape.
    """
    chosen = protocol.targets_of(cases)
    results = []
    for name, ranker in rankers.items():
        ranked = _rank(name, ranker, chosen.histories, max(ks), batch=batch, progress=progress)
        if protocol.exclude_history:
            _check_unseen(name, ranked, chosen.histories)
        results.append(
            Result(
                name=name,
                protocol=protocol.name,
                per_user=evaluate_ranking(ranked, chosen.targets, ks=ks),
                coverage=coverage(ranked, n_items),
                invalid_items=int(invalid_slots(ranked, n_items).sum()),
            )
        )
    return results


def _rank(
    name: str,
    ranker: Ranker,
    histories: Histories,
    k: int,
    *,
    batch: int,
    progress: Progress | None,
) -> Ints:
    ranked = np.full((len(histories), k), -1, dtype=np.int64)
    for start in range(0, len(histories), batch):
        users = np.arange(start, min(start + batch, len(histories)))
        rows = ranker(histories.take(users), k)
        if rows.shape != (len(users), k):
            raise RequestError(
                f"ranker {name!r} gave an array of shape {rows.shape} for {len(users)} users and"
                f" k={k}. Give k slots for each user, -1 where there is no item."
            )
        ranked[users] = rows
        if progress is not None:
            progress(name, int(users[-1]) + 1, len(histories))
    return ranked


def _check_unseen(name: str, ranked: Ints, histories: Histories) -> None:
    had = [histories.items[histories.slice(user)] for user in range(len(histories))]
    seen = np.argwhere(hits(ranked, had))
    if len(seen):
        user, slot = seen[0]
        raise RequestError(
            f"ranker {name!r} recommends row {ranked[user, slot]} to user"
            f" {histories.user_ids[user]!r}, who had it before; protocol 'unseen' forbids that."
            " Make the ranker leave out the items of the history."
        )
