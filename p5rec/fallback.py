"""Plain recommenders behind the same call as the front door, for when the model cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file
from typing_extensions import override

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories, History
from p5rec.data.loading import catalogue_of, events_of
from p5rec.data.tables import Source
from p5rec.decoding.beam import Found
from p5rec.decoding.filters import Filters
from p5rec.decoding.trie import Trie
from p5rec.decoding.wanted import Plan, Wanted
from p5rec.errors import BundleError, NotFittedError, RequestError
from p5rec.evaluation.collaborative import Factors, ItemNeighbours
from p5rec.evaluation.sasrec import SASRec
from p5rec.evaluation.scored import MostPopular, ScoringModel
from p5rec.model.bundle import open_bundle, writing_bundle
from p5rec.model.fitted_ids import CATALOGUE
from p5rec.recommendations import (
    AnyRecommender,
    Recommendation,
    Recommendations,
    check_k,
    history_notices,
    tell_why_empty,
)

Kind = Literal["popularity", "item-knn", "ials", "sasrec"]

KINDS: dict[str, type[ScoringModel]] = {
    model.kind: model for model in (MostPopular, ItemNeighbours, Factors, SASRec)
}
MODEL_FILE = "fallback.safetensors"
NOT_SERVED = ("strategy", "steer", "beams")


class Fallback(AnyRecommender):
    """A recommender without a language model: popular items, neighbours, factors or SASRec.

    It takes the same histories, filters and exclusions as :class:`p5rec.Recommender` and gives
    the same kind of list; the score of an item is one over its rank. ``strategy``, ``steer`` and
    ``beams`` guide a language model; here they are left out with a notice, but for the limits of
    a hard ``steer``. Once fitted, all kinds but ``sasrec`` need no package of the extra
    ``baselines``.
    """

    def __init__(self, kind: Kind = "popularity", **settings: Any) -> None:  # noqa: ANN401
        if kind not in KINDS:
            raise RequestError(f"there is no fallback {kind!r}. Known: {', '.join(KINDS)}.")
        self._scorer = KINDS[kind](**settings)
        self._catalogue: Catalogue | None = None
        self._filters: Filters | None = None

    @property
    def kind(self) -> str:
        """Which model it is."""
        return self._scorer.kind

    @property
    @override
    def catalogue(self) -> Catalogue:
        if self._catalogue is None:
            raise NotFittedError(
                "this fallback has not been fitted. Call fit(events, items), or load one with "
                "Fallback.from_pretrained(folder)."
            )
        return self._catalogue

    def fit(self, events: Source | Events, items: Source | Catalogue) -> Fallback:
        """Learn from a log; returns itself. Arguments are those of ``Recommender.fit``.

        :raises DataError: listing everything that is wrong with events or items.
        :raises RequestError: if a package that the kind needs is not installed.
        """
        catalogue = catalogue_of(items)
        log = events_of(events, catalogue)
        self._scorer.fit(log.histories(catalogue), len(catalogue))
        self._take(catalogue)
        return self

    @override
    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> np.ndarray:
        return self._scorer.rank(histories, k=k, exclude_history=exclude_history)

    @override
    def _lists(self, several: Sequence[History], k: int, wanted: Wanted) -> list[Recommendations]:
        check_k(k, len(self.catalogue))
        histories, unknown = Histories.from_events(several, self.catalogue)
        assert self._filters is not None
        plan = Plan(wanted, self._filters, histories)
        items = self._ranked(histories, plan, k)
        left_out = [name for name in NOT_SERVED if wanted.get(name) is not None]
        notices = [
            [
                *history_notices(int(length), missing),
                *([f"a plain list: {', '.join(left_out)} left out"] if left_out else []),
            ]
            for length, missing in zip(histories.lengths, unknown, strict=True)
        ]
        tell_why_empty(Found(items, np.zeros(items.shape)), plan, notices)
        return [
            Recommendations(self._told(rows), notices=told)
            for rows, told in zip(items.tolist(), notices, strict=True)
        ]

    def save_pretrained(self, path: str | Path) -> None:
        """Write everything to one folder; a reader sees the old one or the new one.

        :raises BundleError: if it cannot be written; what was there stays.
        """
        about = {"fallback": {"kind": self.kind, "settings": self._scorer.settings}}
        catalogue, arrays = self.catalogue, self._scorer.arrays()
        with writing_bundle(Path(path), about) as folder:
            pq.write_table(catalogue.table, folder / CATALOGUE)
            save_file(
                {name: np.ascontiguousarray(a) for name, a in arrays.items()}, folder / MODEL_FILE
            )

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Fallback:
        """Load what :meth:`save_pretrained` wrote, after checking every byte of it.

        :raises BundleError: if it is incomplete or changed, or holds no fallback.
        """
        about = open_bundle(Path(path)).get("fallback")
        if about is None:
            raise BundleError(
                f"{path} holds no fallback. Load it with Recommender.from_pretrained."
            )
        fallback = cls(about["kind"])
        arrays = load_file(Path(path) / MODEL_FILE)
        fallback._scorer = KINDS[about["kind"]].from_arrays(about["settings"], arrays)
        fallback._take(Catalogue(pq.read_table(Path(path) / CATALOGUE)))
        return fallback

    def _take(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        # Filters are compiled over a trie; one level deep, its leaves are the items in order.
        flat = Trie.from_codes(np.arange(len(catalogue), dtype=np.int64)[:, None])
        self._filters = Filters(catalogue, flat)

    def _ranked(self, histories: Histories, plan: Plan, k: int) -> np.ndarray:
        """The first ``k`` items of each list that the plan leaves open."""
        items = np.full((len(histories), k), -1, dtype=np.int64)
        for user in range(len(histories)):
            closed = self._closed(plan, user)
            wide = min(k + int(closed.sum()), len(closed))
            rows = self._scorer.rank(histories.take(np.array([user])), k=wide)[0]
            open_rows = rows[~closed[rows]][:k]
            items[user, : len(open_rows)] = open_rows
        return items

    def _closed(self, plan: Plan, user: int) -> np.ndarray:
        """Which catalogue rows a request rules out, ``bool[n_items]``."""
        chosen = plan.selection
        closed = np.zeros(len(self.catalogue), dtype=bool)
        closed[chosen.denied[user]] = True
        allowed, mask = chosen.allowed[user], chosen.masks[user]
        if allowed is not None:
            others = np.ones_like(closed)
            others[allowed] = False
            closed |= others
        if mask is not None:
            closed |= ~mask.leaves
        return closed

    def _told(self, rows: list[int]) -> list[Recommendation]:
        """Catalogue rows as recommendations."""
        return [
            Recommendation(self.catalogue.item_ids[row], 1.0 / rank, rank, self._path(row))
            for rank, row in enumerate((row for row in rows if row >= 0), start=1)
        ]

    def _path(self, row: int) -> tuple[str, ...]:
        categories = self.catalogue.record(row).get("categories") or ()
        return (*categories, self.catalogue.name(row))
