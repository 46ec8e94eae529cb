"""The state of a run: wholly old or wholly new, and of no other run."""

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from torch import nn
from torch.optim import AdamW

from p5rec.errors import TrainingError
from p5rec.training import checkpoint
from p5rec.training.checkpoint import FILE, Progress, load_checkpoint, save_checkpoint
from p5rec.training.weights import trainable


def made(seed):
    """A module with a frozen weight, its optimiser after two steps, and best weights."""
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    module[0].bias.requires_grad_(False)
    optimizer = AdamW([w for w in module.parameters() if w.requires_grad], lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        module(torch.randn(5, 3)).square().sum().backward()
        optimizer.step()
    best = {name: torch.randn_like(weight) for name, weight in trainable(module).items()}
    return module, optimizer, best


def values(module, optimizer):
    state = [
        torch.as_tensor(value)
        for weight in trainable(module).values()
        for _, value in sorted(optimizer.state[weight].items())
    ]
    return [*(weight.detach().clone() for weight in trainable(module).values()), *state]


def same(one, other):
    return len(one) == len(other) and all(map(torch.equal, one, other))


PROGRESS = Progress(
    "mine", epoch=1, step_in_epoch=4, step=9, seconds=1.5, best=0.1, best_step=7, since_best=1,
    validated=2, curve=[{"step": 3.0, "loss": 0.5}],
)  # fmt: skip


def test_everything_comes_back(tmp_path):
    module, optimizer, best = made(0)
    save_checkpoint(tmp_path, PROGRESS, module, optimizer, best)
    other, its_optimizer, _ = made(1)
    frozen = other[0].bias.clone()

    progress, its_best = load_checkpoint(tmp_path, "mine", other, its_optimizer)

    assert progress == PROGRESS
    assert same(values(other, its_optimizer), values(module, optimizer))
    assert its_best.keys() == best.keys()
    assert all(torch.equal(its_best[name], best[name]) for name in best)
    assert torch.equal(other[0].bias, frozen)
    assert os.listdir(tmp_path) == [FILE]


def test_without_a_state_there_is_nothing_to_resume(tmp_path):
    assert load_checkpoint(tmp_path, "mine", *made(0)[:2]) is None


def test_another_run_is_refused_and_nothing_is_changed(tmp_path):
    save_checkpoint(tmp_path, PROGRESS, *made(0))
    module, optimizer, _ = made(1)
    before = values(module, optimizer)
    with pytest.raises(TrainingError, match=r"belongs to another run.*recipe, data or seed"):
        load_checkpoint(tmp_path, "other", module, optimizer)
    assert same(values(module, optimizer), before)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: b"nonsense",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1],
        lambda data: data.replace(b"mine", b"mi\x00e"),
        lambda data: data.replace(b"step_in_epoch", b"step_on_epoch"),
        lambda data: data.replace(b"progress", b"regress_"),
        lambda data: data[:-20] + bytes([data[-20] ^ 1]) + data[-19:],
    ],
)
def test_a_damaged_file_is_refused_and_nothing_is_changed(tmp_path, damage):
    save_checkpoint(tmp_path, PROGRESS, *made(0))
    file = tmp_path / FILE
    file.write_bytes(damage(file.read_bytes()))
    module, optimizer, _ = made(1)
    before = values(module, optimizer)
    with pytest.raises(TrainingError, match=r"is damaged.*Delete it to start anew"):
        load_checkpoint(tmp_path, "mine", module, optimizer)
    assert same(values(module, optimizer), before)


FULL = OSError(errno.ENOSPC, "No space left on device")
RUST = SafetensorError("Error while serializing: I/O error: No space left (os error 28)")


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [(checkpoint, "save_file", RUST), (os, "fsync", FULL), (Path, "replace", FULL)],
)
def test_a_failing_write_leaves_the_old_state(tmp_path, monkeypatch, owner, name, error):
    save_checkpoint(tmp_path, PROGRESS, *made(0))
    before = (tmp_path / FILE).read_bytes()

    def refuse(*args, **kwargs):
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, refuse)
        with pytest.raises(TrainingError, match=r"cannot be written.*last state is untouched"):
            save_checkpoint(tmp_path, Progress("mine"), *made(1))
    assert (tmp_path / FILE).read_bytes() == before
    assert os.listdir(tmp_path) == [FILE]


def test_a_folder_that_is_gone_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"nowhere/training\.safetensors"):
        save_checkpoint(tmp_path / "nowhere", PROGRESS, *made(0))
