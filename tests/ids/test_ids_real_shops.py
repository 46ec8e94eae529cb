"""Trees of real catalogues, as messy as shops have them; skipped where the data is not there."""

import os
from pathlib import Path

import numpy as np
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.data.loading import load_catalogue, load_events
from p5rec.data.splits import leave_last_basket
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.placing import place_items
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import node_counts

DATA = Path(os.environ.get("P5REC_DATA", Path(__file__).parents[3] / "shared" / "data"))
SHOPS = ["amazon-beauty", "amazon-sports", "amazon-games", "yelp"]


def shop(name):
    if not (DATA / name).is_dir():
        pytest.skip(f"{DATA / name} is not there")
    catalogue = load_catalogue(DATA / name / "items.parquet")
    return catalogue, load_events(DATA / name / "interactions.parquet")


def usage(ids, level):
    share = np.bincount(ids.codes[:, level]) / len(ids)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum() / np.log(ids.sizes[level]))


def learned(ids):
    return [level for level, name in enumerate(ids.levels) if name.startswith("cluster")]


def test_a_brand_without_a_name_and_with_entities():
    catalogue, _ = shop("amazon-beauty")
    ids = fit_semantic_ids(catalogue, Scheme(levels=("brand",)))
    brand = ids.levels.index("brand")
    assert "(no brand)" in ids.labels[brand]
    assert "L'Oreal Paris" in ids.labels[brand]
    assert not any("&#" in label for label in ids.labels[brand])
    assert len(ids.labels[brand]) < len(set(catalogue.column("brand")))


def test_a_root_that_is_the_same_for_all_is_dropped():
    catalogue, _ = shop("amazon-sports")
    ids = fit_semantic_ids(catalogue, Scheme(levels=("categories[0]", "categories[1]")))
    assert ids.levels[0] == "categories[1]"
    assert ids.notes[0].startswith("level 'categories[0]' was dropped")


@pytest.mark.slow
@pytest.mark.parametrize("name", SHOPS)
@pytest.mark.parametrize("kind", ["attributes", "residual", "hybrid"])
def test_every_shop_gets_a_tree_of_each_kind(name, kind):
    catalogue, events = shop(name)
    histories = leave_last_basket(events, validation_users=0).train.histories(catalogue)
    scheme = Scheme(kind, max_width=128)
    ids = fit_semantic_ids(catalogue, scheme, histories=histories)
    assert len(np.unique(ids.codes, axis=0)) == len(catalogue)
    widest = node_counts(ids.codes)[1]
    assert max(widest) <= 128
    assert all(usage(ids, level) >= 0.8 for level in learned(ids))
    part = np.random.default_rng(0).permutation(len(catalogue))[: len(catalogue) - 50]
    some = Catalogue(catalogue.table.take(np.sort(part)))
    fewer = fit_semantic_ids(some, scheme, histories=events.histories(some))
    grown = place_items(fewer, some, catalogue)
    assert (grown.codes[np.sort(part)] == fewer.codes).all()
