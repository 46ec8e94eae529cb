"""Recipes: those that ship are sound, and every mistake is named."""

import tomllib
from pathlib import Path

import pytest

from p5rec.errors import RecipeError
from p5rec.model.recipe import Recipe

ADAPTERS = Path(__file__).parents[2] / "adapters"
SHIPPED = sorted(ADAPTERS.glob("*.toml"))


def given_keys(table, found):
    """Every key that a recipe's file sets is a setting, with the value that was read."""
    for key, value in table.items():
        read = getattr(found, key)
        if isinstance(value, dict) and hasattr(type(read), "model_fields"):
            given_keys(value, read)
        elif isinstance(value, list):
            assert list(read) == value
        else:
            assert read == value


def test_there_are_recipes_to_check():
    assert len(SHIPPED) >= 7


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.stem)
def test_a_shipped_recipe_parses_and_names_real_settings(file):
    by_path, by_name = Recipe.load(file), Recipe.load(file.stem)
    assert by_path == by_name
    assert by_name.name == file.stem
    given_keys(tomllib.loads(file.read_text(encoding="utf-8")), by_name)
    assert Recipe.model_validate_json(by_name.model_dump_json()) == by_name


def recipe(text):
    return Recipe.from_toml(text, "mine")


BASE = '[base]\nfamily = "gpt2"\nmini = {}\n[adapter]\nmethod = "full"\n'


def test_the_smallest_recipe_is_enough():
    assert recipe(BASE).base.mini.width == 64


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (BASE + "[training]\nepoch = 3\n", r"recipe mine: training\.epoch: Extra inputs"),
        (BASE + "[trainign]\nepochs = 3\n", r"recipe mine: trainign: Extra inputs"),
        (BASE + "[training]\nepochs = 0\n", r"training\.epochs: Input should be greater than 0"),
        (BASE + '[training]\nepochs = "many"\n', r"training\.epochs: Input should be a valid"),
        (BASE + '[training]\nsequence = "all"\n', r"training\.sequence: .*'every-event'"),
        (BASE + "[training]\ntasks = { ask = 1 }\n", r"training\.tasks\.ask"),
        (BASE + "[training]\ntasks = { next_item = 0 }\n", r"next_item a share above 0"),
        (BASE + "[training]\ntasks = { request = 1 }\n", r"next_item a share above 0"),
        (BASE + "[training]\ntasks = { next_item = -1 }\n", r"training\.tasks\.next_item"),
        (BASE + "[training]\nwarmup = 1.0\n", r"training\.warmup"),
        (BASE + "[prior]\nevents = [1, -5]\n", r"prior\.events\.1"),
        (BASE + "[decoding]\nbeams = 2.5\n", r"decoding\.beams"),
        (BASE + '[prompting]\npositions = "token"\n', r"prompting\.positions"),
        ('[adapter]\nmethod = "full"\n', r"base: Field required"),
        ('[base]\nfamily = "mamba"\nname = "x"\n', r"base\.family: .*'gpt2', 'llama' or 't5'"),
        ('[base]\nfamily = "gpt2"\n', r"base: .*either name .* or mini"),
        ('[base]\nfamily = "gpt2"\nname = "x"\nmini = {}\n', r"base: .*either name .* or mini"),
        ('[base]\nfamily = "gpt2"\nmini = { width = -1 }\n', r"base\.mini\.width"),
        ('[base]\nfamily = "gpt2"\nmini = {}\n', r"mini model has nothing pretrained.*'full'"),
        ('[base]\nfamily = "t5"\nname = "x"\n[training]\nsequence = "every-event"\n',
         r"training\.sequence 'every-event' needs a causal model.*'prefix'"),
        ("[base", r"recipe mine: not valid TOML"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_by_name(text, named):
    with pytest.raises(RecipeError, match=named):
        recipe(text)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(RecipeError) as caught:
        recipe(BASE + "[training]\nepochs = 0\nclip = -1\n[decoding]\nbeam = 3\n")
    for key in ("training.epochs", "training.clip", "decoding.beam"):
        assert key in str(caught.value)


@pytest.mark.parametrize(("name", "meant"), [("gpt2-mimi", "gpt2-mini"), ("t5smal", "t5-small")])
def test_an_unknown_name_is_answered_with_what_was_meant(name, meant):
    with pytest.raises(RecipeError, match=rf"no recipe '{name}'\. Did you mean '{meant}'\?"):
        Recipe.load(name)


def test_a_name_like_no_other_is_answered_with_the_list():
    with pytest.raises(RecipeError, match=r"no recipe 'xyzzy'\. Known: .*gpt2-mini.*\.toml file"):
        Recipe.load("xyzzy")


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(RecipeError, match=r"nowhere\.toml cannot be read"):
        Recipe.load(tmp_path / "nowhere.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(RecipeError, match=r"latin\.toml cannot be read"):
        Recipe.load(tmp_path / "latin.toml")
