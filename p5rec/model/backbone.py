"""A language model as walks see it: a prompt is encoded once, then walks branch off it.

:mod:`p5rec.model.causal` has decoder-only models (GPT-2 and Llama kinds, BERT as a decoder),
:mod:`p5rec.model.seq2seq` encoder-decoders (T5); nothing else tells them apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from p5rec.model.key_value_cache import Prefix
from p5rec.model.prompt_batch import EncodedPrompt, PromptBatch
from p5rec.model.token_table import TokenTable
from p5rec.model.walk_state import WalkState

FEED_FORWARD = ("GPT2MLP", "T5DenseActDense", "T5DenseGatedActDense", "LlamaMLP", "Qwen2MLP")
"""What ``torch.compile`` is for; attention and its cache it cannot take in inference mode."""

Version = tuple[int, torch.device]


class Backbone(nn.Module, ABC):
    """A language model as the walks see it. ``B`` prompts, ``S`` open walks (slots) a prompt."""

    one_pass: bool
    """Whether every position of a prompt can be a starting point (causal models)."""
    carries: bool
    """Whether the state after each step is added to the one that the walk began with.

    In a small model the last event's own row reaches the state at the prompt's end along the
    residual stream, but states after it by attention alone, which has to learn to copy it."""

    def __init__(self, model: PreTrainedModel, table: TokenTable) -> None:
        super().__init__()
        self.model = model
        self.table = table
        self.carries = False
        self._compiled = False

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.table.weight.device

    @abstractmethod
    def begin(
        self, prompts: PromptBatch, prefix: Prefix | None = None, ahead: Tensor | None = None
    ) -> tuple[WalkState, Tensor]:
        """Encode each prompt once; returns the state and its hidden state, ``float[B, 1, d]``.

        :param prefix: an encoded beginning that all prompts share, as :meth:`remember` gave it.
        :param ahead: tokens that the walks of a single prompt may begin with, ``int64[A]``: their
            steps are made in the same pass (see :meth:`makes_ahead`).
        """

    def makes_ahead(self, n_new: int, n_tokens: int) -> bool:
        """Whether first steps cost less beforehand than in a pass of their own.

        A pass over few tokens takes as long as reading the weights does, whatever their number.

        :param n_new: positions to encode, of all prompts.
        :param n_tokens: tokens that walks may begin with.
        """
        return False

    def remember(
        self, prompt: EncodedPrompt, state: WalkState, *, alone: bool = False
    ) -> Prefix | None:
        """What :meth:`begin` computed for a single prompt, to go on from; right after it.

        None where a prompt's beginning cannot be told from the rest (encoder-decoders).

        :param alone: nobody else goes on from it, so that what follows need not copy it.
        """
        return None

    @property
    def version(self) -> Version:
        """Another one whenever weights are changed in place or moved: what was computed before is
        then stale.
        """
        return sum(weight._version for weight in self.parameters()), self.device

    @abstractmethod
    def extend(self, state: WalkState, parents: Tensor, tokens: Tensor) -> Tensor:
        """Make one step: slot ``s`` is now old slot ``parents[b, s]`` and then ``tokens[b, s]``.

        :return: hidden states ``float[B, S, d]`` after the new tokens; ``state`` is brought up
            to date.
        """

    @abstractmethod
    def follow(
        self, prompts: PromptBatch, rows: Tensor, positions: Tensor, tokens: Tensor
    ) -> Tensor:
        """Walk known paths in one pass (teacher forcing).

        :param rows: the prompt of each path, ``int64[R]``.
        :param positions: the last position of the prompt that the path may look at, ``int64[R]``;
            an encoder-decoder always looks at the whole prompt.
        :param tokens: the path's tokens, ``int64[R, L]``.
        :return: hidden states before and after each token, ``float[R, L + 1, d]``.
        """

    def use_compiler(self) -> None:
        """Walk through Hugging Face's modules, feed-forward layers compiled, from now on.

        The first walks take seconds longer, and a C++ compiler. Off by default: on a CPU
        the lean passes are faster (``docs/log.md`` has figures).
        """
        self._compiled = True
        for module in self.model.modules():
            if type(module).__name__ in FEED_FORWARD:
                module.compile(dynamic=True)

    @property
    def _may_be_lean(self) -> bool:
        """Whether nothing asks for what only Hugging Face's modules know."""
        asked = self._compiled or self.model.training
        return torch.is_inference_mode_enabled() and not asked

    def text_logits(self, hidden: Tensor) -> Tensor:
        """Logits of text tokens, ``float[..., base_size]``; item tokens are out of reach."""
        return hidden @ self.table.text_rows().T
