"""Fits and judges semantic IDs: those of a bundle, or several schemes side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import get_args

from p5rec import resources
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories
from p5rec.data.loading import check_against
from p5rec.data.splits import Split, leave_last_basket
from p5rec.errors import RequestError
from p5rec.evaluation.ids_report import Subject
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.leaks import leaks
from p5rec.ids.neighbours import (
    SAMPLE,
    Neighbours,
    Sampling,
    co_occurrence_neighbours,
    held_out_neighbours,
    text_neighbours,
)
from p5rec.ids.quality import measure
from p5rec.ids.scheme import Kind, Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.bundle import open_bundle
from p5rec.model.fitted_ids import load_ids, stored_scheme
from p5rec.model.recipe import Recipe
from p5rec.progress import SILENT, Reporter


@dataclass(frozen=True, eq=False)
class Judge:
    """What semantic IDs of a catalogue are judged by: neighbours of a sample of its items.

    Each user's last basket is held out of the events. Neighbours in co-occurrence come from what
    is left, which IDs may be fitted on; held-out neighbours are what was chosen in the last baskets
    by those who had an item before, which no IDs were fitted on.
    """

    catalogue: Catalogue
    events: Events | None = None
    sample: int = SAMPLE
    seed: int = 0

    @cached_property
    def neighbours(self) -> dict[str, Neighbours]:
        """Kind -> neighbours; without events, those in words alone."""
        sampling = Sampling.of(self.catalogue, size=self.sample, seed=self.seed)
        found = {"text": text_neighbours(self.catalogue, sampling, seed=self.seed)}
        train = self.train
        if self._split is not None and train is not None:
            later = self._split.test.histories(self.catalogue)
            found["co-occurrence"] = co_occurrence_neighbours(train, sampling)
            found["held-out"] = held_out_neighbours(train, later, sampling)
        return {kind: near for kind, near in found.items() if len(near.items)}

    @cached_property
    def train(self) -> Histories | None:
        """What is left of the events without each user's last basket."""
        return None if self._split is None else self._split.train.histories(self.catalogue)

    @cached_property
    def _split(self) -> Split | None:
        return None if self.events is None else leave_last_basket(self.events, validation_users=0)

    def leaks(self, scheme: Scheme, ids: SemanticIDs | None = None) -> bool | None:
        """Whether IDs of a scheme change when held-out events do; None without events.

        :param ids: what the scheme makes of :attr:`train`, if that is known already.
        """
        split = self._split
        if split is None:
            return None
        return leaks(
            lambda events: self.fit(scheme, _train(self.catalogue, events)),
            split.train,
            split.test,
            ids=ids,
            seed=self.seed,
        )

    def fit(self, scheme: Scheme, histories: Histories | None) -> SemanticIDs:
        """The IDs that a scheme makes of the catalogue and some histories."""
        return fit_semantic_ids(self.catalogue, scheme, histories=histories, seed=self.seed)


def compare_schemes(
    judge: Judge, schemes: Mapping[str, Scheme], *, reporter: Reporter = SILENT
) -> list[Subject]:
    """Fit several schemes on the events without each user's last basket, and measure each.

    :raises SemanticIDError: if a scheme and the catalogue do not fit together.
    """
    with reporter.bar("Neighbours"):
        neighbours = judge.neighbours
    subjects = []
    for name, scheme in schemes.items():
        with reporter.bar(f"Scheme {name}"):
            begun = time.perf_counter()
            ids = judge.fit(scheme, judge.train)
            seconds = time.perf_counter() - begun
            found = measure(ids, judge.catalogue, neighbours, leaks=judge.leaks(scheme, ids))
        subjects.append(Subject(name, ids, found, {"seconds of the fit": round(seconds, 1)}))
    return subjects


def report_on(
    path: Path,
    events: Events | None = None,
    *,
    sample: int = SAMPLE,
    seed: int = 0,
    reporter: Reporter = SILENT,
) -> tuple[Subject, Catalogue]:
    """Measure the semantic IDs of a bundle, or of what ``p5rec ids fit`` wrote; loads no model.

    Whether held-out events leak is tried where the folder tells how to fit anew.

    :raises BundleError: if there are no semantic IDs, or they have changed since they were written.
    """
    fitted = load_ids(path)
    known = None if events is None else check_against(events, fitted.catalogue)
    manifest = open_bundle(path)
    scheme = stored_scheme(path, manifest)
    by_events = scheme is None or scheme.kind != "attributes"
    hold_out = manifest.get("training", {}).get("hold_out", "nothing")
    if known is not None and by_events and hold_out == "nothing":
        reporter.say(
            "Note: these IDs may have been fitted on all events, so that held-out neighbours were "
            "not held out from them. Fit with --hold-out last-basket to hold them out."
        )
    judge = Judge(fitted.catalogue, known, sample=sample, seed=seed)
    with reporter.bar("Measuring"):
        leaking = None if scheme is None else judge.leaks(scheme)
        found = measure(fitted.ids, fitted.catalogue, judge.neighbours, leaks=leaking)
    return Subject(path.name, fitted.ids, found, {}), fitted.catalogue


def scheme_of(name_or_path: str | Path) -> Scheme:
    """A scheme by its kind (with defaults), or the one of a recipe, by name or path.

    >>> scheme_of("residual").kind, scheme_of("gpt2-mini").kind
    ('residual', 'attributes')

    :raises RequestError: if it is neither.
    :raises RecipeError: if a recipe of one's own cannot be read.
    """
    name = str(name_or_path)
    kinds: tuple[Kind, ...] = get_args(Kind)
    for kind in kinds:
        if name == kind:
            return Scheme(kind=kind)
    recipes = resources.names("adapters")
    if name not in recipes and Path(name).suffix != ".toml":
        raise RequestError(
            f"there is no scheme {name!r}. Kinds: {', '.join(kinds)}; recipes: "
            f"{', '.join(recipes)}; or give the path of a recipe (.toml)."
        )
    return Recipe.load(name_or_path).ids.scheme()


def _train(catalogue: Catalogue, events: Events) -> Histories:
    return leave_last_basket(events, validation_users=0).train.histories(catalogue)
