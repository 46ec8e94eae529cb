"""The leak check sees a leak, and sees none where there is none."""

import numpy as np
import pyarrow as pa
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.data.splits import leave_last_basket
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.leaks import leaks
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import SemanticIDs

ITEMS = list("abcdefghij")
SHOP = Catalogue.from_table(pa.table({"item_id": ITEMS}))


@pytest.fixture
def log():
    draw = np.random.default_rng(0)
    chosen = draw.choice(ITEMS, size=60)
    users = np.repeat([f"u{number}" for number in range(12)], 5)
    return Events.from_table(
        pa.table({"user_id": users, "item_id": chosen, "position": np.arange(60)})
    )


def by_popularity(events):
    """IDs that number items by how often they were chosen: a level that knows its events."""
    counts = np.bincount(events.histories(SHOP).items, minlength=len(SHOP))
    codes = np.column_stack([counts, np.arange(len(SHOP))]).astype(np.int32)
    labels = (tuple(map(str, range(counts.max() + 1))), tuple(ITEMS))
    return SemanticIDs(("count", "item"), codes, labels)


def test_ids_of_training_events_do_not_leak(log):
    split = leave_last_basket(log, validation_users=0)

    def fit(events):
        return by_popularity(leave_last_basket(events, validation_users=0).train)

    assert not leaks(fit, split.train, split.test)
    assert not leaks(fit, split.train, split.test, ids=fit(log))


@pytest.mark.parametrize("kind", ["attributes", "residual", "hybrid"])
def test_no_kind_knows_held_out_events(log, kind):
    def fit(events):
        train = leave_last_basket(events, validation_users=0).train
        scheme = Scheme(kind=kind, widths=() if kind == "attributes" else (3,))
        return fit_semantic_ids(SHOP, scheme, histories=train.histories(SHOP))

    split = leave_last_basket(log, validation_users=0)
    assert not leaks(fit, split.train, split.test)
    if kind != "attributes":
        # The same shuffle among training events is seen, so the check could have told.
        assert leaks(fit, split.test, split.train)


def test_ids_of_all_events_leak(log):
    # Which items are held out stays as it is when they change places: pairs are needed to tell.
    def last_of_each_user(events):
        histories = events.histories(SHOP)
        last = histories.items[histories.offsets[1:] - 1]
        codes = np.arange(len(SHOP), dtype=np.int32)
        codes[[last[0], 0]] = codes[[0, last[0]]]
        return SemanticIDs(("item",), codes[:, None], (tuple(ITEMS),))

    split = leave_last_basket(log, validation_users=0)
    assert any(leaks(last_of_each_user, split.train, split.test, seed=seed) for seed in range(5))
