"""Neighbours are those that brute force finds, whatever the rows' order and names."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories
from p5rec.ids.neighbours import (
    Sampling,
    co_occurrence_neighbours,
    held_out_neighbours,
    text_neighbours,
    vector_neighbours,
)

few = settings(max_examples=50, deadline=None)
logs = st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abcdef")), min_size=1, max_size=40)
SHOP = Catalogue.from_table(pa.table({"item_id": list("abcdef")}))


def histories_of(log, catalogue=SHOP):
    users, items = zip(*log, strict=True) if log else ((), ())
    table = {"user_id": [f"u{user}" for user in users], "item_id": list(items)}
    table["position"] = pa.array(range(len(log)), pa.int64())
    return Events.from_table(pa.table(table)).histories(catalogue)


def unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)


def dense(histories, n_items):
    counts = np.zeros((len(histories), n_items))
    for user in range(len(histories)):
        np.add.at(counts[user], histories.items[histories.slice(user)], 1)
    return unit(np.log1p(counts))


def nearness(found, near):
    """How near the found neighbours are, and how near the nearest others are: rows of k."""
    for item, nearest in zip(found.items.tolist(), found.nearest.tolist(), strict=True):
        others = [other for other in found.among.tolist() if other != item]
        best = sorted((near[item, other] for other in others), reverse=True)
        known = [other for other in nearest if other >= 0]
        assert item not in known
        assert len(set(known)) == len(known)
        yield [near[item, other] for other in known], best[: len(nearest)]


@few
@given(vectors=arrays(np.float32, (12, 3), elements=st.integers(-2, 2)), k=st.integers(1, 5))
def test_neighbours_in_vectors_are_the_nearest(vectors, k):
    vectors = unit(vectors).astype(np.float32)
    found = vector_neighbours(vectors, Sampling(np.arange(12), size=7, k=k))
    assert found.among.tolist() == np.flatnonzero(vectors.any(axis=1)).tolist()
    for mine, best in nearness(found, vectors @ vectors.T):
        assert np.allclose(mine, best, atol=1e-3)


@few
@given(log=logs, k=st.integers(1, 5))
def test_co_occurrence_is_the_cosine_of_users(log, k):
    histories = histories_of(log)
    found = co_occurrence_neighbours(histories, Sampling(np.arange(6), k=k))
    columns = unit(dense(histories, 6).T)
    for mine, best in nearness(found, columns @ columns.T):
        assert np.allclose(mine, [near for near in best if near > 0], atol=1e-6)


@few
@given(before=logs, after=logs, k=st.integers(1, 5))
def test_held_out_neighbours_come_from_what_was_chosen_later(before, after, k):
    first, second = histories_of(before), histories_of(after)
    found = held_out_neighbours(first, second, Sampling(np.arange(6), k=k))
    had, chose = dense(first, 6), np.zeros((len(first), 6))
    for user, row in zip(second.user_ids, dense(second, 6), strict=True):
        if user in first.user_ids:
            chose[first.user_ids.index(user)] = row
    near = unit(had.T) @ unit(chose.T).T
    for mine, best in nearness(found, near):
        assert np.allclose(mine, [value for value in best if value > 1e-9], atol=1e-6)
    asked = [item for item in range(6) if np.delete(near[item], item).max() > 1e-9]
    assert sorted(found.items.tolist()) == asked


def test_held_out_neighbours_know_nothing_of_training():
    before = histories_of([(0, "a"), (0, "b"), (1, "a"), (1, "c")])
    after = histories_of([(0, "d"), (1, "d"), (2, "e")])
    found = held_out_neighbours(before, after, Sampling(np.arange(6), k=2))
    assert found.among.tolist() == [3]
    assert dict(zip(found.items.tolist(), found.nearest.tolist(), strict=True)) == {
        0: [3, -1],
        1: [3, -1],
        2: [3, -1],
    }


def test_equal_words_are_nearest_and_no_words_have_no_neighbours():
    titles = ["oat milk", "green tea", None, "OAT  milk", "tea pot"]
    shop = Catalogue.from_table(pa.table({"item_id": list("abcde"), "title": titles}))
    found = text_neighbours(shop, Sampling.of(shop, k=1))
    nearest = dict(zip(found.items.tolist(), found.nearest[:, 0].tolist(), strict=True))
    assert nearest == {0: 3, 3: 0, 1: 4, 4: 1}
    assert found.among.tolist() == [0, 1, 3, 4]


@few
@given(data=st.data())
def test_the_sample_depends_on_content_and_seed_alone(data):
    titles = [f"thing {number}" for number in range(20)]
    order = data.draw(st.permutations(range(20)))
    shop = Catalogue.from_table(
        pa.table({"item_id": [f"i{n}" for n in range(20)], "title": titles})
    )
    renamed = pa.table(
        {"item_id": [f"x{n}" for n in range(20)], "title": [titles[n] for n in order]}
    )
    other = Catalogue.from_table(renamed)
    mine = [titles[row] for row in Sampling.of(shop, seed=3).order.tolist()]
    theirs = [other.record(row)["title"] for row in Sampling.of(other, seed=3).order.tolist()]
    assert mine == theirs
    assert mine != [titles[row] for row in Sampling.of(shop, seed=4).order.tolist()]


@pytest.mark.parametrize("n_items", [1, 2, 3])
def test_small_catalogues(n_items):
    vectors = unit(np.ones((n_items, 2))).astype(np.float32)
    found = vector_neighbours(vectors, Sampling(np.arange(n_items), k=10))
    assert (found.nearest >= 0).sum(axis=1).tolist() == [n_items - 1] * n_items
    empty = Histories((), np.zeros(1, np.int64), np.zeros(0, np.int64), None, np.zeros(0, np.int64))
    assert len(co_occurrence_neighbours(empty, Sampling(np.arange(n_items))).items) == 0
