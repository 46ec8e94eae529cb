"""What the walk is measured on: models with random weights, catalogues and prompts."""

from __future__ import annotations

import numpy as np
import torch
from transformers import GPT2Config, GPT2LMHeadModel, T5Config, T5ForConditionalGeneration

from p5rec.decoding.beam import beam_search
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.base_models import BaseModel
from p5rec.model.item_model import extend_base
from p5rec.model.minis import make_mini
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.recipe import Adapter, Recipe
from p5rec.model.vocabulary import Vocabulary

K, BEAMS, PROMPT = 10, 20, 100
DEPTH, WIDTH = 4, 32


def build(name: str) -> torch.nn.Module:
    """A model of the size of ``name`` with random weights."""
    torch.manual_seed(0)
    if name == "gpt2":
        return GPT2LMHeadModel(GPT2Config(activation_function="gelu_pytorch_tanh")).eval()
    if name == "t5-small":
        return T5ForConditionalGeneration(T5Config(decoder_start_token_id=0)).eval()
    return make_mini(Recipe.load(name).base, 4096, seed=0).eval()


def semantic_ids(codes: np.ndarray) -> SemanticIDs:
    """Semantic IDs whose labels are numbers."""
    sizes = codes.max(axis=0) + 1
    return SemanticIDs(
        levels=(*(f"level{number}" for number in range(codes.shape[1] - 1)), "item"),
        codes=codes.astype(np.int32),
        labels=tuple(tuple(map(str, range(size))) for size in sizes),
    )


def grid_codes(n_items: int, *, depth: int, width: int, seed: int = 0) -> np.ndarray:
    """Random distinct paths of ``depth`` codes below ``width``, ``int32[n_items, depth]``."""
    rng = np.random.default_rng(seed)
    space = width**depth
    taken = (
        rng.permutation(space)[:n_items]
        if space <= 10 * n_items
        else _distinct(rng, n_items, space)
    )
    return np.stack([taken // width**level % width for level in reversed(range(depth))], 1).astype(
        np.int32
    )


def _distinct(rng: np.random.Generator, count: int, space: int) -> np.ndarray:
    found = np.unique(rng.integers(0, space, size=count + count // 4 + 100))
    return rng.permutation(found)[:count]


def make_scorer(model: torch.nn.Module, codes: np.ndarray, *, seed: int = 0) -> ItemScorer:
    """A model with random item tokens for a catalogue, without a history prior."""
    ids = semantic_ids(codes)
    base = BaseModel(model, None)  # type: ignore[arg-type]
    vocabulary = Vocabulary.from_semantic_ids(base.size, ids)
    width = model.get_input_embeddings().weight.shape[1]
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(vocabulary.n_item_tokens, width, generator=generator) * 0.05
    backbone = extend_base(base, rows, Adapter(method="full")).backbone
    return ItemScorer(backbone, vocabulary, Trie.from_semantic_ids(ids), None).eval()


def random_prompts(users: int, length: int, base_size: int, *, seed: int = 0) -> np.ndarray:
    """Token ids of random prompts, ``int64[users, length]``."""
    return np.random.default_rng(seed).integers(5, base_size, size=(users, length))


def prompt_batch(users: int) -> PromptBatch:
    """Random prompts for a mini, as the walk takes them."""
    return PromptBatch.from_prompts([row[:, None] for row in random_prompts(users, PROMPT, 4096)])


def ours(scorer: ItemScorer, prompts: np.ndarray, *, k: int, beams: int):
    """Our walk over all prompts at once: catalogue rows and scores, ``[users, k]``."""
    batch = PromptBatch.from_prompts([row[:, None] for row in prompts])
    found = beam_search(scorer, batch, k=k, beams=beams)
    return found.items, found.scores
