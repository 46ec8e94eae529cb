"""The training loop of :class:`~p5rec.evaluation.sasrec.SASRec`.

It computes no padding and no mask for it: the histories of a batch are cut to the shortest of
them, and hardly differ in length. What counts is an average of the latest weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from p5rec.model.weight_average import WeightAverage, Weights, copied

if TYPE_CHECKING:
    from p5rec.data.events import Histories
    from p5rec.model.dropout import RandomBytes

Loss = Literal["softmax", "sampled"]
Examples = Literal["every", "prefix"]
Ints = npt.NDArray[np.int64]
Validate = Callable[[Weights], float]

POSITIONS = 8192
"""At most so many positions in a batch."""
LONGER = 1.1
"""The longest history of a batch has at most so many times the events of the shortest."""
WARM_UP = 100
"""Steps until the learning rate is whole."""
AVERAGED = 0.995
"""How much of the averaged weights stays at a step."""


class Training:
    """A network in training: it goes on for as long as it is told, as often as it is told.

    :param source: what the network's dropout draws from.
    :param validate: the figure of weights, the higher the better; None keeps the last ones.
    :ivar kept: the averaged weights that validated best.
    :ivar curve: for each validation, epochs and seconds until then, and the figure.
    """

    def __init__(
        self,
        network: Any,  # noqa: ANN401 (RecTools' own)
        histories: Histories,
        n_items: int,
        *,
        settings: dict[str, Any],
        source: RandomBytes,
        validate: Validate | None,
    ) -> None:
        self._network, self._n_items = network, n_items
        self._settings, self._source, self._validate = settings, source, validate
        self._batches = Batches(
            histories, settings["examples"], history=settings["history"], size=settings["batch"]
        )
        rng = np.random.default_rng(settings["seed"])
        self._stream = self._batches.endless(rng)
        self._drawing = torch.Generator().manual_seed(settings["seed"])
        self._optimizer = torch.optim.Adam(network.parameters(), betas=(0.9, 0.98))
        self._average = WeightAverage(network.state_dict(), AVERAGED)
        self._step, self._seconds = 0, 0.0
        self.kept = copied(network.state_dict())
        self.curve: list[dict[str, float]] = []

    @property
    def best(self) -> float:
        """The highest figure of a validation; 0 where there was none."""
        return max((point["ndcg@10"] for point in self.curve), default=0.0)

    def go_on(self, minutes: float | None, *, last: bool) -> None:
        """Train for so many minutes, or until all epochs are done.

        :param last: let the learning rate fall to nothing until then. Otherwise it stays, and a
            network that is no longer getting better stops earlier, at its best weights.
        """
        begun, first, before = time.monotonic(), self._step, self._seconds
        steps = self._settings["epochs"] * len(self._batches) - first
        validated, improved, worse = begun, begun, 0
        while True:
            now = time.monotonic()
            self._seconds = before + now - begun
            done = (self._step - first) / steps if steps else 1.0
            if minutes is not None:
                done = max(done, (now - begun) / (60 * minutes) if minutes > 0 else 1.0)
            if done < 1:
                falling = 0.5 * (1 + math.cos(math.pi * done)) if last else 1.0
                self._learn(next(self._stream), falling)
            if done >= 1 or now - validated >= self._settings["validate_every"]:
                if self._kept_better():
                    improved, worse = time.monotonic(), 0
                else:
                    worse += 1
                validated = time.monotonic()
            if done >= 1:
                return
            if not last and self._stalled(validated - improved, worse):
                self._network.load_state_dict(self.kept)
                self._average = WeightAverage(self.kept, AVERAGED)
                return

    def _stalled(self, seconds: float, worse: int) -> bool:
        chosen = self._settings
        return bool(worse >= chosen["patience"] and seconds >= chosen["patience_seconds"])

    def _kept_better(self) -> bool:
        """Validate the averaged weights, and keep them if none were better."""
        if self._validate is None:
            self.kept = self._average.weights
            return True
        epochs = self._step / max(len(self._batches), 1)
        figure = self._validate(self._average.weights)
        better = figure > self.best or not self.curve
        point = {"epoch": round(epochs, 2), "seconds": round(self._seconds, 1), "ndcg@10": figure}
        self.curve.append(point)
        if better:
            self.kept = copied(self._average.weights)
        return better

    def _learn(self, rows: Tensor, falling: float) -> None:
        chosen = self._settings
        warm = min(1.0, (self._step + 1) / WARM_UP)
        for group in self._optimizer.param_groups:
            group["lr"] = chosen["learning_rate"] * warm * falling
        self._source.reseed(chosen["seed"], self._step)
        table = self._network.item_model.get_all_embeddings()
        hidden = self._network.encode_sessions({"x": rows[:, :-1]}, table)
        if chosen["examples"] == "prefix":
            loss = self._loss(hidden[:, -1], rows[:, -1], table)
        else:
            loss = self._loss(hidden.flatten(0, 1), rows[:, 1:].flatten(), table)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self._step += 1
        self._average.update(self._network.state_dict(), self._step)

    def _loss(self, hidden: Tensor, wanted: Tensor, table: Tensor) -> Tensor:
        if self._settings["loss"] == "softmax":
            return F.cross_entropy(hidden @ table[1:].T, wanted - 1)
        count = (self._settings["negatives"],)
        drawn = torch.randint(1, self._n_items + 1, count, generator=self._drawing)
        others = hidden @ table[drawn].T
        others = others.masked_fill(drawn[None] == wanted[:, None], -torch.inf)
        target = (hidden * table[wanted]).sum(1, keepdim=True)
        logits = torch.cat([target, others], dim=1)
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))


class Batches:
    """Examples of like length side by side: rows of the embeddings, the newest last.

    :param examples: a history is one example (``every``), or each of its prefixes is (``prefix``).
    :param history: at most so many events before the last count.
    :param size: at most so many examples in a batch.
    """

    def __init__(
        self, histories: Histories, examples: Examples, *, history: int, size: int
    ) -> None:
        offsets = np.asarray(histories.offsets, dtype=np.int64)
        self._rows = np.asarray(histories.items, dtype=np.int64) + 1
        if examples == "prefix":
            ends = np.arange(1, len(self._rows) + 1)
            lengths = ends - np.repeat(offsets[:-1], np.diff(offsets))
        else:
            ends, lengths = offsets[1:], np.diff(offsets)
        told = np.flatnonzero(lengths > 1)
        self._ends = ends[told]
        self._lengths = np.minimum(lengths[told], history + 1)
        self._cuts = self._cut(np.sort(self._lengths), size)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return len(self._cuts)

    def endless(self, rng: np.random.Generator) -> Iterator[Tensor]:
        """``int64[examples, shortest]``, one batch after the other, in another order each epoch."""
        while True:
            order = np.lexsort([rng.random(len(self._lengths)), self._lengths])
            for turn in rng.permutation(len(self._cuts)):
                start, stop = self._cuts[turn]
                chosen = order[start:stop]
                shortest = self._lengths[chosen[0]]
                places = self._ends[chosen][:, None] - np.arange(shortest, 0, -1)
                yield torch.from_numpy(self._rows[places])

    @staticmethod
    def _cut(lengths: Ints, size: int) -> list[tuple[int, int]]:
        """Where batches begin and end among the lengths, the shortest first."""
        cuts, start = [], 0
        while start < len(lengths):
            shortest = int(lengths[start])
            alike = int(np.searchsorted(lengths, shortest * LONGER, side="right"))
            stop = min(alike, start + min(size, max(1, POSITIONS // shortest)))
            cuts.append((start, stop))
            start = stop
        return cuts
