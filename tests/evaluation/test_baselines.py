import time

import numpy as np
import pytest
from evaluation_worlds import N_ITEMS, all_histories, make_histories
from hypothesis import given
from hypothesis import strategies as st

from p5rec.data.events import Histories
from p5rec.errors import NotFittedError, RequestError
from p5rec.evaluation.baselines import OwnFrequency, OwnRecent, Popularity, Random
from p5rec.evaluation.collaborative import Factors, ItemNeighbours
from p5rec.evaluation.scored import MostPopular

BASELINES = {
    "popularity": Popularity,
    "own_frequency": OwnFrequency,
    "own_recent": OwnRecent,
    "random": lambda: Random(seed=3),
}
# Those that learn keep the contract too.
KEEPERS = BASELINES | {
    "scored popularity": MostPopular,
    "item-knn": lambda: learnt(ItemNeighbours(neighbours=5)),
    "ials": lambda: learnt(Factors(factors=4, iterations=2)),
}


def learnt(model):
    """A model of the extra ``baselines``; without its package, the test is left out."""
    pytest.importorskip("implicit", reason="the extra baselines is not installed")
    return model


def popularity_of(histories):
    return np.bincount(histories.items, minlength=N_ITEMS)


def expected(name, train, history, k, exclude_history):
    """The list of one user, item by item, from the definitions."""
    own = dict.fromkeys(history, 0.0)
    for age, item in enumerate(reversed(history)):
        own[item] += 1 if name == "own_frequency" else 1 / (1 + age / 300)
    if exclude_history:
        items = [item for item in range(N_ITEMS) if item not in own]
        own = {}
    else:
        items = list(range(N_ITEMS))
    if name == "popularity":
        own = {}
    counts = popularity_of(train)
    items.sort(key=lambda item: (-own.get(item, 0), -counts[item], item))
    return (items + [-1] * k)[:k]


@given(all_histories(), all_histories(), st.integers(1, 20), st.booleans())
@pytest.mark.parametrize("name", ["popularity", "own_frequency", "own_recent"])
def test_equals_the_definition(name, train, asked, k, exclude_history):
    ranked = BASELINES[name]().fit(train, N_ITEMS).rank(asked, k=k, exclude_history=exclude_history)
    for user, row in enumerate(ranked.tolist()):
        history = asked.items[asked.offsets[user] : asked.offsets[user + 1]].tolist()
        assert row == expected(name, train, history, k, exclude_history)


@pytest.mark.parametrize("name", KEEPERS)
class TestContract:
    """What every baseline promises."""

    @given(all_histories(), st.integers(1, 2 * N_ITEMS), st.booleans())
    def test_lists_are_full_without_repeats(self, name, histories, k, exclude_history):
        fitted = KEEPERS[name]().fit(histories, N_ITEMS)
        ranked = fitted.rank(histories, k=k, exclude_history=exclude_history)
        assert ranked.shape == (len(histories), k)
        assert ranked.dtype == np.int64
        for user, row in enumerate(ranked.tolist()):
            history = set(histories.items[histories.offsets[user] : histories.offsets[user + 1]])
            left = N_ITEMS - len(history) * exclude_history
            filled = row[: min(k, left)]
            assert len(set(filled)) == len(filled)
            assert set(filled) <= set(range(N_ITEMS))
            assert not (exclude_history and history & set(filled))
            assert set(row[len(filled) :]) <= {-1}

    @given(all_histories(), st.integers(1, N_ITEMS), st.booleans())
    def test_a_batch_equals_single_calls(self, name, histories, k, exclude_history):
        fitted = KEEPERS[name]().fit(histories, N_ITEMS)
        batch = fitted.rank(histories, k=k, exclude_history=exclude_history)
        for user in range(len(histories)):
            items = histories.items[histories.offsets[user] : histories.offsets[user + 1]]
            single = make_histories(items.tolist(), names=[histories.user_ids[user]])
            np.testing.assert_array_equal(
                fitted.rank(single, k=k, exclude_history=exclude_history)[0], batch[user]
            )

    @given(all_histories(), st.booleans())
    def test_a_shorter_list_is_the_beginning_of_a_longer_one(self, name, histories, exclude):
        fitted = KEEPERS[name]().fit(histories, N_ITEMS)
        longer = fitted.rank(histories, k=N_ITEMS, exclude_history=exclude)
        shorter = fitted.rank(histories, k=5, exclude_history=exclude)
        np.testing.assert_array_equal(shorter, longer[:, :5])

    def test_an_empty_history_gets_a_full_list(self, name):
        fitted = KEEPERS[name]().fit(make_histories([1, 1, 2]), 5)
        for exclude_history in (False, True):
            ranked = fitted.rank(make_histories([]), k=7, exclude_history=exclude_history)
            assert sorted(ranked[0, :5]) == [0, 1, 2, 3, 4]
            assert ranked[0, 5:].tolist() == [-1, -1]

    def test_no_users_and_no_items_work(self, name):
        fitted = KEEPERS[name]().fit(make_histories([1]), 5)
        assert fitted.rank(make_histories(), k=3).shape == (0, 3)
        empty = KEEPERS[name]().fit(make_histories([]), 0)
        assert empty.rank(make_histories([]), k=3).tolist() == [[-1, -1, -1]]

    def test_bad_calls_are_refused(self, name):
        with pytest.raises(NotFittedError, match="fit"):
            KEEPERS[name]().rank(make_histories([1]), k=3)
        fitted = KEEPERS[name]().fit(make_histories([1]), 5)
        with pytest.raises(RequestError, match=r"row 9.*5 items"):
            fitted.rank(make_histories([9]), k=1)
        with pytest.raises(RequestError, match="k is 0"):
            fitted.rank(make_histories([1]), k=0)


@pytest.mark.parametrize("name", ["popularity", "own_frequency", "own_recent"])
def test_counting_refuses_rows_outside_the_catalogue(name):
    with pytest.raises(RequestError, match=r"row 9.*5 items"):
        BASELINES[name]().fit(make_histories([1, 9]), 5)


def test_recency_beats_an_older_equal_count():
    histories = make_histories([0, 0, 1, 1])
    fitted = OwnRecent().fit(make_histories([0, 0, 0, 1, 1]), 3)
    assert fitted.rank(histories, k=3)[0].tolist() == [1, 0, 2]
    assert OwnFrequency().fit(make_histories([0, 0, 0, 1, 1]), 3).rank(histories, k=3)[
        0
    ].tolist() == [0, 1, 2]


def test_random_depends_on_seed_and_user_alone():
    names = [f"household-{user}" for user in range(50)]
    asked = make_histories(*([] for _ in names), names=names)
    ranked = Random(seed=1).fit(asked, 1000).rank(asked, k=10)
    other = Random(seed=2).fit(asked, 1000).rank(asked, k=10)
    assert len({tuple(row) for row in ranked.tolist()}) > 40
    assert (ranked != other).any()


@pytest.fixture(scope="module")
def shop():
    """As many users, items and events as a real grocery log of a year."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(10, 1200, size=2437)
    items = (28_165 * rng.random(int(lengths.sum())) ** 3).astype(np.int64)
    return Histories(
        user_ids=tuple(str(user) for user in range(len(lengths))),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        items=items,
        days=None,
        sessions=np.zeros(len(items), dtype=np.int64),
    )


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize("exclude_history", [False, True])
def test_a_real_size_takes_seconds(name, exclude_history, shop):
    start = time.perf_counter()
    BASELINES[name]().fit(shop, 28_165).rank(shop, k=10, exclude_history=exclude_history)
    assert time.perf_counter() - start < 10
