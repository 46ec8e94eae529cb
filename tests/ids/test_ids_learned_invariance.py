"""Laws of trees with learned levels, whatever the catalogue and the events."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.ids.balanced import assign_balanced, cluster_balanced
from p5rec.ids.co_occurrence import co_occurrence, company_classes
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import node_counts

SCHEMA = pa.schema(
    {"item_id": pa.string(), "title": pa.string(), "categories": pa.list_(pa.string())}
)
contents = st.fixed_dictionaries(
    {
        "title": st.sampled_from([None, "oat milk", "Oat  Milk", "green tea", "black tea", "茶"]),
        "categories": st.sampled_from([None, ["Food"], ["Tea"]]),
    }
)
schemes = st.builds(
    Scheme,
    kind=st.sampled_from(["residual", "hybrid"]),
    levels=st.just(("categories[0]",)),
    leaves=st.sampled_from(["unique", "shared"]),
    max_width=st.sampled_from([3, 128]),
    vectors=st.sampled_from(["text", "co-occurrence", "both"]),
    widths=st.just((4, 4)),
)
logs = st.lists(st.lists(st.integers(0, 29), max_size=8), max_size=8)
few = settings(max_examples=40, deadline=None)


def catalogue_of(rows, names):
    named = [{"item_id": name, **row} for name, row in zip(names, rows, strict=True)]
    return Catalogue.from_table(pa.Table.from_pylist(named, schema=SCHEMA))


def histories_of(log, catalogue):
    users = [[catalogue.item_ids[item % len(catalogue)] for item in user] for user in log]
    return Histories.from_events(users, catalogue)[0]


@few
@given(rows=st.lists(contents, min_size=1, max_size=30), log=logs, scheme=schemes)
def test_paths_are_unique_and_narrow(rows, log, scheme):
    catalogue = catalogue_of(rows, [f"i{n}" for n in range(len(rows))])
    ids = fit_semantic_ids(catalogue, scheme, histories=histories_of(log, catalogue))
    assert len(np.unique(ids.codes, axis=0)) == len(rows)
    assert max(node_counts(ids.codes)[1][1:]) <= max(scheme.max_width, 4)
    for column, labels in zip(ids.codes.T, ids.labels, strict=True):
        assert np.unique(column).tolist() == list(range(len(labels)))
        assert all(labels)


@few
@given(rows=st.lists(contents, min_size=1, max_size=30), log=logs, scheme=schemes, data=st.data())
def test_row_order_and_item_ids_do_not_matter(rows, log, scheme, data):
    names = [f"i{n}" for n in range(len(rows))]
    catalogue = catalogue_of(rows, names)
    ids = fit_semantic_ids(catalogue, scheme, histories=histories_of(log, catalogue))
    order = data.draw(st.permutations(range(len(rows))))
    renamed = catalogue_of([rows[i] for i in order], [f"new{i * 37 % 101}" for i in order])
    place = {old: new for new, old in enumerate(order)}
    moved = [[place[item % len(rows)] for item in user] for user in log]
    other = fit_semantic_ids(renamed, scheme, histories=histories_of(moved, renamed))
    assert (other.levels, other.labels, other.notes) == (ids.levels, ids.labels, ids.notes)
    assert by_content(renamed, other) == by_content(catalogue, ids)


def by_content(catalogue, ids):
    return Counter(
        (repr(catalogue.record(row)), tuple(path)) for row, path in enumerate(ids.codes.tolist())
    )


def test_a_larger_catalogue_with_equal_items_keeps_each_path_when_shuffled():
    """Items of equal content are told apart by what they are chosen with: each keeps its path."""
    random = np.random.default_rng(5)
    rows = [
        {"title": f"word{n % 9} thing{n % 40}", "categories": [f"c{n % 3}"]} for n in range(400)
    ]
    log = [random.integers(0, 400, 12).tolist() for _ in range(300)]
    catalogue = catalogue_of(rows, [f"i{n}" for n in range(400)])
    order = random.permutation(400).tolist()
    renamed = catalogue_of([rows[i] for i in order], [f"new{i * 37 % 997}" for i in order])
    place = {old: new for new, old in enumerate(order)}
    moved = [[place[item] for item in user] for user in log]
    for kind in ("residual", "hybrid"):
        scheme = Scheme(kind, ("categories[0]",), widths=(9, 5))
        ids = fit_semantic_ids(catalogue, scheme, histories=histories_of(log, catalogue))
        other = fit_semantic_ids(renamed, scheme, histories=histories_of(moved, renamed))
        assert (other.codes == ids.codes[order]).all()


def test_the_order_of_users_does_not_matter():
    random = np.random.default_rng(0)
    rows = [{"title": f"word{n % 9} thing{n}", "categories": ["c"]} for n in range(80)]
    catalogue = catalogue_of(rows, [f"i{n}" for n in range(80)])
    histories = histories_of([random.integers(0, 80, 9).tolist() for _ in range(60)], catalogue)
    backwards = histories.take(np.arange(60)[::-1])
    scheme = Scheme("residual", widths=(8,))
    one = fit_semantic_ids(catalogue, scheme, histories=histories)
    assert (fit_semantic_ids(catalogue, scheme, histories=backwards).codes == one.codes).all()
    assert (fit_semantic_ids(catalogue, scheme, histories=histories).codes == one.codes).all()


def test_nearness_in_time_and_baskets_count():
    catalogue = catalogue_of([{"title": str(n), "categories": None} for n in range(8)], "abcdefgh")
    histories = histories_of([[0, 1, 2, 3, 4, 5, 6, 0]], catalogue)
    counts = co_occurrence(histories, 8).toarray()
    assert counts[0].tolist() == [0, 60, 30 + 12, 20 + 15, 15 + 20, 12 + 30, 60, 0]
    assert (counts == counts.T).all()
    basket = replace(histories, sessions=np.zeros(8, dtype=np.int64))
    assert co_occurrence(basket, 8).toarray()[0].tolist() == [0, 60, 120, 120, 120, 120, 60, 0]


def test_company_tells_equal_items_apart():
    catalogue = catalogue_of([{"title": t, "categories": None} for t in "aabb"], "wxyz")
    counts = co_occurrence(histories_of([[0, 2], [0, 2], [1, 3]], catalogue), 4)
    assert company_classes(np.array([0, 0, 1, 1]), counts).tolist() == [1, 0, 3, 2]


@few
@given(
    count=st.integers(1, 60),
    clusters=st.integers(1, 9),
    slack=st.integers(0, 3),
    seed=st.integers(0, 9),
)
def test_no_cluster_overflows(count, clusters, slack, seed):
    random = np.random.default_rng(seed)
    capacity = -(-count // clusters) + slack
    costs = np.round(random.normal(size=(count, clusters)), 1).astype(np.float32)
    assert np.bincount(assign_balanced(costs, capacity=capacity)).max() <= capacity
    points = random.integers(-2, 3, size=(count, 3)).astype(np.float32)
    parts = cluster_balanced(points, clusters=clusters, capacity=capacity, seed=seed)
    sizes = np.bincount(parts)
    assert sizes.max() <= capacity
    assert sizes.min() >= 1
    assert len(sizes) <= clusters


@few
@given(count=st.integers(1, 60), clusters=st.integers(1, 9), seed=st.integers(0, 9))
def test_clusters_that_must_not_dissolve_stay(count, clusters, seed):
    points = np.random.default_rng(seed).normal(size=(count, 3)).astype(np.float32)
    least = min(math.ceil(0.9 * clusters), count)
    parts = cluster_balanced(points, clusters=clusters, capacity=count, least=least, seed=seed)
    assert least <= parts.max() + 1 <= clusters


@few
@given(
    same=st.lists(st.integers(0, 12), min_size=1, max_size=60),
    clusters=st.integers(2, 6),
    slack=st.integers(0, 8),
)
def test_rows_that_are_the_same_stay_together_as_far_as_there_is_room(same, clusters, slack):
    count = len(same)
    capacity = -(-count // clusters) + slack
    points = np.random.default_rng(count).normal(size=(count, 3)).astype(np.float32)
    parts = cluster_balanced(points, clusters=clusters, capacity=capacity, same=np.array(same))
    assert np.bincount(parts).max() <= capacity
    sure = capacity - -(-count // clusters) + 1
    for group in set(same):
        rows = [row for row, number in enumerate(same) if number == group]
        if len(rows) <= sure:
            assert len({int(parts[row]) for row in rows}) == 1


@pytest.mark.parametrize("capacity", [20, 40])
def test_many_clusters_are_looked_at_beyond_the_nearest_few(capacity):
    """Far more rows want one cluster than it holds; all find a place all the same."""
    costs = np.tile(np.arange(50, dtype=np.float32), (1000, 1))
    parts = assign_balanced(costs, capacity=capacity)
    assert np.bincount(parts, minlength=50).max() == capacity
    assert parts.max() == -(-1000 // capacity) - 1
