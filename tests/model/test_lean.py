"""The lean forward passes against Hugging Face's own modules."""

import shutil

import pytest
import torch
from test_backbones import N_ROWS, close, paths_of, prompts_of
from tiny_worlds import FAMILIES, item_model, mini_base
from transformers import GPT2Config, GPT2LMHeadModel

from p5rec.model.activation import use_compiled_gelu
from p5rec.model.lean import Product
from p5rec.model.lean_gpt2 import LeanGPT2
from p5rec.model.lean_t5 import LeanT5
from p5rec.model.prompt_batch import PromptBatch

LEAN = ("gpt2", "t5")


def walked(backbone, prompts, paths):
    """Hidden states of paths made step by step; every other step the walks change places."""
    state, hidden = backbone.begin(prompts)
    n_slots = paths.shape[1]
    found = [hidden.expand(-1, n_slots, -1)]
    parents = torch.zeros(paths.shape[:2], dtype=torch.int64)
    for step in range(paths.shape[2]):
        found.append(backbone.extend(state, parents, paths[:, :, step]))
        parents = torch.arange(n_slots).flip(0).expand(len(paths), -1)
    return torch.stack(found, dim=2)


def both(backbone, prompts, paths):
    """By Hugging Face's modules, and by the lean passes."""
    with torch.no_grad():
        plain = walked(backbone, prompts, paths)
    with torch.inference_mode():
        return plain, walked(backbone, prompts, paths)


@pytest.mark.parametrize("lengths", [(5,), (3, 3), (4, 1, 6)])
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("family", FAMILIES)
def test_lean_walks_are_those_of_hugging_face(family, method, group, lengths):
    backbone = item_model(family, method, rows=N_ROWS).backbone
    prompts = PromptBatch.from_prompts(prompts_of(*lengths, group=group))
    plain, lean = both(backbone, prompts, paths_of(len(lengths), 5, 4))
    close(lean, plain)
    assert (getattr(backbone, "_lean", None) is not None) == (family in LEAN)


@pytest.mark.parametrize("family", LEAN)
def test_merged_and_unmerged_adapters_walk_alike(family):
    made = item_model(family, "lora", rows=N_ROWS)
    prompts, paths = PromptBatch.from_prompts(prompts_of(4, 2)), paths_of(2, 3, 3)
    _, unmerged = both(made.backbone, prompts, paths)
    _, merged = both(made.merge().backbone, prompts, paths)
    close(merged, unmerged, 1e-4)


@pytest.mark.parametrize("family", LEAN)
def test_weights_that_change_are_noticed(family):
    backbone = item_model(family, "full", rows=N_ROWS).backbone
    prompts, paths = PromptBatch.from_prompts(prompts_of(4)), paths_of(1, 3, 2)
    _, before = both(backbone, prompts, paths)
    with torch.no_grad():
        for weight in backbone.parameters():
            weight.mul_(1.3)
    plain, after = both(backbone, prompts, paths)
    close(after, plain)
    assert not torch.allclose(after, before, atol=1e-2)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_move_to_another_device_is_noticed(family):
    backbone = item_model(family, "lora", rows=N_ROWS).backbone
    before = backbone.version
    assert backbone.to("cpu").version == before
    assert backbone.to("meta").version != before


@pytest.mark.parametrize("family", LEAN)
def test_a_model_in_training_keeps_its_dropout(family):
    backbone = item_model(family, "full", rows=N_ROWS, dropout=0.5).backbone
    prompts, paths = PromptBatch.from_prompts(prompts_of(4)), paths_of(1, 3, 2)
    _, quiet = both(backbone, prompts, paths)
    backbone.train()
    _, noisy = both(backbone, prompts, paths)
    assert not torch.allclose(quiet, noisy, atol=1e-3)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_first_steps_may_be_made_with_the_prompt(family):
    backbone = item_model(family, "full", rows=N_ROWS).backbone
    prompts, paths = PromptBatch.from_prompts(prompts_of(5, group=3)), paths_of(1, 4, 3)
    first, chosen = torch.arange(20, 20 + N_ROWS), paths[:, :, 0] - 20
    expected, _ = both(backbone, prompts, paths)
    with torch.inference_mode():
        state, hidden = backbone.begin(prompts, None, first)
        close(hidden, expected[:, :1, 0])
        close(state.take_ahead(chosen), expected[:, :, 1])
        parents = torch.arange(4).flip(0)[None]
        close(backbone.extend(state, parents, paths[:, :, 1]), expected[:, :, 2])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of torch about itself
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
@pytest.mark.parametrize("family", FAMILIES)
def test_compiled_walks_are_the_same(family):
    backbone = item_model(family, "full", rows=N_ROWS).backbone
    prompts, paths = PromptBatch.from_prompts(prompts_of(4, 2)), paths_of(2, 3, 3)
    _, lean = both(backbone, prompts, paths)
    backbone.use_compiler()
    _, compiled = both(backbone, prompts, paths)
    close(compiled, lean)


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("activation", ["none", "gelu", "relu"])
@pytest.mark.parametrize("bias", [None, torch.linspace(-1, 1, 24)])
def test_a_product_is_a_linear_layer_and_an_activation(pack, activation, bias):
    weight, x = torch.randn(24, 16), torch.randn(7, 16)
    expected = torch.nn.functional.linear(x, weight, bias)
    if activation != "none":
        kind = {"gelu": torch.nn.GELU(approximate="tanh"), "relu": torch.nn.ReLU()}[activation]
        expected = kind(expected)
    with torch.inference_mode():
        close(Product(weight, bias, activation, pack=pack)(x), expected)


def test_models_with_what_only_few_have_keep_to_hugging_face():
    config = GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=2, activation_function="relu")
    assert not LeanGPT2.knows(GPT2LMHeadModel(config))
    assert not LeanGPT2.knows(mini_base("llama"))
    model = mini_base("t5")
    assert LeanT5.knows(model)
    model.config.is_gated_act = True
    assert not LeanT5.knows(model)


def test_the_compiled_gelu_is_that_of_gpt2():
    model = GPT2LMHeadModel(GPT2Config(vocab_size=9, n_embd=8, n_layer=2, n_head=2)).eval()
    x = torch.linspace(-8, 8, 1000)
    before = model.transformer.h[1].mlp.act(x)
    use_compiled_gelu(model)
    assert type(model.transformer.h[1].mlp.act).__name__ == "GELUTanh"
    assert float((model.transformer.h[1].mlp.act(x) - before).abs().max()) < 2e-6
