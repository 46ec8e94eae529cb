"""A trained adapter as files: what was learnt, without the catalogue that it was learnt on.

Item tokens mean what the semantic IDs of that catalogue say, so an adapter fits only a catalogue
that gets the same ones. Trie and counts are made from the catalogue and the log again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from p5rec import resources
from p5rec.decoding.assembled import AssembledModel
from p5rec.errors import BundleError
from p5rec.hints import did_you_mean
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.bundle import open_bundle, writing_bundle
from p5rec.model.recipe import Recipe
from p5rec.prompting.dumping import dump_templates
from p5rec.prompting.templates import TemplateSet, load_templates

KIND = "adapter"
WEIGHTS = "adapter.safetensors"
CARD = "README.md"
_SETTLED = ("mean", "scale", "lending")
"""What the history prior takes from a sample of the training events, or at the end of a fit."""


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter whose every file has been checked."""

    path: Path
    manifest: dict[str, Any]
    recipe: Recipe
    templates: TemplateSet


def save_adapter(model: AssembledModel, path: Path, about: dict[str, Any], *, card: str) -> None:
    """Write what training changed: matrices in half precision, the rest as it is.

    :param about: what the manifest says besides, such as what it was trained on: JSON-able.
    :param card: the model card: data, licence, training command and figures.
    :raises BundleError: if ``path`` cannot be written, or the model is no adapter of a pretrained
        one.
    """
    if model.base_fingerprint is None or model.recipe.adapter.method != "lora":
        raise BundleError(
            f"recipe {model.recipe.name} trains a whole model, which is no adapter. Use "
            "save_pretrained."
        )
    known = {
        **about,
        "kind": KIND,
        "base_sha256": model.base_fingerprint,
        "ids_sha256": ids_fingerprint(model.ids),
    }
    with writing_bundle(path, known) as folder:
        (folder / "recipe.json").write_text(model.recipe.model_dump_json(indent=2))
        (folder / "prompts").mkdir()
        for name, text in dump_templates(model.templates).items():
            (folder / "prompts" / name).write_text(text, encoding="utf-8")
        (folder / CARD).write_text(card, encoding="utf-8")
        save_file({name: _small(value) for name, value in _learnt(model).items()}, folder / WEIGHTS)


def find_adapter(name_or_path: str | Path) -> Path:
    """The folder of an adapter that ships, by name, or of one of your own.

    :raises BundleError: if there is none.
    """
    shipped = resources.trained()
    if str(name_or_path) in shipped:
        return resources.trained_folder(str(name_or_path))
    path = Path(name_or_path)
    if not path.is_dir():
        hint = did_you_mean(str(name_or_path), shipped)
        raise BundleError(
            f"there is no adapter {str(name_or_path)!r}.{hint} Known: "
            f"{', '.join(shipped) or 'none'}; or give the folder that save_adapter wrote."
        )
    return path


def open_adapter(path: Path) -> StoredAdapter:
    """Read an adapter's recipe and templates; nothing is used before every file was checked.

    :raises BundleError: if it is incomplete or changed, or is a bundle of another kind.
    """
    manifest = open_bundle(path)
    if manifest.get("kind") != KIND:
        raise BundleError(
            f"{path} is no adapter: it brings a catalogue of its own. Load it with from_pretrained."
        )
    stored = json.loads((path / "recipe.json").read_text(encoding="utf-8"))
    templates = load_templates(path / "prompts")
    return StoredAdapter(path, manifest, Recipe.model_validate(stored), templates)


def put_adapter(stored: StoredAdapter, model: AssembledModel) -> None:
    """Give a model that was assembled from the adapter's recipe what the adapter has learnt.

    :raises BundleError: if the catalogue's semantic IDs or the base model differ from those that
        it was trained with.
    """
    name, manifest = stored.path.name, stored.manifest
    if ids_fingerprint(model.ids) != manifest["ids_sha256"]:
        raise BundleError(
            f"the adapter {name} does not fit this catalogue: the semantic IDs of its "
            f"{len(model.ids)} items are not those that it was trained with. Give it the catalogue "
            "that its README.md names, or fit this one anew."
        )
    if model.base_fingerprint != manifest["base_sha256"]:
        raise BundleError(
            f"the base model {model.recipe.base.name} is not the one that the adapter {name} was "
            "trained on: its weights differ. Put the same model there."
        )
    learnt, found = _learnt(model), load_file(stored.path / WEIGHTS)
    odd = sorted(set(learnt) ^ set(found))
    odd += [key for key in learnt if key in found and learnt[key].shape != found[key].shape]
    if odd:
        raise BundleError(
            f"{stored.path / WEIGHTS} does not hold the weights of this model: "
            f"{', '.join(odd[:3])}. Train it again with this version of p5rec."
        )
    with torch.no_grad():
        for key, value in learnt.items():
            value.copy_(found[key])
    model.scorer.eval()


def ids_fingerprint(ids: SemanticIDs) -> str:
    """SHA-256 over the paths of all items and what their codes mean."""
    digest = hashlib.sha256(json.dumps([ids.levels, ids.labels]).encode())
    digest.update(np.ascontiguousarray(ids.codes, dtype="<i4").tobytes())
    return digest.hexdigest()


def _learnt(model: AssembledModel) -> dict[str, Tensor]:
    """What training changed, by name; none of it tells how often an item was chosen."""
    scorer = model.scorer
    found: dict[str, Tensor] = {
        name: weight for name, weight in scorer.named_parameters() if weight.requires_grad
    }
    found |= {
        name: value
        for name, value in scorer.named_buffers()
        if name.startswith("prior.") and name.rsplit(".", 1)[-1] in _SETTLED
    }
    return {name: value.detach() for name, value in found.items()}


def _small(value: Tensor) -> Tensor:
    """Half precision for matrices of the language model; numbers of the prior are few."""
    large = value.dim() > 1 and value.numel() >= 2**11
    return (value.to(torch.float16) if large else value).cpu().contiguous()
