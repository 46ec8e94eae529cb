"""Measures explanations: the check, faithfulness, speed, and wording against a published model.

    python eval/bench_language.py verifier
    python eval/bench_language.py faithfulness BUNDLE_BEAUTY BUNDLE_GROCERIES --data FOLDER
    python eval/bench_language.py speed BUNDLE_BEAUTY BUNDLE_GROCERIES --data FOLDER
    python eval/bench_language.py xrec --data FOLDER

FOLDER holds ``amazon-beauty``, ``xrec-amazon`` and ``xrec-yelp``. Each part writes its keys into
``eval/results/language.json`` and leaves the others as they are. Needs ``p5rec[text]``.
"""

from __future__ import annotations

import argparse
import html
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import text_measures
import torch
import verifier_cases
from bench_common import add_language_results, machine

from p5rec.data import sources
from p5rec.data.splits import Cases
from p5rec.language.evidence import measure_evidence
from p5rec.language.faithfulness import measure_faithfulness
from p5rec.language.generate import write
from p5rec.language.reviews import known_of
from p5rec.language.support import Records
from p5rec.language.vocabulary import FUNCTION_WORDS
from p5rec.language.words import words
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.recipe import Recipe
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import ItemRef
from p5rec.recommender import Recommender

XREC = {"books": "xrec-amazon", "yelp": "xrec-yelp"}
CASES = 200
SPEED_CASES = 20
MINUTES = 4.0


def verifier() -> dict[str, Any]:
    told = verifier_cases.judge()
    claims = told["all"]["claims"]
    return {
        "verifier_precision": round(claims["precision"], 4),
        "verifier_recall": round(claims["recall"], 4),
        "verifier": {part: told[part] for part in ("all", "written", "unseen")},
    }


def faithfulness(bundles: dict[str, Path], data: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"faithfulness": {}, "faithfulness_details": {}}
    for name, bundle in bundles.items():
        recommender = Recommender.from_pretrained(bundle)
        cases = held_out(recommender, name, data)
        chosen = np.random.default_rng(0).permutation(len(cases))[:CASES]
        histories = cases.histories.take(chosen)
        items = recommender.rank(histories, k=1).flatten()
        ranker = recommender.model.ranker()
        evidence = measure_evidence(ranker, histories, items, recommender.catalogue)
        measured = measure_faithfulness(ranker, histories, evidence)
        found["faithfulness"][name] = round(measured.ratio, 2)
        found["faithfulness_details"][name] = {
            "cases": len(measured.named),
            "drop_named": round(float(measured.named.mean()), 4),
            "drop_random": round(float(measured.random.mean()), 4),
            "interval": [round(end, 2) for end in measured.interval()],
        }
        found.setdefault("explanations", {})[name] = passed(recommender, histories, items)
    told = [one for ways in found["explanations"].values() for one in ways.values()]
    found["claim_precision_verifier"] = min(one["claim_precision"] for one in told)
    return found


def speed(bundles: dict[str, Path], data: Path) -> dict[str, Any]:
    """How many items a second are explained from evidence alone, ten of one history at a time."""
    details = {}
    for name, bundle in bundles.items():
        recommender = Recommender.from_pretrained(bundle)
        cases = held_out(recommender, name, data)
        chosen = np.random.default_rng(0).permutation(len(cases))[:SPEED_CASES]
        histories = cases.histories.take(chosen)
        ranked = recommender.rank(histories, k=10)
        wall, cpu = [], []
        for user in [0, *range(len(chosen))]:
            ten = histories.take(np.full(10, user))
            begun, spent = time.perf_counter(), time.process_time()
            recommender.explain_rows(ten, ranked[user], generate=False)
            wall.append(time.perf_counter() - begun)
            cpu.append(time.process_time() - spent)
        first, tokens_a_second = written_speed(recommender, histories, ranked[:, 0])
        details[name] = {
            "items_per_second": round(10 / float(np.median(wall[1:])), 1),
            "items_per_cpu_second": round(10 / float(np.median(cpu[1:])), 1),
            "history_events": float(np.median(histories.lengths)),
            "first_token_seconds": round(first, 4),
            "tokens_per_second": round(tokens_a_second, 1),
        }
    slowest = min(details.values(), key=lambda one: one["items_per_second"])
    return {
        "explain_per_second": slowest["items_per_second"],
        "explain_speed": {**details, "threads": torch.get_num_threads(), "load": os.getloadavg()},
    }


def written_speed(
    recommender: Recommender, histories: Any, items: np.ndarray
) -> tuple[float, float]:
    """Seconds to the first token of one explanation, and tokens a second of several."""
    model = recommender.model
    ranker = model.ranker()
    template = model.templates.of("item_text", seen=True, answer="words")[0]
    prompts = [
        model.encoder.encode(render_prompt(template, {"item": ItemRef(row)}))
        for row in items.tolist()
    ]
    options = {"tokenizer": model.encoder.tokenizer, "end": model.encoder.end}
    times: list[float] = []
    begun = time.perf_counter()
    write(
        ranker.scorer.backbone,
        PromptBatch.from_prompts(prompts[:1]),
        on_token=lambda row, token: times.append(time.perf_counter() - begun),
        **options,
    )
    counted: list[int] = []
    started = time.perf_counter()
    write(
        ranker.scorer.backbone,
        PromptBatch.from_prompts(prompts),
        on_token=lambda row, token: counted.append(token),
        **options,
    )
    return times[0], len(counted) / (time.perf_counter() - started)


def held_out(recommender: Recommender, name: str, data: Path) -> Cases:
    """What was kept from training, of the items that the recommender knows."""
    beauty = name == "beauty"
    source = sources.folder(data / "amazon-beauty") if beauty else sources.complete_journey()
    events = source.events
    there = recommender.catalogue.rows_of(events.table["item_id"]) >= 0
    return recommender.held_out(events.select(there))


def passed(recommender: Recommender, histories: Any, items: np.ndarray) -> dict[str, Any]:
    """What the model writes, chosen among statements and freely, and what the check lets pass."""
    told = {}
    for name, generate in (("statements", True), ("freely", "freely")):
        found = recommender.explain_rows(histories, items, generate=generate)
        written = [one.source == "generated" for one in found]
        claims = [claim.supported for one in found for claim in one.claims]
        told[name] = {
            "explanations": len(found),
            "written_by_the_model": round(float(np.mean(written)), 4),
            "claim_precision": round(float(np.mean(claims)), 4),
            "different_texts": round(len({one.text for one in found}) / len(found), 4),
        }
    return told


def xrec(data: Path) -> dict[str, Any]:
    found: dict[str, Any] = {"xrec": {}, "xrec_details": {}}
    for name, folder in XREC.items():
        rows = pq.read_table(data / folder / "explanations.parquet").to_pylist()
        found["xrec"][name], found["xrec_details"][name] = one_xrec(rows)
    return found


def one_xrec(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train on the explanations of four fifths of the users; compare on the others'."""
    users = sorted({row["user_id"] for row in rows})
    drawn = np.random.default_rng(0).permutation(len(users))[: len(users) // 5]
    test = {users[at] for at in drawn}
    learnt = [row for row in rows if row["user_id"] not in test]
    asked = [row for row in rows if row["user_id"] in test and row["xrec_output"]]
    recommender = fitted(rows, learnt)
    begun = time.perf_counter()
    explanations = recommender.explain_all(
        [[]] * len(asked),
        [row["item_id"] for row in asked],
        about=[known_of({"likes": row["user_summary"]}) for row in asked],
    )
    seconds = time.perf_counter() - begun
    texts = {
        "ours": [one.text for one in explanations],
        "xrec": [row["xrec_output"].strip() for row in asked],
        "reference": [row["explanation"] for row in asked],
    }
    references = texts["reference"]
    figures = {name: measured(found, references, asked) for name, found in texts.items()}
    details = {
        "test": len(asked),
        "train": len(learnt),
        "written_by_the_model": float(np.mean([one.source == "generated" for one in explanations])),
        "texts_per_second": round(len(asked) / seconds, 1),
        "steps": recommender.about["training"]["steps"],
        "examples": [
            {"item": row["title"], **{name: found[at] for name, found in texts.items()}}
            for at, row in enumerate(asked[:10])
        ],
    }
    return figures, details


def fitted(rows: list[dict[str, Any]], learnt: list[dict[str, Any]]) -> Recommender:
    events = pa.table(
        {
            "user_id": [row["user_id"] for row in learnt],
            "item_id": [row["item_id"] for row in learnt],
            "position": list(range(len(learnt))),
            "explanation": [row["explanation"] for row in learnt],
        }
    )
    items = {row["item_id"]: row for row in rows}
    catalogue = pa.table(
        {
            "item_id": list(items),
            "title": [html.unescape(row["title"]) for row in items.values()],
            "description": [row["item_summary"] for row in items.values()],
        }
    )
    people = {row["user_id"]: row["user_summary"] for row in learnt}
    users = pa.table({"user_id": list(people), "likes": list(people.values())})
    recipe = Recipe.load("gpt2-mini")
    prompting = recipe.prompting.model_copy(update={"text": 160})
    training = recipe.training.model_copy(
        update={"tasks": {"next_item": 0.05, "reason": 0.95}, "epochs": 8.0, "validations": 1}
    )
    recipe = recipe.model_copy(update={"prompting": prompting, "training": training})
    return Recommender.from_base("gpt2-mini", recipe=recipe).fit(
        events, catalogue, users=users, max_minutes=MINUTES
    )


def measured(
    texts: Sequence[str], references: Sequence[str], rows: Sequence[dict[str, Any]]
) -> dict[str, float]:
    """Measures of likeness, variety and truth of texts."""
    records = [Records([row["title"], row["item_summary"], row["user_summary"]]) for row in rows]
    item_alone = [Records([row["title"], row["item_summary"]]) for row in rows]
    return {
        name: round(value, 4)
        for name, value in {
            **text_measures.likeness(texts, references),
            **text_measures.variety(texts),
            **text_measures.features(texts, [telling(row) for row in rows]),
            "claim_precision": _supported(records, texts),
            "claim_precision_item_alone": _supported(item_alone, texts),
            "claims": sum(len(one.claims(text)) for one, text in zip(records, texts, strict=True))
            / len(texts),
        }.items()
    }


def telling(row: dict[str, Any]) -> set[str]:
    """The features that a reference names: its words that the item's own summary has too."""
    said = set(words(row["explanation"])) & set(words(f"{row['title']} {row['item_summary']}"))
    return said - FUNCTION_WORDS


def _supported(records: Sequence[Records], texts: Sequence[str]) -> float:
    pairs = zip(records, texts, strict=True)
    return float(np.mean([c.supported for one, text in pairs for c in one.claims(text)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["verifier", "faithfulness", "speed", "xrec"])
    parser.add_argument("bundles", nargs="*", type=Path)
    parser.add_argument("--data", type=Path)
    given = parser.parse_args()
    if given.part == "verifier":
        found = verifier()
    elif given.part == "xrec":
        found = xrec(given.data)
    else:
        names = ("beauty", "complete-journey")
        measure = speed if given.part == "speed" else faithfulness
        found = measure(dict(zip(names, given.bundles, strict=False)), given.data)
    add_language_results(found, given.part, machine("torch", "transformers", "numpy"))
    print(json.dumps(found, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
