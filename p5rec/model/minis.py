"""Small language models that are made here, with random weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from transformers import (
    BertConfig,
    BertLMHeadModel,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    T5Config,
    T5ForConditionalGeneration,
)

from p5rec.model.recipe import Base, Mini


def make_mini(base: Base, vocabulary: int, *, seed: int) -> PreTrainedModel:
    """A small model with random weights, a function of the recipe and the seed."""
    assert base.mini is not None
    with _seeded(seed):
        if base.family == "gpt2":
            return GPT2LMHeadModel(_gpt2_config(base.mini, vocabulary))
        if base.family == "t5":
            return T5ForConditionalGeneration(_t5_config(base.mini, vocabulary))
        if base.family == "bert":
            return _without_transform(BertLMHeadModel(_bert_config(base.mini, vocabulary)))
        return LlamaForCausalLM(_llama_config(base.mini, vocabulary))


def _gpt2_config(mini: Mini, vocabulary: int) -> GPT2Config:
    return GPT2Config(
        vocab_size=vocabulary,
        n_positions=mini.positions,
        n_embd=mini.width,
        n_layer=mini.layers,
        n_head=mini.heads,
        n_inner=mini.feed_forward,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=mini.dropout,
        embd_pdrop=mini.dropout,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )


def _bert_config(mini: Mini, vocabulary: int) -> BertConfig:
    """BERT as a decoder: layers are normalised after what they add, as in SASRec."""
    return BertConfig(
        vocab_size=vocabulary,
        hidden_size=mini.width,
        num_hidden_layers=mini.layers,
        num_attention_heads=mini.heads,
        intermediate_size=mini.feed_forward,
        max_position_embeddings=mini.positions,
        type_vocab_size=1,
        hidden_act="gelu_pytorch_tanh",
        hidden_dropout_prob=mini.dropout,
        attention_probs_dropout_prob=0.0,
        is_decoder=True,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
    )


def _without_transform(model: BertLMHeadModel) -> BertLMHeadModel:
    """Without the layer before BERT's head: states meet the rows of tokens directly."""
    model.cls.predictions.transform = nn.Identity()
    return model


def _t5_config(mini: Mini, vocabulary: int) -> T5Config:
    return T5Config(
        vocab_size=vocabulary,
        d_model=mini.width,
        d_kv=mini.width // mini.heads,
        d_ff=mini.feed_forward,
        num_layers=mini.layers,
        num_heads=mini.heads,
        dropout_rate=mini.dropout,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )


def _llama_config(mini: Mini, vocabulary: int) -> LlamaConfig:
    return LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=mini.width,
        intermediate_size=mini.feed_forward,
        num_hidden_layers=mini.layers,
        num_attention_heads=mini.heads,
        max_position_embeddings=mini.positions,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=0,
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """With torch's generator at ``seed``, put back after."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
