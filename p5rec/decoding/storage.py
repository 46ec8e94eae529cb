"""An assembled model as the files of a bundle, and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from p5rec.data.catalogue import Catalogue
from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.adapter_files import KIND as ADAPTER
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.companions import Companions
from p5rec.decoding.trie_files import open_trie, save_trie
from p5rec.errors import BundleError
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.base_models import BaseModel, load_base
from p5rec.model.bundle import open_bundle, writing_bundle
from p5rec.model.fitted_ids import CATALOGUE, SEMANTIC_IDS
from p5rec.model.minis import make_mini
from p5rec.model.recipe import Recipe
from p5rec.prompting.dumping import dump_templates
from p5rec.prompting.templates import load_templates

WEIGHTS = "adapter/adapter.safetensors"
WORDING = "wording.json"
COMPANIONS = "companions.safetensors"
TRIE = "trie"


def save_model(model: AssembledModel, path: Path, about: dict[str, Any]) -> None:
    """Write a bundle.

    :param about: what the manifest says besides (metrics, what it was trained on): JSON-able.
    :raises BundleError: if ``path`` cannot be written; what was there before stays.
    """
    with writing_bundle(path, {**about, "base_sha256": model.base_fingerprint}) as folder:
        (folder / "recipe.json").write_text(model.recipe.model_dump_json(indent=2))
        pq.write_table(model.catalogue.table, folder / CATALOGUE)
        save_arrays(model.ids.to_arrays(), folder / SEMANTIC_IDS)
        (folder / "prompts").mkdir()
        for name, text in dump_templates(model.templates).items():
            (folder / "prompts" / name).write_text(text, encoding="utf-8")
        if model.wording is not None:
            told = json.dumps(model.wording, ensure_ascii=False)
            (folder / WORDING).write_text(told, encoding="utf-8")
        model.base.tokenizer.save_pretrained(folder / "tokenizer")
        save_trie(model.scorer.trie, folder / TRIE)
        (folder / WEIGHTS).parent.mkdir()
        save_file(_weights(model), folder / WEIGHTS)
        prior = model.scorer.prior
        if prior is not None and prior.companions is not None:
            save_arrays(prior.companions.to_arrays(), folder / COMPANIONS)


def load_model(path: Path) -> tuple[AssembledModel, dict[str, Any]]:
    """Read a bundle; nothing is used before every file was checked.

    :return: the model and the manifest.
    :raises BundleError: if the bundle is incomplete or changed, or its base model is another one.
    :raises RecipeError: if its pretrained base model cannot be found.
    """
    manifest = open_bundle(path)
    if manifest.get("kind") == ADAPTER:
        raise BundleError(
            f"{path} is an adapter and brings no catalogue. Load it with from_adapter, which takes "
            "events and items."
        )
    if not (path / "recipe.json").is_file():
        raise BundleError(
            f"{path} holds semantic IDs and no model. Give the folder that `p5rec fit --out` wrote."
        )
    stored = json.loads((path / "recipe.json").read_text(encoding="utf-8"))
    recipe = Recipe.model_validate(stored)
    catalogue = Catalogue(pq.read_table(path / CATALOGUE))
    model = AssembledModel.build(
        recipe,
        catalogue,
        SemanticIDs.from_arrays(load_arrays(path / SEMANTIC_IDS)),
        load_templates(path / "prompts"),
        pristine_base(recipe, PreTrainedTokenizerFast.from_pretrained(path / "tokenizer")),
        counts=ItemCounts.none(len(catalogue)),
        companions=_companions(path / COMPANIONS),
        seed=0,
        # Every byte was compared with the manifest already; bundles of before hold no trie.
        trie=open_trie(path / TRIE, check=False) if (path / TRIE).is_dir() else None,
    )
    if model.base_fingerprint != manifest["base_sha256"]:
        raise BundleError(
            f"the base model {recipe.base.name} is not the one that this bundle was trained on: "
            "its weights differ. Put the same model there, or fit again."
        )
    if (path / WORDING).exists():
        model.wording = json.loads((path / WORDING).read_text(encoding="utf-8"))
    _restore(model, load_file(path / WEIGHTS), path)
    return model, manifest


def _companions(path: Path) -> Companions | None:
    if not path.exists():
        return None
    try:
        return Companions.from_arrays(load_arrays(path))
    except KeyError as missing:
        raise BundleError(
            f"{path} was written by an earlier version: it lacks {missing}. "
            "Fit again with this version of p5rec."
        ) from missing


def pristine_base(recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> BaseModel:
    """The base model of a recipe as it was before item tokens; a mini's weights are to be copied.

    :param tokenizer: of a mini; a pretrained model comes with its own.
    :raises RecipeError: if a pretrained model cannot be found.
    """
    if recipe.base.mini is None:
        return load_base(recipe.base, texts=(), seed=0)
    return BaseModel(make_mini(recipe.base, len(tokenizer), seed=0), tokenizer)


def copy_weights(one: AssembledModel, other: AssembledModel, *, but: Sequence[str] = ()) -> None:
    """Give a model what another one learned, as far as shapes agree.

    :param but: weights with any of these in their names stay as they are.
    """
    learned = _weights(one)
    with torch.no_grad():
        for name, value in [*other.scorer.named_parameters(), *other.scorer.named_buffers()]:
            left_out = any(part in name for part in but)
            if name in learned and learned[name].shape == value.shape and not left_out:
                value.copy_(learned[name])


def _weights(model: AssembledModel) -> dict[str, Tensor]:
    """What training changed, and what the prior knows of the training events."""
    scorer = model.scorer
    kept = {name: value for name, value in scorer.named_parameters() if value.requires_grad}
    known = {}
    if scorer.prior is not None:
        buffers = {name for name, _ in scorer.prior.named_buffers()}
        known = {f"prior.{n}": v for n, v in scorer.prior.state_dict().items() if n in buffers}
    return {name: value.detach().cpu().contiguous() for name, value in {**kept, **known}.items()}


def _restore(model: AssembledModel, stored: dict[str, Tensor], path: Path) -> None:
    expected = _weights(model)
    shapes, found = ({n: v.shape for n, v in part.items()} for part in (expected, stored))
    if shapes != found:
        odd = sorted({name for name, _ in shapes.items() ^ found.items()})
        raise BundleError(
            f"{path / WEIGHTS} does not hold the weights of this model: {', '.join(odd[:3])}. "
            "Fit again with this version of p5rec."
        )
    with torch.no_grad():
        for name, value in [*model.scorer.named_parameters(), *model.scorer.named_buffers()]:
            if name in stored:
                value.copy_(stored[name])
    model.scorer.eval()
