"""Draws sentences that explanations returned, to be judged by reading, and counts the verdicts.

    python eval/read_sentences.py draw beauty BUNDLE --data FOLDER
    python eval/read_sentences.py draw groceries BUNDLE
    python eval/read_sentences.py count

``draw`` puts a hundred sentences into ``eval/results/sentences_read.json``, each beside the item's
record, what of the history has its attributes, and the events of the evidence, all taken from the
data and not from the explanation. A reader then sets ``true`` of each, and ``note`` where not.
``count`` writes ``claim_precision_read`` into ``eval/results/language.json``.

BUNDLE of Beauty is ``cold-amazon-beauty-test`` as ``bench_cold.py --bundles`` keeps it.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import text_measures
from bench_cold import Task
from bench_common import RESULTS, add_language_results, machine, write_results

from p5rec.data import sources
from p5rec.data.splits import Cases
from p5rec.language.facts import facts_of
from p5rec.language.verify import split_sentences
from p5rec.recommender import Recommender

OUT = RESULTS / "sentences_read.json"
NAMES = ("beauty", "groceries")
SENTENCES = 100
SEED = 7
RANKS = 10


def draw(name: str, bundle: Path, data: Path | None) -> list[dict[str, Any]]:
    recommender = Recommender.from_pretrained(bundle)
    cases = asked(name, recommender, data)
    chosen = np.random.default_rng(SEED).permutation(len(cases))[:SENTENCES]
    histories = cases.histories.take(chosen)
    # Of each user another place of the list, so that not only the surest reasons are read.
    at = np.arange(len(chosen))
    items = recommender.rank(histories, k=RANKS)[at, at % RANKS]
    found = []
    for user, one in enumerate(recommender.explain_rows(histories, items)):
        history = histories.items[histories.slice(user)]
        facts = beside(recommender, int(items[user]), history)
        facts["evidence"] = [
            told(recommender, history, event.item) for event in one.evidence.events
        ]
        found += [
            {"data": name, "sentence": sentence, "source": one.source, **facts, "true": None}
            for sentence in split_sentences(one.text)
        ]
    return found[:SENTENCES]


def asked(name: str, recommender: Recommender, data: Path | None) -> Cases:
    if name == "groceries":
        return recommender.held_out(sources.complete_journey().events)
    assert data is not None
    cases, cold = Task.of(sources.folder(data / "amazon-beauty"), 0).cases("test")
    return cases.take(np.flatnonzero(~cold))


def values(record: dict[str, Any]) -> set[tuple[str, str]]:
    """Attributes with their values; of a list each."""
    pairs = [
        (name, value if isinstance(value, list) else [value]) for name, value in record.items()
    ]
    return {(name, str(one)) for name, several in pairs for one in several if one is not None}


def beside(recommender: Recommender, item: int, history: np.ndarray) -> dict[str, Any]:
    """The item's record, how often it was chosen, and how many chosen items have its attributes."""
    record = recommender.catalogue.record(item)
    own, facts = values(record), facts_of(recommender.catalogue)
    distinct = np.unique(history[history != item]).tolist()
    having = Counter(
        pair for row in distinct for pair in values(recommender.catalogue.record(row)) & own
    )
    return {
        "item": recommender.catalogue.item_ids[item],
        "record": record,
        "times_chosen": int((history == item).sum()),
        "events": len(history),
        "others_of_the_name": sum(facts.label(row) == facts.label(item) for row in distinct),
        "others_with": {
            f"{name} {value}": count for (name, value), count in sorted(having.items())
        },
    }


def told(recommender: Recommender, history: np.ndarray, row: int) -> dict[str, Any]:
    places = np.flatnonzero(history == row)
    return {
        "record": recommender.catalogue.record(row),
        "times": len(places),
        "events_ago": len(history) - int(places[-1]),
    }


def count() -> None:
    read = json.loads(OUT.read_text(encoding="utf-8"))["sentences"]
    verdicts = [one["true"] for one in read if one["true"] is not None]
    found = {
        "claim_precision_read": round(sum(verdicts) / len(verdicts), 4),
        "sentences_read": {
            "sentences": len(verdicts),
            **{name: measured([one for one in read if one["data"] == name]) for name in NAMES},
        },
    }
    add_language_results(found, "read", machine())
    print(f"{sum(verdicts)} of {len(verdicts)} sentences hold; {len(read)} were drawn")


def measured(read: list[dict[str, Any]]) -> dict[str, float]:
    """Verdicts on the sentences of one data set, their variety and the features that they name."""
    texts = [one["sentence"] for one in read]
    known = [{value for _, value in values(one["record"])} for one in read]
    found = {
        "hold": float(np.mean([one["true"] for one in read])),
        **text_measures.variety(texts),
        **text_measures.features(texts, known),
    }
    return {name: round(value, 4) for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["draw", "count"])
    parser.add_argument("name", nargs="?", choices=NAMES)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    if given.part == "count":
        count()
        return
    kept = json.loads(OUT.read_text(encoding="utf-8"))["sentences"] if OUT.exists() else []
    kept = [one for one in kept if one["data"] != given.name]
    found = draw(given.name, given.bundle, given.data)
    about = machine("torch", "transformers", "numpy")
    write_results({"drawn": about, "seed": SEED, "sentences": kept + found}, OUT)
    print(f"{len(found)} sentences in {OUT}")


if __name__ == "__main__":
    main()
