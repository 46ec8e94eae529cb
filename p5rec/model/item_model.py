"""A base model extended with item tokens and made ready to train: whole, or with LoRA."""

from __future__ import annotations

from dataclasses import dataclass

import peft
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor
from transformers import PreTrainedModel

from p5rec.errors import RecipeError
from p5rec.model.activation import use_compiled_gelu
from p5rec.model.backbone import Backbone
from p5rec.model.base_models import BaseModel
from p5rec.model.causal import CausalBackbone
from p5rec.model.dropout import RandomBytes, use_cheap_dropout
from p5rec.model.recipe import Adapter
from p5rec.model.seq2seq import Seq2SeqBackbone
from p5rec.model.token_table import TokenTable


@dataclass
class ItemModel:
    """A backbone that knows item tokens; ``random`` is the source of its dropout."""

    backbone: Backbone
    random: RandomBytes
    adapted: peft.PeftModel | None = None

    def merge(self) -> ItemModel:
        """The same model with LoRA and item rows folded into its weights: faster to serve."""
        if self.adapted is None:
            return self
        table = self.backbone.table
        model = self.adapted.merge_and_unload()
        whole = TokenTable(table.weight, table.base_size, None)
        return ItemModel(make_backbone(model, whole), self.random)


def extend_base(base: BaseModel, rows: Tensor, adapter: Adapter) -> ItemModel:
    """Add item tokens to a base model.

    :param rows: first values of the item tokens' rows, ``float[n_item_tokens, d]``.
    :raises RecipeError: if adding rows damages the base (an output head that is not tied), or if
        LoRA finds none of the layers that the recipe names.
    """
    base_size = base.size
    model = base.model
    _check_tied(model)
    model.resize_token_embeddings(base_size + len(rows), mean_resizing=False)
    weight = model.get_input_embeddings().weight
    with torch.no_grad():
        weight[base_size:] = rows.to(weight.dtype)
    bias = getattr(model.get_output_embeddings(), "bias", None)
    if bias is not None:
        # States meet the rows of tokens without one.
        bias.requires_grad_(False)
    random = use_cheap_dropout(model)
    use_compiled_gelu(model)
    if adapter.method == "full":
        return ItemModel(make_backbone(model, TokenTable(weight, base_size, None)), random)
    adapted = _with_lora(model, adapter, range(base_size, base_size + len(rows)))
    embedding = model.get_input_embeddings()
    items = embedding.token_adapter.trainable_tokens_delta["default"]
    table = TokenTable(embedding.token_adapter.get_base_layer().weight, base_size, items)
    table.learns_inputs = adapter.layers is None
    return ItemModel(make_backbone(model, table), random, adapted)


def _with_lora(model: PreTrainedModel, adapter: Adapter, tokens: range) -> peft.PeftModel:
    n_layers = model.config.num_hidden_layers
    last = None if adapter.layers is None else list(range(n_layers))[-adapter.layers :]
    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        target_modules=list(adapter.targets) or None,
        layers_to_transform=last,
        trainable_token_indices=list(tokens),
        fan_in_fan_out=model.config.model_type == "gpt2",
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise RecipeError(
            f"LoRA cannot be put on this {model.config.model_type} model: {error} "
            "Set adapter.targets to names of its linear layers."
        ) from error


def _check_tied(model: PreTrainedModel) -> None:
    head = model.get_output_embeddings()
    if head is None or head.weight is not model.get_input_embeddings().weight:
        raise RecipeError(
            f"the output head of {model.config.name_or_path or 'this model'} is not tied to its "
            "embedding (T5 v1.1 and Flan are of this kind), and adding item tokens would damage "
            "it. Use a tied model such as t5-small, gpt2 or smollm2-135m."
        )


def make_backbone(model: PreTrainedModel, table: TokenTable) -> Backbone:
    """The backbone for a Hugging Face model, by its own statement of what it is."""
    kind = Seq2SeqBackbone if model.config.is_encoder_decoder else CausalBackbone
    return kind(model, table)
