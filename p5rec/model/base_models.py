"""The language models to begin with: small ones, or pretrained ones from elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from p5rec.errors import RecipeError
from p5rec.model.minis import make_mini
from p5rec.model.recipe import Base
from p5rec.progress import quiet_transformers
from p5rec.prompting.tokenizer_training import train_tokenizer


@dataclass
class BaseModel:
    """A language model and its tokenizer, before item tokens are added."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast

    @property
    def size(self) -> int:
        """Rows of its embedding; item tokens come after them."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    def fingerprint(self) -> str:
        """SHA-256 over names and values of all weights: tells whether two bases are the same."""
        digest = hashlib.sha256()
        for name, weight in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def load_base(base: Base, *, texts: Iterable[str], seed: int) -> BaseModel:
    """The base model that a recipe asks for.

    :param texts: what a mini's tokenizer is trained on: the catalogue and the templates.
    :param seed: decides the first weights of a mini.
    :raises RecipeError: if a pretrained model can be found neither in a folder, nor on the hub,
        nor in the Python package that the recipe names.
    """
    if base.mini is not None:
        kind: Any = "t5" if base.family == "t5" else "gpt2"
        tokenizer = train_tokenizer(texts, kind=kind, vocab_size=base.mini.text_tokens)
        return BaseModel(make_mini(base, len(tokenizer), seed=seed), tokenizer)
    return _pretrained(base)


def _pretrained(base: Base) -> BaseModel:
    assert base.name is not None
    kind = AutoModelForSeq2SeqLM if base.family == "t5" else AutoModelForCausalLM
    try:
        with quiet_transformers():
            _check_family(base, AutoConfig.from_pretrained(base.name))
            return BaseModel(
                kind.from_pretrained(base.name, dtype=torch.float32, use_safetensors=True),
                AutoTokenizer.from_pretrained(base.name),
            )
    except (OSError, ValueError, SafetensorError) as error:
        file = _packaged_gguf(base.package)
        if file is None:
            raise RecipeError(_not_found(base, error)) from error
    with quiet_transformers():
        where = {"pretrained_model_name_or_path": str(file.parent), "gguf_file": file.name}
        model = kind.from_pretrained(**where, dtype=torch.float32)
        _check_family(base, model.config)
        return BaseModel(model, AutoTokenizer.from_pretrained(**where))


def _check_family(base: Base, config: PreTrainedConfig) -> None:
    found = config.model_type if config.model_type in ("gpt2", "t5") else "llama"
    if found != base.family:
        raise RecipeError(
            f"the recipe says family {base.family!r}, but {base.name} is a "
            f"{config.model_type} model. Set base.family to {found!r}."
        )


def _packaged_gguf(package: str | None) -> Path | None:
    spec = find_spec(package) if package else None
    folders = spec.submodule_search_locations if spec else None
    files = [file for folder in folders or () for file in sorted(Path(folder).glob("*.gguf"))]
    return files[0] if files else None


def _not_found(base: Base, error: Exception) -> str:
    offline = " (HF_HUB_OFFLINE is set)" if os.environ.get("HF_HUB_OFFLINE") == "1" else ""
    remedy = f" Or install the package {base.package}, which carries it." if base.package else ""
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return (
        f"the base model {base.name!r} cannot be loaded from a folder or the hub{offline}: "
        f"{reason}. Give the path of a local folder with its config.json and *.safetensors, or "
        f"use a recipe that needs no download: gpt2-mini, t5-mini.{remedy}"
    )
