"""The training loop: steps, validation, the best weights kept, stop and resume."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs
from torch import Tensor
from torch.optim import AdamW

from p5rec.errors import TrainingError
from p5rec.model.dropout import RandomBytes
from p5rec.model.recipe import Task, Training
from p5rec.model.weight_average import WeightAverage, Weights, copied
from p5rec.progress import Bar
from p5rec.training.batch import Examples
from p5rec.training.checkpoint import Progress, load_checkpoint, save_checkpoint
from p5rec.training.objective import Objective
from p5rec.training.schedule import MAIN_TASK, WRITTEN_TASKS, Step, epoch_steps
from p5rec.training.weights import in_place, put, trainable

SECONDS_BETWEEN_SAVES = 60.0
NOTE_EVERY = 20


@dataclass(frozen=True)
class Run:
    """What is trained, on what, and where the state of the run is kept.

    :param random: the source of the model's dropout.
    :param validate: gives ndcg@10 of the weights as they are; None trains without validation.
    :param folder: where the state is kept so that it can be resumed; None keeps nothing.
    :param signature: says what run it is; a state with another signature is not resumed.
    :param max_minutes: training stops when so much time is spent, earlier parts of a resumed run
        included; where the epochs would take longer, the learning rate falls and validation comes
        by the clock.
    """

    objective: Objective
    random: RandomBytes
    tasks: Mapping[Task, Examples]
    settings: Training
    seed: int
    signature: str = ""
    validate: Callable[[], float] | None = None
    folder: Path | None = None
    max_minutes: float | None = None


def train(run: Run, bar: Bar, *, resume: bool = False) -> Progress:
    """Train to the end (with ``resume``, go on to it); the objective keeps the best weights.

    The weights after a step are a function of recipe, data, seed and step, on one machine: the
    order of examples comes from (seed, epoch) and every random draw from (seed, step). So a run
    that is killed and resumed ends with the same weights, bit for bit. Where ``max_minutes`` ends
    it before the epochs do, they depend on the clock, too.

    :raises TrainingError: if the loss is not finite, or there is a state that cannot be used.
    :raises KeyboardInterrupt: after Ctrl-C, when the state has been saved.
    """
    trainer = _Trainer(run, bar)
    if resume:
        trainer.resume()
    with _interruptible() as interrupted:
        trainer.go(interrupted)
    trainer.take_best()
    return trainer.progress


def learning_rate_factor(fraction: float, warmup: float) -> float:
    """Linear warm-up, then half a cosine down to zero.

    >>> [round(learning_rate_factor(f, 0.1), 3) for f in (0.05, 0.1, 0.55, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if fraction < warmup:
        return fraction / warmup
    return 0.5 * (1 + math.cos(math.pi * (fraction - warmup) / (1 - warmup)))


class _Trainer:
    """One run: its optimiser, the average of its weights, and how far it has come."""

    def __init__(self, run: Run, bar: Bar) -> None:
        self._run = run
        self._bar = bar
        self._optimizer = _make_optimizer(run.objective, run.settings)
        self._accelerator = Accelerator(
            kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)]
        )
        self._objective, self._prepared = self._accelerator.prepare(run.objective, self._optimizer)
        self._average = WeightAverage(trainable(run.objective), run.settings.average)
        self._best: Weights = {}
        self._losses: list[float] = []
        self.progress = Progress(signature=run.signature)

    def resume(self) -> None:
        if self._run.folder is None:
            raise TrainingError("there is no folder to resume from. Give the run a folder.")
        found = load_checkpoint(
            self._run.folder, self._run.signature, self._run.objective, self._optimizer
        )
        if found:
            self.progress, kept = found
            learnt = trainable(self._run.objective)
            for name, value in kept.items():
                place, _, weight = name.partition("/")
                weights = self._best if place == "best" else self._average.weights
                weights[weight] = value.to(learnt[weight].device)

    def go(self, interrupted: list[bool]) -> None:
        if self.progress.finished:
            return
        note_time = self._clock()
        saved = time.monotonic()
        for step, fraction, fraction_after in self._remaining():
            self._step(step, self._done(fraction))
            note_time()
            self._validate_if_due(self._done(fraction_after))
            note_time()
            now = time.monotonic()
            stop = self._done_early()
            if stop or interrupted or now - saved > SECONDS_BETWEEN_SAVES:
                self._save()
                saved = now
            if interrupted:
                raise KeyboardInterrupt
            if stop:
                break
        if self.progress.validated_at < self.progress.step:
            self._validate()
            note_time()
        self.progress.finished = True
        self._save()

    def take_best(self) -> None:
        put(self._run.objective, self._best or self._average.weights)
        self._run.objective.eval()

    def _clock(self) -> Callable[[], None]:
        """What writes down the time spent so far, earlier parts of a resumed run included."""
        progress = self.progress
        begun = time.monotonic() - progress.seconds
        cpu_begun = time.process_time() - progress.cpu_seconds

        def note_time() -> None:
            progress.seconds = time.monotonic() - begun
            progress.cpu_seconds = time.process_time() - cpu_begun

        return note_time

    def _done(self, by_epochs: float) -> float:
        """The share of the run that is done, by epochs or by the clock, whichever ends it first."""
        return max(by_epochs, min(self._by_clock(), 1.0))

    def _by_clock(self) -> float:
        """The share of the time allowed that is spent; above 1 it is out."""
        if self._run.max_minutes is None:
            return 0.0
        return self.progress.seconds / max(60 * self._run.max_minutes, 1e-9)

    def _remaining(self) -> Iterator[tuple[Step, float, float]]:
        """The steps still to make, each with the shares of the epochs done before and after it.

        Progress counts a step as made once it was yielded. On several devices each process takes
        its own step of every round.
        """
        settings, progress = self._run.settings, self.progress
        share, own = self._accelerator.num_processes, self._accelerator.process_index
        epochs = max(settings.epochs, settings.least_steps * share / len(self._epoch(0)))
        for epoch in range(progress.epoch, math.ceil(epochs)):
            steps = self._epoch(epoch)
            rounds = max(1, len(steps) // share)
            for number in range(progress.step_in_epoch, rounds):
                fraction = (epoch + number / rounds) / epochs
                if fraction >= 1:
                    return
                progress.epoch, progress.step_in_epoch = epoch, number + 1
                progress.step += 1
                after = (epoch + (number + 1) / rounds) / epochs
                yield steps[(number * share + own) % len(steps)], fraction, after
            progress.epoch, progress.step_in_epoch = epoch + 1, 0

    def _epoch(self, epoch: int) -> list[Step]:
        run = self._run
        return epoch_steps(
            run.tasks,
            run.settings.tasks,
            budget=run.settings.batch_tokens,
            seed=run.seed,
            epoch=epoch,
        )

    def _step(self, step: Step, fraction: float) -> None:
        run, number = self._run, self.progress.step
        self._set_learning_rates(step.task, fraction)
        run.random.reseed(run.seed, number)
        torch.manual_seed(run.seed * 1_000_003 + number)
        self._objective.train()
        loss = self._objective(step.batch())
        value = float(loss.detach())
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss is {value} at step {number} ({step.task}): training has diverged. "
                "Train again with a lower learning_rate in the recipe."
            )
        self._accelerator.backward(loss)
        self._accelerator.clip_grad_norm_(self._objective.parameters(), run.settings.clip)
        self._prepared.step()
        self._prepared.zero_grad(set_to_none=True)
        self._average.update(trainable(run.objective), number)
        self._note(step.task, value, fraction)

    def _set_learning_rates(self, task: Task, fraction: float) -> None:
        settings = self._run.settings
        peak = settings.learning_rate
        if task != MAIN_TASK:
            peak = settings.language_learning_rate or peak
        if task in WRITTEN_TASKS:
            peak = settings.writing_learning_rate or peak
        factor = learning_rate_factor(fraction, settings.warmup)
        for group in self._optimizer.param_groups:
            group["lr"] = factor * (settings.prior_learning_rate if group["prior"] else peak)

    def _note(self, task: str, loss: float, fraction: float) -> None:
        if task == MAIN_TASK:
            self._losses.append(loss)
        if self.progress.step % NOTE_EVERY == 0 and self._losses:
            mean = sum(self._losses) / len(self._losses)
            self._losses.clear()
            self.progress.curve.append({"step": self.progress.step, "loss": mean})
            speed = self.progress.step / max(self.progress.seconds, 1e-9)
            best = f", ndcg@10 {self.progress.best:.4f}" if self.progress.best >= 0 else ""
            self._bar.update(fraction, f"loss {mean:.3f}{best}, {speed:.1f} steps/s")

    def _validate_if_due(self, fraction: float) -> None:
        if math.floor(fraction * self._run.settings.validations + 1e-9) > self.progress.validated:
            self._validate()

    def _validate(self) -> None:
        progress = self.progress
        progress.validated += 1
        progress.validated_at = progress.step
        if self._run.validate is None:
            return
        self._run.objective.eval()
        with in_place(self._run.objective, self._average.weights):
            score = self._run.validate()
        progress.curve.append({"step": progress.step, "ndcg@10": score})
        progress.since_best += 1
        if score > progress.best:
            progress.best, progress.since_best = score, 0
        if score >= progress.best * (1 - self._run.settings.tolerance):
            progress.best_step = progress.step
            self._best = copied(self._average.weights)

    def _done_early(self) -> bool:
        return self._by_clock() > 1 or self.progress.since_best >= self._run.settings.patience

    def _save(self) -> None:
        if self._run.folder is not None and self._accelerator.is_main_process:
            kept = {f"best/{name}": value for name, value in self._best.items()}
            kept |= {f"average/{name}": value for name, value in self._average.weights.items()}
            save_checkpoint(
                self._run.folder, self.progress, self._run.objective, self._optimizer, kept
            )


def _make_optimizer(objective: Objective, settings: Training) -> AdamW:
    """AdamW; no decay for vectors, and a learning rate of its own for the history prior."""
    prior: list[Tensor] = []
    matrices: list[Tensor] = []
    vectors: list[Tensor] = []
    for name, weight in trainable(objective).items():
        group = prior if ".prior." in name else matrices if weight.dim() > 1 else vectors
        group.append(weight)
    groups = [
        {"params": matrices, "prior": False, "weight_decay": settings.weight_decay},
        {"params": vectors, "prior": False, "weight_decay": 0.0},
    ]
    if prior:
        groups.append({"params": prior, "prior": True, "weight_decay": 0.0})
    return AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))


@contextmanager
def _interruptible() -> Iterator[list[bool]]:
    """Within the block, the first Ctrl-C only fills the list; the second does as always."""
    pressed: list[bool] = []

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(True)
        signal.signal(signal.SIGINT, before)

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:
        # Only the main thread may listen for signals; elsewhere Ctrl-C is not ours to handle.
        yield pressed
        return
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
