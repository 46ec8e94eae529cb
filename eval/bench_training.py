"""How many items a second are learnt, against the way the peers train the same weights.

    python eval/bench_training.py --data FOLDER     # writes eval/results/training_speed.json
    python eval/bench_training.py --data FOLDER --quick

*Ours* is ``p5rec fit`` on the next-item task as the recipe has it. *The peers' way* is what their
published code does: one code a position, one prompt and one target an example, batches padded to
the longest, softmax over the whole vocabulary, Hugging Face Trainer; on a copy of the same
weights, with the same history length. An item is learnt once a step has made it a target. Each
measurement is a process of its own, of which the first steps do not count; ours and theirs take
turns, and the medians are told.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from bench_common import RESULTS, machine, write_results

from p5rec.benchmark.machine import LIBRARIES
from p5rec.benchmark.suite import Suite
from p5rec.data.events import Histories
from p5rec.model.recipe import Recipe
from p5rec.recommender import Recommender
from p5rec.training.objective import Objective

MODELS = ("gpt2-mini", "t5-mini")
SUITE = "amazon-beauty"
WARM_UP = 3
PEER_BATCH = 32
IGNORED = -100


def recipe_of(name: str, steps: int) -> Recipe:
    """The recipe, learning next items alone, for so many steps."""
    recipe = Suite.load(SUITE).adapt(Recipe.load(name))
    training = recipe.training.model_copy(
        update={
            "tasks": {"next_item": 1.0},
            "epochs": 1e-6,
            "least_steps": steps,
            "validations": 1,
            "validation_users": 1,
        }
    )
    return recipe.model_copy(update={"training": training})


def fitted(name: str, data: Path, steps: int) -> tuple[Recommender, Histories]:
    source = Suite.load(SUITE).read(data)
    recommender = Recommender.from_base(name, recipe=recipe_of(name, steps)).fit(
        source.events, source.catalogue, hold_out="leave-one-out"
    )
    return recommender, source.events.histories(source.catalogue)


def measure_ours(name: str, data: Path, steps: int) -> dict:
    """Items a second of our own training, by counting the targets of each step."""
    marks: list[tuple[float, int]] = []
    forward = Objective.forward

    def counted(self: Objective, batch: object) -> torch.Tensor:
        marks.append((time.perf_counter(), len(batch.items)))
        return forward(self, batch)

    Objective.forward = counted
    fitted(name, data, steps)
    begun, ended = marks[WARM_UP][0], marks[-1][0]
    items = sum(count for _, count in marks[WARM_UP:-1])
    return {"items_per_second": items / (ended - begun), "peak_mib": peak(), "items": items}


def measure_peer(name: str, data: Path, steps: int) -> dict:
    """Items a second of Hugging Face's Trainer on a copy of the same weights."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    recommender, histories = fitted(name, data, 1)
    mine = recommender.model.base.model
    model = type(mine)(mine.config)
    model.load_state_dict(mine.state_dict())
    marks: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *_: object, **__: object) -> None:
            marks.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                per_device_train_batch_size=PEER_BATCH,
                max_steps=steps,
                learning_rate=1e-3,
                report_to="none",
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                use_cpu=True,
                remove_unused_columns=False,
            ),
            train_dataset=PeerExamples(recommender, histories),
            data_collator=PeerBatches(model.config.is_encoder_decoder),
            callbacks=[Clock()],
        ).train()
    items = PEER_BATCH * (len(marks) - WARM_UP)
    taken = marks[-1] - marks[WARM_UP - 1]
    return {"items_per_second": items / taken, "peak_mib": peak(), "items": items}


class PeerExamples(torch.utils.data.Dataset):
    """Every prefix of every history as a prompt with one target, one code a position."""

    def __init__(self, recommender: Recommender, histories: Histories) -> None:
        model = recommender.model
        every = torch.arange(len(recommender.catalogue))
        self._codes = model.scorer.path_tokens(every).numpy()
        self._items = np.asarray(histories.items)
        head = model.ranker().head
        self._head = head[:, 0] if head.ndim == 2 else head
        self._history = model.recipe.prompting.history
        starts = np.repeat(histories.offsets[:-1], histories.lengths)
        left = np.repeat(histories.offsets[1:], histories.lengths) - np.arange(len(self._items))
        # The last two events of each user are held out.
        self._targets = np.flatnonzero((np.arange(len(self._items)) > starts) & (left > 2))
        self._starts = starts

    def __len__(self) -> int:
        return len(self._targets)

    def __getitem__(self, number: int) -> dict:
        at = self._targets[number]
        shown = self._items[max(self._starts[at], at - self._history) : at]
        prompt = np.concatenate([self._head, self._codes[shown].ravel()])
        return {"prompt": prompt, "target": self._codes[self._items[at]]}


class PeerBatches:
    """Pads prompts on the left to the longest of the batch; labels are the target's codes alone."""

    def __init__(self, seq2seq: bool) -> None:
        self._seq2seq = seq2seq

    def __call__(self, examples: list[dict]) -> dict:
        """A batch for Hugging Face's Trainer."""
        rows = [
            one["prompt"] if self._seq2seq else np.concatenate([one["prompt"], one["target"]])
            for one in examples
        ]
        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), dtype=np.int64)
        seen = np.zeros_like(ids)
        for place, mask, row in zip(ids, seen, rows, strict=True):
            place[longest - len(row) :] = row
            mask[longest - len(row) :] = 1
        targets = np.stack([one["target"] for one in examples]).astype(np.int64)
        labels = targets
        if not self._seq2seq:
            labels = np.full_like(ids, IGNORED)
            labels[:, -targets.shape[1] :] = targets
        return {
            "input_ids": torch.from_numpy(ids),
            "attention_mask": torch.from_numpy(seen),
            "labels": torch.from_numpy(labels),
        }


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def apart(options: argparse.Namespace, way: str, name: str) -> dict:
    """One measurement in a process of its own."""
    steps = {"ours": options.steps, "peer": options.peer_steps}[way]
    words = [sys.executable, __file__, "--data", str(options.data), "--only", way, name]
    done = subprocess.run(
        [*words, "--steps", str(steps)], stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def compared(options: argparse.Namespace, name: str) -> dict:
    found: dict[str, list[dict]] = {"ours": [], "peer": []}
    for _ in range(options.rounds):
        for way, runs in found.items():
            runs.append(apart(options, way, name))
    rates = {way: median(run["items_per_second"] for run in runs) for way, runs in found.items()}
    return {
        "speedup": round(rates["ours"] / rates["peer"], 2),
        "items_per_second": round(rates["ours"], 1),
        "peer_items_per_second": round(rates["peer"], 1),
        "peak_mib": median(run["peak_mib"] for run in found["ours"]),
        "peer_peak_mib": median(run["peak_mib"] for run in found["peer"]),
        "rounds": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the Beauty data")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--peer-steps", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--only", nargs=2, metavar=("WAY", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        way, name = options.only
        work = {"ours": measure_ours, "peer": measure_peer}[way]
        print(json.dumps(work(name, options.data, options.steps)))
        return
    if options.quick:
        options.steps, options.peer_steps, options.rounds = 10, 8, 1
    models = {name: compared(options, name) for name in MODELS}
    first = models[MODELS[0]]
    told = {
        **{key: first[key] for key in ("speedup", "items_per_second", "peer_items_per_second")},
        "speedup_t5_mini": models["t5-mini"]["speedup"],
        "models": models,
        "suite": SUITE,
        "peer_batch": PEER_BATCH,
        "quick": options.quick,
        **machine(*LIBRARIES),
    }
    write_results(told, RESULTS / "training_speed.json")
    print(json.dumps({key: told[key] for key in list(told)[:4]}))


if __name__ == "__main__":
    main()
