"""The decoder that peers run: Hugging Face ``generate`` with ``prefix_allowed_tokens_fn``."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from p5rec.decoding.beam import beam_search
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.base_models import BaseModel
from p5rec.model.item_model import extend_base
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.recipe import Adapter
from p5rec.model.vocabulary import Vocabulary


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


def ours(scorer: ItemScorer, prompts: np.ndarray, *, k: int, beams: int):
    """Our walk over all prompts at once: catalogue rows and scores, ``[users, k]``."""
    batch = PromptBatch.from_prompts([row[:, None] for row in prompts])
    found = beam_search(scorer, batch, k=k, beams=beams)
    return found.items, found.scores


class Peer:
    """``generate`` over a dictionary trie, with the scores pinned to what p5rec computes.

    The model is Hugging Face's own, of the same configuration and with a copy of the same weights.
    ``renormalize_logits`` makes scores log-probabilities over the allowed codes,
    ``length_penalty=0`` leaves the sum as it is, ``min_new_tokens`` and ``max_new_tokens`` stop
    after the last code without an end token.
    """

    def __init__(self, scorer: ItemScorer, ids_codes: np.ndarray, base_size: int) -> None:
        ours = scorer.backbone.model
        self.model = type(ours)(ours.config).eval()
        self.model.load_state_dict(ours.state_dict())
        sizes = ids_codes.max(axis=0) + 1
        offsets = base_size + np.append(0, np.cumsum(sizes))[:-1]
        self.rows = {tuple(path): row for row, path in enumerate((ids_codes + offsets).tolist())}
        self.children: dict[tuple[int, ...], list[int]] = {}
        for path in sorted(self.rows):
            for end in range(len(path)):
                known = self.children.setdefault(path[:end], [])
                if not known or known[-1] != path[end]:
                    known.append(path[end])
        self.depth = ids_codes.shape[1]
        self.seq2seq = bool(self.model.config.is_encoder_decoder)

    def __call__(self, prompts: np.ndarray, *, k: int, beams: int):
        """Catalogue rows and scores, ``[users, k]``."""
        skip = 1 if self.seq2seq else prompts.shape[1]

        def allowed(_: int, tokens: torch.Tensor) -> list[int]:
            return self.children[tuple(tokens[skip:].tolist())]

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = self.model.generate(
                input_ids=torch.from_numpy(prompts),
                attention_mask=torch.ones(prompts.shape, dtype=torch.int64),
                num_beams=beams,
                num_return_sequences=k,
                max_new_tokens=self.depth,
                min_new_tokens=self.depth,
                length_penalty=0.0,
                do_sample=False,
                renormalize_logits=True,
                eos_token_id=-1,
                pad_token_id=0,
                prefix_allowed_tokens_fn=allowed,
                return_dict_in_generate=True,
                output_scores=True,
            )
        found = [self.rows[tuple(path)] for path in made.sequences[:, skip:].tolist()]
        shape = (len(prompts), k)
        return np.array(found).reshape(shape), made.sequences_scores.numpy().reshape(shape)
