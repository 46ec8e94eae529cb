"""Measures items that nobody has chosen: left out of training, added, asked for among all items.

    python eval/bench_cold.py amazon-beauty --data FOLDER [--minutes 5] [--seeds 0,1,2]

One item in twenty is drawn; its events are taken out of training and out of histories, and so is
its place in the catalogue, in all that is learnt. Then the items are added, without training, and
each user's last event is to be foreseen in the whole catalogue. Beside it stand the same model
before the items were added, and content nearest neighbours: items by the cosine of their TF-IDF
with the user's recent ones, forgetting as fast as was best for cold items on validation. Of several
seeds, which draw other items and fit other models, the figures are means, and each has its own.
Writes ``cold`` in ``eval/results/language.json``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from bench_common import add_language_results, machine, say
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import TfidfVectorizer

from p5rec.data import sources
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories
from p5rec.data.splits import Cases, Split, leave_one_out
from p5rec.evaluation.metrics import evaluate_ranking
from p5rec.recommender import Recommender

K = 10
SHARE = 0.05
RATES = (0.5, 1.0, 3.0, 10.0)


@dataclass(frozen=True)
class Task:
    """A log without the events of cold items, which stand at the end of ``whole``.

    ``held_out`` has the events to foresee, with those of cold items. ``users``: so many of those
    with a warm target are asked, None for all.
    """

    warm: Catalogue
    whole: Catalogue
    split: Split
    held_out: dict[str, Events]
    users: int | None = None

    @classmethod
    def of(cls, source: sources.Source, seed: int, users: int | None = None) -> Task:
        """Draw the cold items."""
        table = source.catalogue.table
        drawn = np.random.default_rng(seed).permutation(len(table))
        n_cold = round(SHARE * len(table))
        warm, cold = np.sort(drawn[n_cold:]), np.sort(drawn[:n_cold])
        known = Catalogue(table.take(pa.array(warm)))
        whole = Catalogue(table.take(pa.array(np.append(warm, cold))))
        split = leave_one_out(source.events)
        seen = [of_items(part, known) for part in (split.train, split.validation)]
        held_out = {"validation": split.validation, "test": split.test}
        return cls(known, whole, Split(*seen, split.test), held_out, users)

    @property
    def seen(self) -> Events:
        """All that training may see."""
        tables = [self.split.train.table, self.split.validation.table]
        return Events.from_table(pa.concat_tables(tables))

    @property
    def cold(self) -> Catalogue:
        """The items to add."""
        return Catalogue(self.whole.table.slice(len(self.warm)))

    def cases(self, part: str) -> tuple[Cases, np.ndarray]:
        """The users asked, and whether the target of each is cold."""
        found = replace(self.split, **{part: self.held_out[part]}).cases(part, self.whole)
        cold = np.array([target[0] >= len(self.warm) for target in found.targets])
        if self.users is not None:
            drawn = np.random.default_rng(0).permutation(np.flatnonzero(~cold))[: self.users]
            asked = np.sort(np.append(drawn, np.flatnonzero(cold)))
            found = found.take(asked)
            cold = cold[asked]
        return found, cold


def of_items(events: Events, catalogue: Catalogue) -> Events:
    return events.select(catalogue.rows_of(events.table["item_id"]) >= 0)


def recall(ranked: np.ndarray, cases: Cases) -> np.ndarray:
    """recall@10 of each user."""
    return evaluate_ranking(ranked, cases.targets, ks=(K,))[f"recall@{K}"]


class ContentNeighbours:
    """Items by how alike their words are to those of a user's newest items."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.words = TfidfVectorizer(sublinear_tf=True).fit_transform(catalogue.texts)

    def rank(self, histories: Histories, rate: float) -> np.ndarray:
        """Catalogue rows ``int64[U, 10]``, best first; nothing of the history."""
        user = histories.user_of_event
        age = histories.offsets[user + 1] - 1 - np.arange(len(user))
        weights = np.exp(-age / rate)
        shape = (len(histories), self.words.shape[0])
        newest = csr_matrix((weights, (user, histories.items)), shape)
        ranked = np.empty((len(histories), K), dtype=np.int64)
        for start in range(0, len(histories), 512):
            some = newest[start : start + 512]
            score = ((some @ self.words) @ self.words.T).toarray()
            score[some.nonzero()] = -1
            ranked[start : start + 512] = np.argsort(-score, axis=1, kind="stable")[:, :K]
        return ranked


def measure(task: Task, fitted: Recommender, part: str) -> dict[str, Any]:
    cases, cold = task.cases(part)
    say(f"{len(cases)} users, {int(cold.sum())} with a cold target")
    before = recall(fitted.rank(cases.histories, k=K), cases)
    ranked = fitted.add_items(task.cold).rank(cases.histories, k=K)
    after = recall(ranked, cases)
    told = {
        "users": len(cases),
        "cold_targets": int(cold.sum()),
        "ours_cold": round(float(after[cold].mean()), 4),
        "ours_warm": round(float(after[~cold].mean()), 4),
        "before_warm": round(float(before[~cold].mean()), 4),
        "warm_loss": round(1 - float(after[~cold].mean() / before[~cold].mean()), 4),
        "cold_in_lists": round(float((ranked >= len(task.warm)).mean()), 4),
        **content(task, cases, cold),
    }
    share = float(np.mean(replace(task, users=None).cases(part)[1]))
    for name in ("ours", "content"):
        both = share * told[f"{name}_cold"] + (1 - share) * told[f"{name}_warm"]
        told[f"{name}_all"] = round(both, 4)
    return told


def content(task: Task, cases: Cases, cold: np.ndarray) -> dict[str, float]:
    """Content nearest neighbours, forgetting as was best for cold items on validation."""
    neighbours = ContentNeighbours(task.whole)
    earlier, among = task.cases("validation")
    best = max(
        RATES,
        key=lambda rate: recall(neighbours.rank(earlier.histories, rate), earlier)[among].mean(),
    )
    found = recall(neighbours.rank(cases.histories, best), cases)
    return {
        "content_cold": round(float(found[cold].mean()), 4),
        "content_warm": round(float(found[~cold].mean()), 4),
        "content_rate": best,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipe", default="gpt2-mini")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--users", type=int, help="so many with a warm target; all by default")
    parser.add_argument("--seeds", default="0", help="as 0,1,2")
    parser.add_argument("--part", choices=["validation", "test"], default="test")
    parser.add_argument("--bundles", type=Path, help="where fitted models are kept and found")
    given = parser.parse_args()
    found = {}
    seeds = [int(seed) for seed in given.seeds.split(",")]
    for name in given.names:
        draws = {}
        for seed in seeds:
            task = Task.of(sources.folder(given.data / name), seed, given.users)
            draws[seed] = measure(task, fitted(task, name, seed, given), given.part)
        found[name] = draws[seeds[0]] if len(seeds) == 1 else over_draws(draws)
        print(name, json.dumps(found[name], indent=2), flush=True)
    if given.part == "test":
        add_language_results({"cold": found}, f"cold {' '.join(given.names)}", about(given))


def over_draws(draws: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Means over draws of cold items, and the figures of each."""
    figures = draws.values()
    means = {name: float(np.mean([one[name] for one in figures])) for name in next(iter(figures))}
    return {**{name: round(mean, 4) for name, mean in means.items()}, "by seed": draws}


def fitted(task: Task, name: str, seed: int, given: argparse.Namespace) -> Recommender:
    own = f"cold-{name}-{given.part}" + (f"-{seed}" if seed else "")
    place = None if given.bundles is None else given.bundles / own
    if place is not None and place.exists():
        return Recommender.from_pretrained(place)
    say(f"fitting on {name}")
    seen = task.split.train if given.part == "validation" else task.seen
    made = Recommender.from_base(given.recipe).fit(
        seen, task.warm, seed=seed, max_minutes=given.minutes
    )
    if place is not None:
        made.save_pretrained(place)
    return made


def about(given: argparse.Namespace) -> dict[str, Any]:
    own = {"recipe": given.recipe, "minutes": given.minutes, "seeds": given.seeds}
    return {**machine("torch", "numpy", "scikit-learn"), **own}


if __name__ == "__main__":
    main()
