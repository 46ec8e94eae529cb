"""The decoder that peers run: Hugging Face ``generate`` with ``prefix_allowed_tokens_fn``."""

from __future__ import annotations

import warnings

import numpy as np
import torch

from p5rec.decoding.scorer import ItemScorer


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
