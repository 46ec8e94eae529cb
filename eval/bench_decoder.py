"""How fast the constrained walk is, against ``generate``, and how it grows with the catalogue.

    python eval/bench_decoder.py            # the figures of eval/results/decoder.json
    python eval/bench_decoder.py --quick    # minutes shorter, smaller, to see that it runs

Both decoders read the same prompts with the same random weights, keep 20 beams and score items by
the log-probability of each code among the codes that can follow; that they return the same items
with the same scores is asserted before anything is timed. Both are timed in turns, and a speed-up
is the median over the turns; the first call of each is not counted.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from contextlib import contextmanager
from statistics import median

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from bench_common import (
    RESULTS,
    bench_parser,
    in_own_process,
    machine,
    once,
    peak_gib,
    publish,
    say,
    seconds,
)
from decoder_peer import (
    Peer,
    grid_codes,
    make_scorer,
    ours,
    random_prompts,
    semantic_ids,
)
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from p5rec.data.catalogue import Catalogue
from p5rec.decoding import beam as beam_module
from p5rec.decoding.beam import beam_search
from p5rec.decoding.exact import score_catalogue
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.filters import Filters
from p5rec.decoding.following import Following
from p5rec.decoding.next_item import NextItemRanker
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.model.minis import make_mini
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.model.recipe import Recipe
from p5rec.model.vocabulary import Vocabulary

K, BEAMS, PROMPT = 10, 20, 100
DEPTH, WIDTH = 4, 32
GROWN = 10_000_000


def build(name: str) -> torch.nn.Module:
    """A model of the size of ``name`` with random weights."""
    torch.manual_seed(0)
    if name == "gpt2":
        return GPT2LMHeadModel(GPT2Config(activation_function="gelu_pytorch_tanh")).eval()
    if name == "t5-small":
        return T5ForConditionalGeneration(T5Config(decoder_start_token_id=0)).eval()
    return make_mini(Recipe.load(name).base, 4096, seed=0).eval()


def against_peer(name: str, users: int, n_items: int, repeats: int) -> dict:
    """Users a second of both decoders, their results compared first."""
    model = build(name)
    base_size = model.get_input_embeddings().weight.shape[0]
    codes = grid_codes(n_items, depth=DEPTH, width=WIDTH)
    scorer = make_scorer(model, codes)
    prompts = random_prompts(users, PROMPT, base_size)
    peer = Peer(scorer, codes, base_size)
    (items, scores), (peer_items, peer_scores) = (
        ours(scorer, prompts, k=K, beams=BEAMS),
        peer(prompts, k=K, beams=BEAMS),
    )
    assert np.allclose(scores, peer_scores, atol=1e-4), "the decoders disagree on scores"
    # Items may change places where their scores differ by less than rounding does.
    close = np.isclose(scores, peer_scores, atol=1e-4)
    assert (items == peer_items)[close].mean() > 0.99, "the decoders disagree on items"
    # In turns, so that what else the machine does slows both.
    pairs = [
        (
            seconds(lambda: ours(scorer, prompts, k=K, beams=BEAMS), 3),
            once(lambda: peer(prompts, k=K, beams=BEAMS)),
        )
        for _ in range(repeats)
    ]
    return {
        "users": users,
        "items": n_items,
        "ours_users_per_second": users / median(mine for mine, _ in pairs),
        "peer_users_per_second": users / median(theirs for _, theirs in pairs),
        "speedup": median(theirs / mine for mine, theirs in pairs),
        "same_items": float((items == peer_items).mean()),
        "largest_score_difference": float(np.abs(scores - peer_scores).max()),
    }


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


def constraint_share(n_items: int, users: int, repeats: int) -> float:
    """The share of the decoding steps that goes to the trie and a filter."""
    model = build("gpt2-mini")
    scorer = make_scorer(model, dense_codes(n_items))
    prompts = PromptBatch.from_prompts(
        [row[:, None] for row in random_prompts(users, PROMPT, 4096)]
    )
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


def dense_codes(n_items: int, width: int = 64) -> np.ndarray:
    """Paths of four codes below 64 that fill the tree from the left: equal fan-out limits."""
    number = np.random.default_rng(0).permutation(n_items)
    columns = [number // width**level % width for level in (3, 2, 1, 0)]
    return np.stack(columns, axis=1).astype(np.int32)


def step_seconds(sizes: tuple[int, int], repeats: int) -> tuple[float, float]:
    """Time of one decoding step at two sizes: what follows the prompt's encoding, by level."""
    scorers = [make_scorer(build("gpt2-mini"), dense_codes(n_items)) for n_items in sizes]
    prompts = PromptBatch.from_prompts([row[:, None] for row in random_prompts(8, PROMPT, 4096)])
    times: list[list[float]] = [[], []]
    for number in range(repeats + 1):
        for scorer, own in zip(scorers, times, strict=True):
            prompt = {"spent": 0.0}
            with timed(scorer.backbone, ["begin"], prompt):
                whole = once(lambda scorer=scorer: beam_search(scorer, prompts, k=K, beams=BEAMS))
            if number:
                own.append((whole - prompt["spent"]) / DEPTH)
    return median(times[0]), median(times[1])


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
    import pyarrow as pa

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


def ranker_over(name: str, n_items: int, *, one_position: bool, history: int) -> NextItemRanker:
    model = build(name)
    base_size = model.get_input_embeddings().weight.shape[0]
    codes = grid_codes(n_items, depth=DEPTH, width=WIDTH)
    scorer = make_scorer(model, codes)
    ids = semantic_ids(codes)
    encoder = PromptEncoder(
        None,  # type: ignore[arg-type]
        Vocabulary.from_semantic_ids(base_size, ids).item_tokens(ids),
        one_position=one_position,
        end=0,
        longest_text=64,
    )
    head = encoder.text(list(range(5, 15)))
    return NextItemRanker(scorer, encoder, head, history=history, beams=K)


def one_history(items: np.ndarray):
    from p5rec.data.events import Histories

    return Histories(
        ("u",), np.array([0, len(items)]), items.astype(np.int64), None, np.arange(len(items))
    )


def incremental(name: str, n_items: int, repeats: int) -> dict:
    """A request after one new event on a 100-event history, from scratch and gone on with."""
    ranker = ranker_over(name, n_items, one_position=False, history=200)
    items = np.random.default_rng(0).integers(0, n_items, size=101 + repeats)
    scratch, going_on = [], []
    following = Following(ranker)
    following.search(one_history(items[:100]), k=K)
    for number in range(repeats + 1):
        histories = one_history(items[: 101 + number])
        fresh = Following(ranker)
        answers = []
        scratch.append(once(lambda: answers.append(fresh.search(histories, k=K))))  # noqa: B023
        going_on.append(once(lambda: answers.append(following.search(histories, k=K))))  # noqa: B023
        assert np.allclose(answers[0].scores, answers[1].scores, atol=1e-3), "answers differ"
    return {
        "from_scratch_seconds": median(scratch[1:]),
        "one_event_seconds": median(going_on[1:]),
        "speedup": median(scratch[1:]) / median(going_on[1:]),
    }


def filtered_slowdown(n_items: int, users: int, repeats: int) -> float:
    """How much longer a request takes with a filter, a deny list and its history left out."""
    scorer = make_scorer(build("gpt2-mini"), dense_codes(n_items))
    prompts = PromptBatch.from_prompts(
        [row[:, None] for row in random_prompts(users, PROMPT, 4096)]
    )
    rng = np.random.default_rng(0)
    import pyarrow as pa

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


def recall_of_narrow_beams(n_items: int, users: int) -> dict[str, float]:
    """The share of the true top 10 that beams of several widths find, with random weights."""
    scorer = make_scorer(build("gpt2-mini"), grid_codes(n_items, depth=DEPTH, width=WIDTH))
    prompts = PromptBatch.from_prompts(
        [row[:, None] for row in random_prompts(users, PROMPT, 4096)]
    )
    best = np.argsort(-score_catalogue(scorer, prompts), axis=1)[:, :K]
    found = {}
    for beams in (5, 10, 20, 50):
        items = searched(scorer, prompts, beams)
        hits = [len(np.intersect1d(one, other)) for one, other in zip(items, best, strict=True)]
        found[str(beams)] = float(np.mean(hits) / K)
    return found


def searched(scorer: ItemScorer, prompts: PromptBatch, beams: int) -> np.ndarray:
    """The top 10 of a beam that is really as narrow as ``beams``, which may fill half of it."""
    found = beam_search(scorer, prompts, k=min(K, beams), beams=beams)
    return found.items


def measure(options: argparse.Namespace) -> dict:
    """All figures."""
    quick = options.quick
    repeats = 2 if quick else 5
    n_items = 2_000 if quick else 12_000
    runs = {}
    for key, name, users in (
        ("gpt2_mini", "gpt2-mini", 8 if quick else 32),
        ("t5_small", "t5-small", 2 if quick else 8),
        ("gpt2_single", "gpt2", 1),
        ("gpt2", "gpt2", 1 if quick else 4),
    ):
        say(f"{name}, {users} users")
        runs[key] = against_peer(name, users, n_items, repeats)
        gc.collect()
    say("growth")
    large = 100_000 if quick else GROWN
    growth = in_own_process(__file__, "--grown", str(large))
    steps = step_seconds((10_000, large), 4 * repeats + 1)
    growth["step_seconds_small"], growth["step_seconds_large"] = steps
    say("work done once")
    going_on = incremental("gpt2", n_items, repeats)
    figures = {f"speedup_{key}": run["speedup"] for key, run in runs.items()}
    figures |= {
        "constraint_share_100k": constraint_share(100_000, 32, 2 * repeats + 1),
        "step_ratio_10m_vs_10k": growth["step_seconds_large"] / growth["step_seconds_small"],
        "build_seconds_10m": growth["build_seconds"],
        "build_peak_gib_10m": growth["build_peak_gib"],
        "bytes_per_item": growth["bytes_per_item"],
        "filter_ms_10m": growth["filter_ms"],
        "filter_cached_ms_10m": growth["filter_cached_ms"],
        "incremental_speedup": going_on["speedup"],
        "filtered_slowdown": filtered_slowdown(100_000, 32, repeats),
    }
    say("recall of narrow beams")
    recall = recall_of_narrow_beams(n_items, 2 if quick else 8)
    details = {"peer": runs, "growth": growth, "incremental": going_on, "beam_recall": recall}
    details["repeats"] = repeats
    about = machine("torch", "transformers", "numpy", threads=torch.get_num_threads())
    return {**figures, **about, "quick": quick, "details": details}


def main() -> None:
    parser = bench_parser(__doc__, RESULTS / "decoder.json")
    parser.add_argument("--grown", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.grown:
        print(json.dumps(grown(options.grown)))
        return
    figures = measure(options)
    from decoder_report import draw, table

    publish(figures, options.out, table=table, draw=draw)


if __name__ == "__main__":
    main()
