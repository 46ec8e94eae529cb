"""The training loop: kill, interrupt, resume, stop early, diverge, and learn."""

import dataclasses
import itertools
import math
import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_worlds import FAMILIES, round_trip_histories
from training_runs import equal, go, make_run, weights

from p5rec.errors import TrainingError
from p5rec.progress import SILENT
from p5rec.training import loop
from p5rec.training.checkpoint import FILE

RESUMED = ("gpt2", "t5")


@pytest.fixture(autouse=True)
def _saves_after_each_step(monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", -1.0)


@pytest.fixture(scope="module")
def whole():
    """Weights and progress of runs that nothing interrupts."""
    made = {}
    for family in RESUMED:
        _, run = make_run(family)
        progress = go(run)
        made[family] = (weights(run), progress)
    return made


def killed_at(folder, family, place, number):
    """Run in a process of its own that is killed at the given place; false if it got to the end."""
    child = os.fork()
    if child == 0:
        try:
            calls = []

            def instead(original):
                def call(*args, **kwargs):
                    calls.append(args)
                    if len(calls) == number:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return original(*args, **kwargs)

                return call

            owner, name = place
            setattr(owner, name, instead(getattr(owner, name)))
            _, run = make_run(family, folder=folder)
            go(run, resume=True)
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


STEP = (loop._Trainer, "_step")
WRITING = (loop, "save_checkpoint")
REPLACING = (Path, "replace")


def check_resume(whole, family, folder, kills):
    for place, number in kills:
        assert killed_at(folder, family, place, number)
    _, run = make_run(family, folder=folder)
    progress = go(run, resume=True)
    expected, expected_progress = whole[family]
    assert equal(weights(run), expected)
    differing = {"seconds", "cpu_seconds", "curve"}
    assert {k: v for k, v in dataclasses.asdict(progress).items() if k not in differing} == {
        k: v for k, v in dataclasses.asdict(expected_progress).items() if k not in differing
    }
    assert os.listdir(folder) == [FILE]


not_forked = pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA dies where it is forked")


@not_forked
@pytest.mark.parametrize(
    "kills",
    [
        [(STEP, 1)],
        [(STEP, 5)],
        [(WRITING, 4)],
        [(REPLACING, 6)],
        [(REPLACING, 1), (STEP, 3), (STEP, 3), (REPLACING, 2)],
    ],
    ids=["first step", "a step", "before writing", "while writing", "again and again"],
)
@pytest.mark.parametrize("family", RESUMED)
def test_a_killed_run_goes_on_to_the_same_weights(whole, tmp_path, family, kills):
    check_resume(whole, family, tmp_path, kills)


@not_forked
@pytest.mark.slow
@pytest.mark.parametrize("family", RESUMED)
def test_a_run_killed_anywhere_goes_on_to_the_same_weights(whole, tmp_path, family):
    last = whole[family][1].step
    for number in range(1, last + 1):
        for place in (STEP, WRITING, REPLACING):
            folder = tmp_path / f"{number}-{place[1]}"
            folder.mkdir()
            check_resume(whole, family, folder, [(place, number)])


@not_forked
def test_a_resumed_run_counts_the_time_of_its_earlier_parts(tmp_path):
    assert killed_at(tmp_path, "gpt2", STEP, 3)
    _, run = make_run("gpt2", folder=tmp_path)
    with SILENT.bar("") as bar:
        trainer = loop._Trainer(run, bar)
    trainer.resume()
    trainer.progress.seconds, trainer.progress.cpu_seconds = 7000.0, 9000.0
    trainer._save()
    progress = go(run, resume=True)
    assert 7000 < progress.seconds < 7000 + 600
    assert 9000 < progress.cpu_seconds < 9000 + 600


def test_a_finished_run_is_only_read(whole, tmp_path):
    _, run = make_run("gpt2", folder=tmp_path)
    go(run)
    before = (tmp_path / FILE).read_bytes()
    _, again = make_run("gpt2", folder=tmp_path)
    assert go(again, resume=True).finished
    assert equal(weights(again), whole["gpt2"][0])
    assert (tmp_path / FILE).read_bytes() == before


def test_another_run_is_not_resumed(tmp_path):
    _, run = make_run(folder=tmp_path)
    go(run)
    _, other = make_run(folder=tmp_path)
    with pytest.raises(TrainingError, match="belongs to another run"):
        go(dataclasses.replace(other, signature="another"), resume=True)


def test_resuming_needs_a_folder():
    _, run = make_run()
    with pytest.raises(TrainingError, match="no folder to resume from"):
        go(run, resume=True)


def test_two_runs_are_equal_and_another_seed_is_not(whole):
    _, run = make_run()
    torch.manual_seed(123)
    np.random.seed(123)  # noqa: NPY002
    go(run)
    assert equal(weights(run), whole["gpt2"][0])
    _, other = make_run(seed=1)
    go(other)
    assert not equal(weights(other), whole["gpt2"][0])


def pressing(run, times, step):
    """The run with Ctrl-C pressed while the batch of the given step is made."""
    examples = run.tasks["next_item"]
    count = [0]

    class Pressed:
        def plan(self, rng):
            plan = examples.plan(rng)

            def make(chosen, rng):
                count[0] += 1
                if count[0] == step:
                    for _ in range(times):
                        signal.raise_signal(signal.SIGINT)
                return plan.make(chosen, rng)

            return dataclasses.replace(plan, make=make)

    return dataclasses.replace(run, tasks={**run.tasks, "next_item": Pressed()})


@pytest.fixture
def listening():
    """Ctrl-C is heard, as it is not in what a shell runs in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("listening")
def test_ctrl_c_saves_after_the_step_and_the_run_can_go_on(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", math.inf)
    before = signal.getsignal(signal.SIGINT)
    _, run = make_run(folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        go(pressing(run, 1, 3))
    assert signal.getsignal(signal.SIGINT) is before
    assert os.listdir(tmp_path) == [FILE]
    _, again = make_run(folder=tmp_path)
    go(again, resume=True)
    assert equal(weights(again), whole["gpt2"][0])


@pytest.mark.usefixtures("listening")
def test_a_second_ctrl_c_does_not_wait(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_SAVES", math.inf)
    before = signal.getsignal(signal.SIGINT)
    _, run = make_run(folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        go(pressing(run, 2, 2))
    assert signal.getsignal(signal.SIGINT) is before
    assert os.listdir(tmp_path) == []


def test_it_trains_in_a_thread_of_its_own_too(whole):
    _, run = make_run()
    thread = threading.Thread(target=go, args=(run,))
    thread.start()
    thread.join()
    assert equal(weights(run), whole["gpt2"][0])


class Scripted:
    """Validation that gives figures from a list and keeps the weights it saw."""

    def __init__(self, *figures):
        self.figures = list(figures)
        self.seen = []
        self.run = None

    def __call__(self):
        assert not self.run.objective.training
        self.seen.append(weights(self.run))
        return self.figures[len(self.seen) - 1]


def scripted_run(*figures, **settings):
    validate = Scripted(*figures)
    _, run = make_run(validate=validate, all_tasks=False, **settings)
    validate.run = run
    return run, validate


def test_it_stops_when_patience_is_out_and_keeps_the_best_weights():
    run, validate = scripted_run(0.2, 0.9, 0.5, 0.8, 0.95, 1.0, validations=6, patience=2, epochs=6)
    progress = go(run)
    assert len(validate.seen) == 4
    assert (progress.best, progress.since_best, progress.finished) == (0.9, 2, True)
    assert equal(weights(run), validate.seen[1])
    assert not equal(validate.seen[3], validate.seen[1])
    figures = [entry["ndcg@10"] for entry in progress.curve if "ndcg@10" in entry]
    assert figures == [0.2, 0.9, 0.5, 0.8]


@pytest.mark.parametrize("figures", [(0.1, 0.2, 0.3), (0.3, 0.2, 0.1)])
def test_it_validates_as_often_as_it_should_the_end_included(figures):
    run, validate = scripted_run(*figures, validations=3, patience=5, epochs=3)
    progress = go(run)
    assert len(validate.seen) == 3
    assert equal(weights(run), validate.seen[int(np.argmax(figures))])
    assert progress.curve[-1]["step"] == progress.step


def test_without_validation_the_last_weights_stay():
    _, run = make_run(validate=False)
    progress = go(run)
    assert (progress.best, progress.finished) == (-1.0, True)


@pytest.mark.parametrize("minutes", [0, 1e-9])
def test_it_stops_when_time_is_out(minutes):
    _, run = make_run()
    progress = go(dataclasses.replace(run, max_minutes=minutes))
    assert (progress.step, progress.finished) == (1, True)


def test_a_run_that_the_clock_ends_cools_down_and_validates_by_the_clock(monkeypatch):
    told, ticks = [], itertools.count()
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(ticks)))
    monkeypatch.setattr(
        loop, "learning_rate_factor", lambda done, warmup: told.append(done) or 1 - done
    )
    run, validate = scripted_run(0.1, 0.2, 0.3, validations=3, patience=5, epochs=50)
    progress = go(dataclasses.replace(run, max_minutes=0.5))
    assert len(validate.seen) == 3
    assert told == sorted(told)
    assert (told[0], told[-1]) == (pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1))
    assert progress.step < 30


def test_part_of_an_epoch_is_trained_in_part():
    _, run = make_run(epochs=1, validate=False)
    _, half = make_run(epochs=0.5, validate=False)
    assert go(half).step == pytest.approx(go(run).step / 2, abs=1)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run(value):
    world, run = make_run(all_tasks=False)
    with torch.no_grad():
        world.model.item_model.backbone.table.weight.fill_(value)
    with pytest.raises(TrainingError, match=r"at step 1 \(next_item\).*lower learning_rate"):
        go(run)


def test_a_learning_rate_out_of_all_bounds_stops_the_run():
    _, run = make_run(all_tasks=False, learning_rate=1e30, epochs=20, validate=False)
    with pytest.raises(TrainingError, match=r"training has diverged"):
        go(run)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_trainable_weight_is_reached(family):
    _, run = make_run(family, apart=False, validate=False, warmup=0.0, weight_decay=0.0)
    before = weights(run)
    go(run)
    after = weights(run)
    still = [name for name in before if torch.equal(before[name], after[name])]
    assert still == []


@pytest.mark.parametrize("family", FAMILIES)
def test_it_learns_what_comes_next_by_heart(family):
    world, run = make_run(
        family,
        all_tasks=False,
        validate=False,
        prior=False,
        dropout=0.0,
        epochs=100,
        batch_tokens=400,
        learning_rate=1e-2,
    )
    go(run)
    histories, cycle = world.histories, round_trip_histories()[1]
    place = np.argsort(cycle)
    for events in range(1, 9):
        seen = histories.where(np.arange(len(histories.items)) % 9 < events)
        last = seen.items[seen.offsets[1:] - 1]
        ranked = world.model.ranker().rank(seen, k=1)[:, 0]
        assert ranked.tolist() == cycle[(place[last] + 1) % 12].tolist()
