"""Where a training run stands, in one file that is wholly old or wholly new."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from p5rec.errors import TrainingError
from p5rec.training.weights import trainable

FILE = "training.safetensors"


@dataclass
class Progress:
    """How far a run has come; ``signature`` says what run it is.

    ``cpu_seconds`` counts every core, ``seconds`` is the clock's.
    """

    signature: str
    epoch: int = 0
    step_in_epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    best: float = -1.0
    best_step: int = 0
    since_best: int = 0
    validated: int = 0
    validated_at: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False


def save_checkpoint(
    folder: Path,
    progress: Progress,
    module: nn.Module,
    optimizer: Optimizer,
    kept: dict[str, Tensor],
) -> None:
    """Write the run's state beside the old one, then put it in its place.

    :param kept: further tensors of the run, by name, such as the best weights so far.
    :raises TrainingError: if the folder cannot be written.
    """
    names = {id(weight): name for name, weight in trainable(module).items()}
    tensors = {f"weight/{name}": weight.detach() for name, weight in trainable(module).items()}
    tensors |= {f"kept/{name}": value for name, value in kept.items()}
    for weight, state in optimizer.state.items():
        for key, value in state.items():
            tensors[f"optimizer/{key}/{names[id(weight)]}"] = torch.as_tensor(value)
    tensors = {key: value.cpu().contiguous() for key, value in tensors.items()}
    about = {"progress": json.dumps(asdict(progress)), "sha256": _digest(tensors)}
    target, aside = folder / FILE, folder / f"{FILE}.new"
    try:
        save_file(tensors, aside, metadata=about)
        with aside.open("rb") as written:
            os.fsync(written.fileno())
        aside.replace(target)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise TrainingError(
            f"the state of the training run cannot be written to {target}: {error}. "
            "Make room or give a folder that can be written; the last state is untouched."
        ) from error


def forget(folder: Path) -> None:
    """Remove the state of a finished run; other files of the folder stay."""
    (folder / FILE).unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def load_checkpoint(
    folder: Path, signature: str, module: nn.Module, optimizer: Optimizer
) -> tuple[Progress, dict[str, Tensor]] | None:
    """Bring a module and its optimiser to where a run stood; None if there is no run to resume.

    :return: the progress and the tensors that were kept.
    :raises TrainingError: if the file is damaged or belongs to another run.
    """
    file = folder / FILE
    if not file.exists():
        return None
    try:
        with safe_open(file, framework="pt") as stored:
            about = stored.metadata()
            progress = Progress(**json.loads(about["progress"]))
            tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
            if _digest(tensors) != about["sha256"]:
                raise ValueError("its values have changed since they were written")
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingError(
            f"{file} is damaged and the run cannot be resumed: {error}. Delete it to start anew."
        ) from error
    if progress.signature != signature:
        raise TrainingError(
            f"{file} belongs to another run: its recipe, data or seed differ. Use the same ones, "
            "another folder, or delete the file to start anew."
        )
    _restore(tensors, module, optimizer)
    kept = {
        key.removeprefix("kept/"): value
        for key, value in tensors.items()
        if key.startswith("kept/")
    }
    return progress, kept


def _digest(tensors: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(name.encode())
        digest.update(value.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _restore(tensors: dict[str, Tensor], module: nn.Module, optimizer: Optimizer) -> None:
    state: dict[str, dict[str, Any]] = {}
    for key, value in tensors.items():
        part, _, name = key.partition("/")
        if part == "optimizer":
            key, _, name = name.partition("/")
            state.setdefault(name, {})[key] = value
    with torch.no_grad():
        for name, weight in trainable(module).items():
            weight.copy_(tensors[f"weight/{name}"])
            if name in state:
                optimizer.state[weight] = {
                    key: value if key == "step" else value.to(weight.device)
                    for key, value in state[name].items()
                }
