"""Tiny catalogues, histories and models, made in milliseconds, for the tests of several folders."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import torch
from hypothesis import strategies as st

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.assembled import AssembledModel, tokenizer_texts
from p5rec.decoding.history_index import Forgetting
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.ids.attributes import fit_attribute_ids
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.base_models import BaseModel, load_base
from p5rec.model.item_model import extend_base
from p5rec.model.minis import make_mini
from p5rec.model.recipe import Adapter, Base, Mini, Recipe
from p5rec.model.vocabulary import Vocabulary
from p5rec.prompting.templates import load_templates

PRETRAINED = ("gpt2", "t5", "llama")
FAMILIES = (*PRETRAINED, "bert")
TARGETS = {
    "gpt2": ("c_attn", "c_proj", "c_fc"),
    "t5": ("q", "v", "wi", "wo"),
    "bert": ("query", "value", "dense"),
    "llama": ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"),
}
BASE_SIZE = 20
"""Text tokens of the tiniest models."""
WIDTH = 8


def semantic_ids(codes):
    """Semantic IDs with the given codes; labels are numbers."""
    codes = np.asarray(codes, dtype=np.int32)
    depth = codes.shape[1]
    return SemanticIDs(
        levels=(*(f"level{number}" for number in range(depth - 1)), "item"),
        codes=codes,
        labels=tuple(
            tuple(f"{level} {code}" for code in range(int(codes[:, level].max()) + 1))
            for level in range(depth)
        ),
    )


def random_codes(rng, *, n_items, depth, width, chain, leaves):
    """Paths of a random catalogue, in random row order.

    :param width: a node has up to so many children; with probability ``chain`` only one.
    :param leaves: ``unique`` gives each item a code of its own at the last level, ``shared``
        numbers the items under each node.
    """
    codes = np.zeros((n_items, depth), dtype=np.int32)
    groups = [np.arange(n_items)]
    for level in range(depth - 1):
        following = []
        for group in groups:
            n_children = 1 if rng.random() < chain else int(rng.integers(1, width + 1))
            names = rng.permutation(2 * width)[:n_children]
            codes[group, level] = names[rng.integers(n_children, size=len(group))]
            following += [
                group[codes[group, level] == code] for code in np.unique(codes[group, level])
            ]
        groups = following
    if leaves == "unique":
        codes[:, -1] = rng.permutation(n_items)
    else:
        for group in groups:
            codes[group, -1] = rng.permutation(len(group))
    return codes


@st.composite
def catalogues(draw, *, max_items=200):
    """Semantic IDs of a random catalogue."""
    return semantic_ids(
        random_codes(
            np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed")),
            n_items=draw(st.integers(1, max_items), label="items"),
            depth=draw(st.integers(1, 6), label="depth"),
            width=draw(st.integers(1, 8), label="width"),
            chain=draw(st.sampled_from([0.0, 0.3, 0.9]), label="chain"),
            leaves=draw(st.sampled_from(["unique", "shared"]), label="leaves"),
        )
    )


def histories_of(items, days=None, sessions=None):
    """Histories from lists, one a user: items, days (or None), sessions (0, 1, 2… without)."""
    lengths = [len(user) for user in items]

    def flat(lists, kind):
        return np.array([value for user in lists for value in user], dtype=kind)

    return Histories(
        user_ids=tuple(f"u{user}" for user in range(len(items))),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        items=flat(items, np.int64),
        days=None if days is None else flat(days, np.float64),
        sessions=flat(sessions or [range(length) for length in lengths], np.int64),
    )


def random_histories(rng, *, users, n_items, longest=12, days=True):
    """Random histories, some empty, with repeats and days that grow."""
    items = [rng.integers(n_items, size=rng.integers(0, longest + 1)) for _ in range(users)]
    times = [np.sort(rng.random(len(user)) * 300) for user in items]
    return histories_of(items, times if days else None)


def mini_base(family, *, layers=1, width=WIDTH, vocabulary=BASE_SIZE, dropout=0.0, seed=0):
    """A tiny Hugging Face model."""
    mini = Mini(layers=layers, heads=2, width=width, feed_forward=2 * width, dropout=dropout)
    return make_mini(Base(family=family, mini=mini), vocabulary, seed=seed)


def item_model(family, method, *, rows, seed=0, dropout=0.0):
    """A tiny model with ``rows`` item tokens, its weights far enough from zero to matter."""
    generator = torch.Generator().manual_seed(seed)
    base = mini_base(family, layers=2, width=16, dropout=dropout)
    first = torch.randn(rows, 16, generator=generator)
    adapter = Adapter(method=method, rank=4, targets=TARGETS[family])
    made = extend_base(BaseModel(base, None), first, adapter)
    with torch.no_grad():
        for name, weight in made.backbone.named_parameters():
            if "norm" not in name and "ln_" not in name and weight.dim() > 1:
                weight.copy_(0.3 * torch.randn(weight.shape, generator=generator))
    made.backbone.eval()
    return made


@cache
def _shared_model(family):
    return extend_base(
        BaseModel(mini_base(family), None), torch.zeros(6 * 1000, WIDTH), Adapter(method="full")
    ).backbone.eval()


def tiny_scorer(family, ids, rng, *, scale=1.0, duplicates=0.0, prior=False, full=False):
    """A scorer over any catalogue: one model a family, whose weights are drawn anew.

    :param scale: length of the item rows; 0 makes all codes alike.
    :param duplicates: this share of item rows equals another.
    :param full: one softmax over all items.
    """
    model = _shared_model(family)
    trie = Trie.from_semantic_ids(ids)
    vocabulary = Vocabulary.from_semantic_ids(BASE_SIZE, ids)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.from_numpy(rng.normal(0, 0.3, weight.shape)))
        rows = rng.normal(0, scale, (vocabulary.n_item_tokens, WIDTH))
        same = rng.random(len(rows)) < duplicates
        rows[same] = rows[rng.integers(len(rows), size=int(same.sum()))]
        model.table.weight[BASE_SIZE : vocabulary.size] = torch.from_numpy(rows).float()
    weighted = None
    if prior:
        rates = Forgetting(events=(1.0, 5.0), days=(7.0,))
        weighted = HistoryPrior(trie, rates, item_counts(rng.integers(0, 50, size=trie.n_items)))
        with torch.no_grad():
            weighted.history.copy_(torch.from_numpy(rng.normal(0, 1, weighted.history.shape)))
            weighted.popularity.copy_(torch.from_numpy(rng.normal(1, 1, trie.depth)))
            roughen(weighted.again, rng)
    return ItemScorer(model, vocabulary, trie, weighted, full=full).eval()


def item_counts(chosen):
    """Counts of items that nobody chose twice."""
    return ItemCounts(chosen, chosen.astype(float), chosen, np.zeros_like(chosen))


def roughen(network, rng):
    """Give the last layer of an ``ItemWeights`` something to say."""
    last = network.layers[-1]
    with torch.no_grad():
        last.weight.copy_(torch.from_numpy(rng.normal(0, 0.3, last.weight.shape)))
        last.bias.copy_(torch.from_numpy(rng.normal(-3, 1, last.bias.shape)))


def groceries():
    """Twelve items in four categories, with words."""
    kinds = ["milk", "milk", "milk", "bread", "bread", "bread", *["tea"] * 3, *["jam"] * 3]
    titles = [
        *("whole milk", "oat milk", "goat milk", "rye bread", "white bread", "oat bread"),
        *("green tea", "black tea", "mint tea", "plum jam", "fig jam", "cherry jam"),
    ]
    return Catalogue.from_table(
        pa.table(
            {
                "item_id": [f"i{row:02d}" for row in range(12)],
                "title": titles,
                "categories": [["food", kind] for kind in kinds],
                "brand": ["Acme" if row % 2 else "Bell" for row in range(12)],
            }
        )
    )


def tiny_recipe(family, *, dropout=0.1, prior=True, **training):
    """A recipe for a tiny mini; ``training`` changes its training section."""
    sequence = "prefix" if family == "t5" else "every-event"
    return Recipe(
        name=f"tiny-{family}",
        base=Base(
            family=family,
            mini=Mini(
                layers=1, heads=2, width=16, feed_forward=32, text_tokens=512, dropout=dropout
            ),
        ),
        adapter=Adapter(method="full"),
        ids={"levels": ("categories[-1]",)},
        prompting={"history": 8},
        prior={"enabled": prior},
        training={"sequence": sequence, **training},
        decoding={"beams": 12},
    )


@dataclass
class World:
    """Who bought what, and a model that has yet to learn it."""

    histories: Histories
    model: AssembledModel


def assembled(recipe, catalogue, histories, *, seed=0):
    """An untrained model over a catalogue."""
    templates = load_templates()
    ids = fit_attribute_ids(
        catalogue,
        levels=recipe.ids.levels,
        leaves=recipe.ids.leaves,
        max_width=recipe.ids.max_width,
        seed=seed,
    )
    base = load_base(recipe.base, texts=tokenizer_texts(catalogue, templates), seed=seed)
    counts = ItemCounts.of(histories, len(catalogue))
    return AssembledModel.build(recipe, catalogue, ids, templates, base, counts=counts, seed=seed)


def round_trip_histories(*, users=6, length=9):
    """Everyone walks the catalogue in a fixed cycle from another start: the next item is known."""
    cycle = np.random.default_rng(5).permutation(12)
    place = np.argsort(cycle)
    items = [
        [int(cycle[(place[user] + step) % 12]) for step in range(length)] for user in range(users)
    ]
    return histories_of(items, [[float(step) for step in range(length)]] * users), cycle


def grocery_world(family, *, seed=0, **settings):
    """The groceries, walked in a fixed cycle."""
    histories, _ = round_trip_histories()
    return World(
        histories, assembled(tiny_recipe(family, **settings), groceries(), histories, seed=seed)
    )
