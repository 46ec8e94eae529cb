"""A model as a bundle and back: the same scores to the bit, or a refusal that names the file."""

import os
import pickle
import resource
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_worlds import FAMILIES, grocery_world

from p5rec.decoding import storage
from p5rec.decoding.storage import WEIGHTS, load_model, save_model
from p5rec.errors import BundleError

ROWS = [0, 5, 11, 3, 7, 1]


def stir(model):
    """Weights as far from their first values as training leaves them."""
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.scorer.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    model.scorer.eval()
    return model


@pytest.fixture(scope="module", params=FAMILIES)
def world(request):
    made = grocery_world(request.param)
    stir(made.model)
    return made


def scores(model, histories):
    return model.ranker().score(histories, np.array(ROWS))


def test_scores_after_a_round_trip_are_equal_bit_for_bit(world, tmp_path):
    save_model(world.model, tmp_path / "bundle", {"training": {"seed": 3}})
    loaded, manifest = load_model(tmp_path / "bundle")

    assert manifest["training"] == {"seed": 3}
    assert np.array_equal(scores(loaded, world.histories), scores(world.model, world.histories))
    assert not loaded.scorer.training
    assert loaded.recipe == world.model.recipe
    assert loaded.catalogue.table.equals(world.model.catalogue.table)
    assert loaded.ids.codes.tolist() == world.model.ids.codes.tolist()
    assert loaded.ids.labels == world.model.ids.labels
    assert loaded.templates == world.model.templates
    one, other = (model.ranker().search(world.histories, k=12) for model in (loaded, world.model))
    assert one.items.tolist() == other.items.tolist()
    assert one.scores.tolist() == other.scores.tolist()


def test_a_second_round_trip_writes_the_same_files(world, tmp_path):
    save_model(world.model, tmp_path / "one", {})
    save_model(load_model(tmp_path / "one")[0], tmp_path / "two", {})
    # Arrow and transformers note on reading that they read; what they hold is compared above.
    others = {"catalogue.parquet", "manifest.json", "tokenizer_config.json"}
    for file in [file for file in files_of(tmp_path / "one") if file.name not in others]:
        again = tmp_path / "two" / file.relative_to(tmp_path / "one")
        assert file.read_bytes() == again.read_bytes(), file.name


def test_without_a_prior_nothing_of_it_is_stored(tmp_path):
    made = grocery_world("gpt2", prior=False)
    stir(made.model)
    save_model(made.model, tmp_path / "bundle", {})
    loaded, _ = load_model(tmp_path / "bundle")
    assert loaded.scorer.prior is None
    assert np.array_equal(scores(loaded, made.histories), scores(made.model, made.histories))


def files_of(folder):
    return sorted(file for file in folder.rglob("*") if file.is_file())


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stored") / "bundle"
    made = grocery_world("gpt2")
    save_model(stir(made.model), folder, {"training": {"seed": 0}})
    return folder, made


TASKS = (
    *("explanation", "item_text", "next_item", "rating", "reason", "request"),
    "review_summary",
)
ARRAYS = (
    *("child_start_0", "child_start_1", "code_0", "code_1", "item_of_leaf", "leaf_of_item"),
    *("leaf_start_0", "leaf_start_1", "leaf_start_2"),
)
FILES = [
    "catalogue.parquet",
    "manifest.json",
    *(f"prompts/{task}.toml" for task in TASKS),
    "recipe.json",
    "semantic_ids.safetensors",
    "tokenizer/tokenizer.json",
    "tokenizer/tokenizer_config.json",
    *(f"trie/{array}.npy" for array in ARRAYS),
    "trie/trie.json",
    WEIGHTS,
]


def test_the_list_of_files_is_whole(stored):
    folder, _ = stored
    assert {file.relative_to(folder).as_posix() for file in files_of(folder)} == set(FILES)


@pytest.fixture
def damaged(stored):
    """Change a file for the time of a test."""
    changed = []

    def change(name, make):
        file = stored[0] / name
        before = file.read_bytes()
        changed.append((file, before))
        file.write_bytes(make(before))
        return stored[0]

    yield change
    for file, before in changed:
        file.write_bytes(before)


def flipped(data, place, bit):
    return data[:place] + bytes([data[place] ^ (1 << bit)]) + data[place + 1 :]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("name", FILES)
def test_one_changed_bit_in_any_file_is_refused_by_name(damaged, name, share):
    bit = int(share * 7)
    folder = damaged(name, lambda data: flipped(data, int(share * (len(data) - 1)), bit))
    with pytest.raises(BundleError, match=Path(name).name):
        load_model(folder)


def test_bytes_all_over_the_manifest_count(stored, damaged):
    folder, _ = stored
    data = (folder / "manifest.json").read_bytes()
    damaged("manifest.json", lambda data: data)
    for place in range(0, len(data), 3):
        (folder / "manifest.json").write_bytes(flipped(data, place, place % 8))
        with pytest.raises(BundleError):
            storage.open_bundle(folder)


@pytest.mark.parametrize("left", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_is_refused_by_name(damaged, name, left):
    folder = damaged(name, lambda data: data[: int(left * len(data))])
    with pytest.raises(BundleError, match=Path(name).name):
        load_model(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(stored, damaged, name):
    folder = damaged(name, lambda data: data)
    (folder / name).unlink()
    with pytest.raises(BundleError, match=Path(name).name):
        load_model(folder)


@pytest.mark.parametrize("name", ["extra.bin", "prompts/more.toml", "tokenizer/added_tokens.json"])
def test_a_file_too_many_is_refused_by_name(stored, name):
    extra = stored[0] / name
    extra.write_text("")
    try:
        with pytest.raises(BundleError, match=f"{name} does not belong"):
            load_model(stored[0])
    finally:
        extra.unlink()


def test_nothing_is_unpickled(stored, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    model, _ = load_model(stored[0])
    assert np.array_equal(
        scores(model, stored[1].histories), scores(stored[1].model, stored[1].histories)
    )
    assert not [file for file in files_of(stored[0]) if file.suffix in {".bin", ".pt", ".pkl"}]


def test_weights_of_another_shape_of_model_are_refused_by_name(stored, tmp_path):
    made = grocery_world("gpt2", prior=False)
    model = made.model
    model.recipe = stored[1].model.recipe
    save_model(model, tmp_path / "bundle", {})
    with pytest.raises(BundleError, match=rf"{WEIGHTS} does not hold the weights.*prior"):
        load_model(tmp_path / "bundle")


@pytest.mark.parametrize("size", [0, 300, 1250, 1350, 1480, 10_000, 60_000])
def test_a_disk_that_fills_up_leaves_the_old_bundle(stored, tmp_path, size):
    """No file may grow past ``size`` bytes: one writer after the other fails."""
    place = tmp_path / "bundle"
    save_model(stored[1].model, place, {"number": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(BundleError, match=r"cannot be written.*what was there before"):
            save_model(stored[1].model, place, {"number": 2})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert load_model(place)[1]["number"] == 1
    assert os.listdir(tmp_path) == ["bundle"]


def test_others_may_read_a_bundle_as_far_as_the_umask_lets_them(stored, tmp_path):
    before = os.umask(0o022)
    try:
        save_model(stored[1].model, tmp_path / "bundle", {})
    finally:
        os.umask(before)
    modes = {file.stat().st_mode & 0o777 for file in files_of(tmp_path / "bundle")}
    assert modes == {0o644}
