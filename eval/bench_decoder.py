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
    publish,
    say,
    seconds,
)
from decoder_growth import constraint_share, filtered_slowdown, grown, step_seconds
from decoder_peer import Peer
from decoder_worlds import (
    BEAMS,
    DEPTH,
    PROMPT,
    WIDTH,
    K,
    build,
    grid_codes,
    make_scorer,
    ours,
    prompt_batch,
    random_prompts,
    semantic_ids,
)

from p5rec.decoding.beam import beam_search
from p5rec.decoding.exact import score_catalogue
from p5rec.decoding.following import Following
from p5rec.decoding.next_item import NextItemRanker
from p5rec.decoding.scorer import ItemScorer
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.model.vocabulary import Vocabulary

GROWN = 10_000_000


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


def recall_of_narrow_beams(n_items: int, users: int) -> dict[str, float]:
    """The share of the true top 10 that beams of several widths find, with random weights."""
    scorer = make_scorer(build("gpt2-mini"), grid_codes(n_items, depth=DEPTH, width=WIDTH))
    prompts = prompt_batch(users)
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
