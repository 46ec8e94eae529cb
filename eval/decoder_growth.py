"""What a large catalogue costs the walk: the trie, its filters, a step, and what limits take."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from statistics import median

import numpy as np
import pyarrow as pa
from bench_common import once, peak_gib
from decoder_worlds import BEAMS, DEPTH, K, build, make_scorer, prompt_batch

from p5rec.data.catalogue import Catalogue
from p5rec.decoding import beam as beam_module
from p5rec.decoding.beam import beam_search
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.filters import Filters
from p5rec.decoding.trie import Trie


def grown(n_items: int) -> dict:
    """Build and filter a large catalogue; runs in a process of its own to tell its peak memory."""
    codes = dense_codes(n_items, width=64 if n_items <= 64**4 else 128)
    gc.collect()
    built = once(lambda: Trie.from_codes(codes))
    peak = peak_gib()
    trie = Trie.from_codes(codes)
    found = {"build_seconds": built, "build_peak_gib": peak, "bytes_per_item": trie.size / n_items}
    found |= filter_times(trie, n_items)
    million = Trie.from_codes(dense_codes(1_000_000))
    new = np.stack([np.full(1000, 63)] * 2 + [np.arange(1000) // 64, np.arange(1000) % 64], 1)
    found["add_1000_items_to_1m_seconds"] = once(lambda: million.with_items(new))
    found["retire_1000_items_of_1m_seconds"] = once(lambda: million.without_items(np.arange(1000)))
    return found


def filter_times(trie: Trie, n_items: int) -> dict:
    """Milliseconds of new and cached filters over attributes that were used before."""
    rng = np.random.default_rng(0)
    brands = pa.array([f"brand {number}" for number in range(5000)])
    table = pa.table(
        {
            "item_id": pa.array(np.arange(n_items)).cast(pa.string()),
            "price": rng.random(n_items) * 100,
            "brand": brands.take(pa.array(rng.integers(0, 5000, n_items))),
            "in_stock": pa.array(rng.random(n_items) < 0.9),
        }
    )
    filters = Filters(Catalogue(table), trie)
    filters.compile('in_stock and price < 1 and brand == "brand 0"')
    new, cached = [], []
    for number in range(1, 6):
        text = f'in_stock and price <= {number * 10} and brand != "brand {number}"'
        new.append(once(lambda text=text: filters.compile(text)) * 1e3)
        cached.append(once(lambda text=text: filters.compile(text)) * 1e3)
    return {"filter_ms": median(new), "filter_cached_ms": median(cached)}


def step_seconds(sizes: tuple[int, int], repeats: int) -> tuple[float, float]:
    """Time of one decoding step at two sizes: what follows the prompt's encoding, by level."""
    scorers = [make_scorer(build("gpt2-mini"), dense_codes(n_items)) for n_items in sizes]
    prompts = prompt_batch(8)
    times: list[list[float]] = [[], []]
    for number in range(repeats + 1):
        for scorer, own in zip(scorers, times, strict=True):
            prompt = {"spent": 0.0}
            with timed(scorer.backbone, ["begin"], prompt):
                whole = once(lambda scorer=scorer: beam_search(scorer, prompts, k=K, beams=BEAMS))
            if number:
                own.append((whole - prompt["spent"]) / DEPTH)
    return median(times[0]), median(times[1])


def constraint_share(n_items: int, users: int, repeats: int) -> float:
    """The share of the decoding steps that goes to the trie and a filter."""
    model = build("gpt2-mini")
    scorer = make_scorer(model, dense_codes(n_items))
    prompts = prompt_batch(users)
    mask = np.random.default_rng(0).random(n_items) < 0.5
    beam_search(scorer, prompts, k=K, beams=BEAMS)
    shares = []
    for _ in range(repeats):
        limits = Excluded(scorer.trie, [np.flatnonzero(mask)[:100]] * users)
        whole, trie = {"spent": 0.0}, {"spent": 0.0}
        prompt = {"spent": 0.0}
        with (
            timed(scorer, ["children_of", "codes_of_nodes"], trie),
            timed(limits, ["closed"], trie),
            timed(beam_module, ["children_side_by_side"], trie),
            timed(scorer.backbone, ["begin"], prompt),
        ):
            whole["spent"] = once(
                lambda limits=limits: beam_search(
                    scorer, prompts, k=K, beams=BEAMS, excluded=limits
                )
            )
        shares.append(trie["spent"] / (whole["spent"] - prompt["spent"]))
    return median(shares)


def filtered_slowdown(n_items: int, users: int, repeats: int) -> float:
    """How much longer a request takes with a filter, a deny list and its history left out."""
    scorer = make_scorer(build("gpt2-mini"), dense_codes(n_items))
    prompts = prompt_batch(users)
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "item_id": pa.array(np.arange(n_items)).cast(pa.string()),
            "price": rng.random(n_items) * 100,
            "in_stock": pa.array(rng.random(n_items) < 0.9),
        }
    )
    filters = Filters(Catalogue(table), scorer.trie)
    held = [rng.integers(0, n_items, size=100) for _ in range(users)]
    listed = [np.unique(rng.integers(0, n_items, size=1000)) for _ in range(2)]

    def plain() -> object:
        return beam_search(scorer, prompts, k=K, beams=BEAMS)

    def filtered() -> object:
        masks = [filters.compile("in_stock and price <= 50")] * users
        allowed = [listed[user] if user < 2 else None for user in range(users)]
        limits = Excluded(scorer.trie, held, masks=masks, allowed=allowed)
        return beam_search(scorer, prompts, k=K, beams=BEAMS, excluded=limits)

    plain()
    filtered()
    ratios = [once(filtered) / once(plain) for _ in range(8 * repeats + 1)]
    return median(ratios) - 1


@contextmanager
def timed(owner: object, names: list[str], clock: dict[str, float]):
    """Add up the time in some functions of ``owner`` while the block runs."""
    kept = {name: getattr(owner, name) for name in names}

    def wrap(function):
        def run(*args, **kwargs):
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                clock["spent"] += time.perf_counter() - start

        return run

    for name, function in kept.items():
        setattr(owner, name, wrap(function))
    try:
        yield
    finally:
        for name, function in kept.items():
            setattr(owner, name, function)


def dense_codes(n_items: int, width: int = 64) -> np.ndarray:
    """Paths of four codes below 64 that fill the tree from the left: equal fan-out limits."""
    number = np.random.default_rng(0).permutation(n_items)
    columns = [number // width**level % width for level in (3, 2, 1, 0)]
    return np.stack(columns, axis=1).astype(np.int32)
