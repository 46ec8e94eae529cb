"""What is left of a measured model: its facts, and its list for every user under each protocol.

Lists are kept, not figures, so that any metric and any paired test can be taken later without
fitting anything again. A record is whole or not there: it is written aside and renamed.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from p5rec.data.splits import Cases
from p5rec.evaluation.metrics import evaluate_ranking
from p5rec.evaluation.protocol import PLAIN, UNSEEN, Ranks, compare

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

PROTOCOLS = (PLAIN, UNSEEN)
K = 10
KS = (5, 10)
FACTS, LISTS = "facts.json", "lists.safetensors"

Tell = Callable[[float], None]


@dataclass(frozen=True)
class Record:
    """A measured model: plain ``facts``, and ``int64[U, 10]`` lists for each protocol."""

    facts: dict[str, Any]
    lists: dict[str, Ints] = field(default_factory=dict)

    def per_user(self, cases: Cases) -> dict[str, dict[str, Floats]]:
        """Protocol -> metric -> a value a user."""
        return {
            protocol.name: evaluate_ranking(
                self.lists[protocol.name], protocol.targets_of(cases).targets, ks=KS
            )
            for protocol in PROTOCOLS
        }

    def save(self, folder: Path, signature: str) -> None:
        """Write the record of the run that ``signature`` names."""
        aside = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        facts = {**self.facts, "signature": signature}
        (aside / FACTS).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
        save_file({name: rows.astype(np.int32) for name, rows in self.lists.items()}, aside / LISTS)
        shutil.rmtree(folder, ignore_errors=True)
        aside.replace(folder)

    @classmethod
    def load(cls, folder: Path, signature: str) -> Record | None:
        """The record that was written there; None if there is none, or it is of another run."""
        try:
            facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if facts.pop("signature", None) != signature:
            return None
        lists = load_file(folder / LISTS)
        return cls(facts, {name: rows.astype(np.int64) for name, rows in lists.items()})


def measure(
    name: str, model: Ranks, cases: Cases, *, n_items: int, tell: Tell | None = None
) -> tuple[dict[str, Ints], dict[str, float]]:
    """The lists of a model for all cases, and how many seconds each protocol took.

    :param tell: called with the share that is done.
    :raises RequestError: if the model breaks a protocol.
    """
    lists: dict[str, Ints] = {}
    seconds: dict[str, float] = {}
    for number, protocol in enumerate(PROTOCOLS):
        kept: list[Ints] = []

        def told(_: str, done: int, users: int, before: int = number) -> None:
            if tell is not None:
                tell((before + done / users) / len(PROTOCOLS))

        ranker = protocol.rankers({name: _Kept(model, kept)})
        begun = time.monotonic()
        compare(cases, ranker, n_items=n_items, protocol=protocol, progress=told, ks=KS)
        seconds[protocol.name] = round(time.monotonic() - begun, 2)
        lists[protocol.name] = np.concatenate(kept) if kept else np.empty((0, K), dtype=np.int64)
    return lists, seconds


@dataclass
class _Kept:
    """A model whose lists are kept as they go by."""

    model: Ranks
    lists: list[Ints]

    def rank(self, histories: Any, *, k: int, exclude_history: bool = False) -> Ints:  # noqa: ANN401
        self.lists.append(self.model.rank(histories, k=k, exclude_history=exclude_history))
        return self.lists[-1]
