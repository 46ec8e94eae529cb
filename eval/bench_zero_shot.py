"""Measures what a model was never trained on: templates, users, and another shop's catalogue.

    python eval/bench_zero_shot.py templates BUNDLE --data FOLDER
    python eval/bench_zero_shot.py newcomers BUNDLE --data FOLDER
    python eval/bench_zero_shot.py transfer BUNDLE --data FOLDER [--events 0 100 1000]

BUNDLE is ``cold-amazon-beauty-test`` as ``bench_cold.py --bundles`` keeps it: fitted on Beauty
without a twentieth of its items and without each user's last event. ``templates`` asks for these
events with each template that training saw and each that it did not; the loss has an interval of
95% from 2,000 bootstrap samples of the users. ``newcomers`` asks for them without any history,
beside the most popular items of training. ``transfer`` gives the model
the catalogue of Sports, whose metadata alone makes semantic IDs, then some events of it to tune on,
and asks for the last event of Sports' users. Beside it stand the popularity of the prefixes that
Sports' items share with Beauty's in Beauty's own tree, and chance. Any bundle fitted on Beauty will
do for it; of one with LoRA, matrices and item rows alone are tuned.
Writes ``unseen_templates_loss`` and ``zero_shot`` in ``eval/results/language.json``.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from bench_cold import K, Task, recall
from bench_common import add_language_results, machine, say

from p5rec.data import sources
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories
from p5rec.data.splits import leave_one_out
from p5rec.ids.placing import place_items
from p5rec.recommender import Recommender

SEED = 0


def templates(bundle: Path, data: Path, users: int) -> dict[str, Any]:
    model = Recommender.from_pretrained(bundle).model
    task = Task.of(sources.folder(data / "amazon-beauty"), SEED)
    cases, cold = task.cases("test")
    cases = cases.take(np.flatnonzero(~cold)).sample(users, seed=SEED)
    found: dict[bool, dict[str, float]] = {True: {}, False: {}}
    hits: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for template in model.templates.of("next_item", given={"history"}):
        ranker = replace(model.ranker(), head=model.head(template))
        hit = recall(ranker.rank(cases.histories, k=K), cases)
        found[template.seen][template.name] = round(float(hit.mean()), 4)
        hits[template.seen].append(hit)
        say(f"{template.name}: {hit.mean():.4f}")
    seen, unseen = (np.mean(hits[kind], axis=0) for kind in (True, False))
    return {
        "unseen_templates_loss": round(float(1 - unseen.mean() / seen.mean()), 4),
        "templates": {
            "users": len(cases),
            "seen": found[True],
            "unseen": found[False],
            "loss_interval": loss_interval(seen, unseen),
        },
    }


def loss_interval(seen: np.ndarray, unseen: np.ndarray) -> list[float]:
    """95% of the loss over samples of the users."""
    drawn = np.random.default_rng(SEED).integers(len(seen), size=(2000, len(seen)))
    losses = 1 - unseen[drawn].mean(1) / seen[drawn].mean(1)
    return [round(float(end), 4) for end in np.quantile(losses, [0.025, 0.975])]


def newcomers(bundle: Path, data: Path, users: int) -> dict[str, Any]:
    """The last events of users of whom nothing is told."""
    fitted = Recommender.from_pretrained(bundle)
    task = Task.of(sources.folder(data / "amazon-beauty"), SEED)
    cases, cold = task.cases("test")
    cases = cases.take(np.flatnonzero(~cold)).sample(users, seed=SEED)
    nobody, _ = Histories.from_events([[]], fitted.catalogue)
    counts = np.bincount(
        task.seen.histories(fitted.catalogue).items, minlength=len(fitted.catalogue)
    )
    lists = {
        "ours": fitted.rank(nobody, k=K)[0],
        "popularity": np.argsort(-counts, kind="stable")[:K],
    }
    told = {
        name: round(float(recall(np.tile(best, (len(cases), 1)), cases).mean()), 5)
        for name, best in lists.items()
    }
    same = len(np.intersect1d(*lists.values()))
    return {"zero_shot": {"beauty-newcomers": {"users": len(cases), **told, "shared": same}}}


def transfer(
    bundle: Path, data: Path, users: int, sizes: list[int], beams: int | None
) -> dict[str, Any]:
    fitted = Recommender.from_pretrained(bundle)
    beauty = Task.of(sources.folder(data / "amazon-beauty"), SEED)
    sports = sources.folder(data / "amazon-sports")
    split = leave_one_out(sports.events)
    cases = split.cases("test", sports.catalogue).sample(users, seed=SEED)
    found: dict[str, Any] = {"users": len(cases), "random": K / len(sports.catalogue)}
    popular = prefix_popularity(fitted, beauty, sports.catalogue)
    best = np.argsort(-popular, kind="stable")[:K]
    listed = np.tile(best, (len(cases), 1))
    found["source_prefix_popularity"] = round(float(recall(listed, cases).mean()), 5)
    asked = set(cases.histories.user_ids)
    for size in sizes:
        events = tuning_events(split.train, asked, size)
        made = fitted.transfer(sports.catalogue, events, seed=SEED)
        ranked = made.model.ranker().search(cases.histories, k=K, beams=beams).items
        figure = float(recall(ranked, cases).mean())
        found[f"events_{size}"] = round(figure, 5)
        say(f"{size} events: {figure:.4f}")
    found["recipe"] = fitted.recipe.name
    lora = fitted.recipe.adapter.method == "lora"
    return {"zero_shot": {"beauty-sports-lora" if lora else "beauty-sports": found}}


def tuning_events(train: Events, asked: set[str], size: int) -> Events | None:
    """The events of users who are not asked, at least so many."""
    if not size:
        return None
    user = np.array(train.table["user_id"].to_pylist())
    others = [name for name in dict.fromkeys(user.tolist()) if name not in asked]
    order = np.random.default_rng(SEED).permutation(len(others))
    lengths = dict(zip(*np.unique(user, return_counts=True), strict=True))
    counts = np.cumsum([lengths[others[at]] for at in order])
    chosen = {others[at] for at in order[: int(np.searchsorted(counts, size)) + 1]}
    return train.select(np.array([name in chosen for name in user]))


def prefix_popularity(fitted: Recommender, task: Task, other: Catalogue) -> np.ndarray:
    """Of another catalogue's items: the source's events under the deepest prefix that has any."""
    model = fitted.model
    tables = [model.catalogue.table, other.table]
    names = [f"source {item}" for item in model.catalogue.item_ids]
    tables[0] = tables[0].set_column(0, "item_id", pa.array(names))
    both = Catalogue(pa.concat_tables(tables, promote_options="permissive").combine_chunks())
    source = Catalogue(both.table.slice(0, len(names)))
    codes = place_items(model.ids, source, both).codes
    chosen = np.zeros(len(both))
    items = task.seen.histories(model.catalogue).items
    chosen[: len(names)] = np.bincount(items, minlength=len(names))
    score = np.zeros(len(other))
    for depth in range(1, codes.shape[1]):
        _, node = np.unique(codes[:, :depth], axis=0, return_inverse=True)
        events = np.bincount(node.ravel(), weights=chosen)[node.ravel()][len(names) :]
        score = np.where(events > 0, depth * len(task.seen) + events, score)
    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["templates", "newcomers", "transfer"])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--users", type=int, default=4000)
    parser.add_argument("--events", type=int, nargs="+", default=[0, 100, 1000])
    parser.add_argument("--beams", type=int, help="of transfer: fewer take less time")
    given = parser.parse_args()
    if given.part == "templates":
        found = templates(given.bundle, given.data, given.users)
    elif given.part == "newcomers":
        found = newcomers(given.bundle, given.data, given.users)
    else:
        found = transfer(given.bundle, given.data, given.users, given.events, given.beams)
    print(json.dumps(found, indent=2))
    lora = "beauty-sports-lora" in found.get("zero_shot", {})
    add_language_results(found, "transfer-lora" if lora else given.part, machine("torch", "numpy"))


if __name__ == "__main__":
    main()
