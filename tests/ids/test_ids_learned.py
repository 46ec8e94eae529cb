"""Trees with learned levels: residual and hybrid."""

import math

import numpy as np
import pyarrow as pa
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.errors import SemanticIDError
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.learned import fit_hybrid_ids, fit_residual_ids
from p5rec.ids.quality import NearIdentical, measure
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import node_counts

N = 300
KINDS = 6


def shop(count=N):
    """Items of six kinds in three categories; the kind is a word of the title."""
    kind = np.arange(count) % KINDS
    return Catalogue.from_table(
        pa.table(
            {
                "item_id": [f"i{n}" for n in range(count)],
                "title": [f"kind{k} word{n % 17} thing{n}" for n, k in enumerate(kind)],
                "categories": [[f"category{k % 3}"] for k in kind.tolist()],
            }
        )
    )


def points(count=N, dimensions=8):
    """A vector an item, those of one kind close together."""
    random = np.random.default_rng(1)
    middles = random.normal(size=(KINDS, dimensions))
    noise = random.normal(size=(count, dimensions))
    return (middles[np.arange(count) % KINDS] + 0.1 * noise).astype(np.float32)


def log(count=N, users=120):
    """Users who stay with one kind."""
    random = np.random.default_rng(2)
    rows = [
        {"user_id": f"u{u}", "item_id": f"i{item}", "position": place}
        for u in range(users)
        for place, item in enumerate(random.permutation(np.arange(u % KINDS, count, KINDS))[:12])
    ]
    return Events.from_table(pa.Table.from_pylist(rows))


def usage(codes, size):
    share = np.bincount(codes, minlength=size) / len(codes)
    share = share[share > 0]
    return float(-(share * np.log(share)).sum() / np.log(size))


@pytest.mark.parametrize("widths", [(6,), (8, 4), (12, 5)])
@pytest.mark.parametrize("leaves", ["unique", "shared"])
def test_clusters_are_balanced_and_every_code_is_used(widths, leaves):
    ids = fit_residual_ids(points(), shop(), widths=widths, leaves=leaves)
    assert ids.levels == ("cluster", *["cluster 2"] * (len(widths) - 1), "item")
    assert len(np.unique(ids.codes, axis=0)) == N
    assert np.bincount(ids.codes[:, 0]).max() <= np.ceil(3 * N / widths[0])
    for level in range(len(widths)):
        assert usage(ids.codes[:, level], widths[level]) >= 0.8
        assert ids.sizes[level] <= widths[level]
        assert np.unique(ids.codes[:, level]).tolist() == list(range(ids.sizes[level]))
    assert ids.sizes[-1] == N if leaves == "unique" else ids.sizes[-1] < N


def test_like_items_share_a_cluster_that_says_what_they_are():
    ids = fit_residual_ids(points(), shop(), widths=(KINDS,))
    kind = np.arange(N) % KINDS
    for k in range(KINDS):
        mine = ids.codes[kind == k, 0]
        assert (mine == mine[0]).all()
        assert f"kind{k}" in ids.labels[0][mine[0]]


@pytest.mark.parametrize("kind", ["residual", "hybrid"])
def test_items_that_read_the_same_are_siblings(kind):
    """Three of each: more than nodes can be split into evenly, and their spelling differs."""
    spelt = ["thing {} of kind{}", "Thing  {} of kind{}", "THING {} of kind{} "]
    titles = [spelt[n % 3].format(n // 3, n % 9 // 3) for n in range(N)]
    kinds = pa.array([[f"category{n // 3 % 2}"] for n in range(N)])
    table = pa.table({"item_id": shop().item_ids, "title": titles, "categories": kinds})
    catalogue = Catalogue(table)
    ids = fit_semantic_ids(catalogue, Scheme(kind, widths=(6, 4), vectors="both"))
    triples = ids.codes[:, :-1].reshape(N // 3, 3, -1)
    assert (triples == triples[:, :1]).all()
    assert measure(ids, catalogue, {}).near_identical == NearIdentical(N, N // 3, N)


def test_items_that_read_the_same_and_are_chosen_with_other_things_part():
    table = shop().table.set_column(1, "title", pa.array([f"thing{n // KINDS}" for n in range(N)]))
    ids = fit_residual_ids(points(), Catalogue(table), widths=(KINDS,))
    kind = np.arange(N) % KINDS
    assert all(len(set(ids.codes[kind == k, 0].tolist())) == 1 for k in range(KINDS))
    assert ids.sizes[0] == KINDS


def test_more_items_that_read_the_same_than_a_node_holds():
    table = pa.table({"item_id": shop().item_ids, "title": ["thing"] * N})
    ids = fit_residual_ids(np.ones((N, 4), np.float32), Catalogue(table), widths=(40,), max_width=9)
    assert max(node_counts(ids.codes)[1][1:]) <= 9


def test_further_down_a_node_is_split_no_finer_than_needed():
    """Nodes of 50 items fit into one level of siblings: two parts each, of 30 codes."""
    ids = fit_residual_ids(points(), shop(), widths=(KINDS, 30), max_width=128)
    assert node_counts(ids.codes)[0] == [KINDS, 2 * KINDS, N]
    narrow = fit_residual_ids(points(), shop(), widths=(KINDS, 30), max_width=10)
    assert node_counts(narrow.codes)[0][1] >= N / 10


def test_items_that_are_chosen_together_share_a_cluster():
    catalogue = shop().table.select(["item_id"]).append_column("title", pa.array(["thing"] * N))
    bare = Catalogue.from_table(catalogue)
    scheme = Scheme("residual", widths=(KINDS,), vectors="co-occurrence")
    ids = fit_semantic_ids(bare, scheme, histories=log().histories(bare))
    for k in range(KINDS):
        assert np.bincount(ids.codes[k::KINDS, 0]).max() >= 0.9 * N / KINDS


def test_a_hybrid_puts_clusters_below_attributes():
    ids = fit_hybrid_ids(points(), shop(), levels=["categories[0]"], widths=(10,))
    assert ids.levels == ("categories[0]", "cluster", "item")
    assert ids.labels[0] == ("category0", "category1", "category2")
    assert ids.codes[:, 0].tolist() == [n % KINDS % 3 for n in range(N)]
    assert usage(ids.codes[:, 1], 10) >= 0.8


def test_a_code_means_the_same_under_every_parent():
    """Each category holds all kinds, and a kind is one code in all of them."""
    catalogue = shop()
    mixed = [[f"category{n // KINDS % 3}"] for n in range(N)]
    column = pa.array(mixed, pa.list_(pa.string()))
    table = catalogue.table.set_column(2, "categories", column)
    ids = fit_hybrid_ids(
        points(), Catalogue(table), levels=["categories[0]"], widths=(KINDS,), max_width=128
    )
    for k in range(KINDS):
        assert len(set(ids.codes[k::KINDS, 1].tolist())) == 1


def test_small_nodes_do_not_all_use_the_same_codes():
    table = shop().table
    brands = pa.array([f"brand{n // 3}" for n in range(N)])
    catalogue = Catalogue(table.append_column("brand", brands))
    ids = fit_hybrid_ids(points(), catalogue, levels=["brand"], widths=(8, 8), max_width=128)
    assert usage(ids.codes[:, 1], 8) >= 0.8


def test_widths_come_from_the_number_of_items():
    ids = fit_residual_ids(points(), shop(), max_width=128)
    # The square root of 300, of which one in ten may dissolve into its neighbours.
    assert math.ceil(0.9 * 18) <= ids.sizes[0] <= 18
    assert ids.sizes[1:] == (N,)
    deep = fit_residual_ids(points(), shop(), max_width=8)
    assert deep.levels == ("cluster", "cluster 2", "item")
    assert max(node_counts(deep.codes)[1]) <= 8


def test_vectors_of_the_callers_take_the_place_of_words():
    scheme = Scheme("residual", widths=(KINDS,), vectors="text")
    catalogue = Catalogue(shop().table.select(["item_id"]))
    ids = fit_semantic_ids(catalogue, scheme, vectors=points())
    other = fit_residual_ids(points(), catalogue, widths=(KINDS,))
    assert (ids.codes == other.codes).all()
    both = Scheme("residual", widths=(KINDS,), vectors="both")
    ids = fit_semantic_ids(catalogue, both, vectors=points(), histories=log().histories(catalogue))
    for k in range(KINDS):
        assert len(set(ids.codes[k::KINDS, 0].tolist())) == 1


def test_items_without_events_stand_where_their_words_let_expect():
    catalogue = shop()
    seen = Events(log().table.filter(pa.compute.field("item_id") != "i0"))
    scheme = Scheme("residual", widths=(KINDS,), vectors="co-occurrence")
    ids = fit_semantic_ids(catalogue, scheme, histories=seen.histories(catalogue))
    assert ids.codes[0, 0] == np.bincount(ids.codes[KINDS::KINDS, 0]).argmax()
    assert any("items without events" in note for note in ids.notes)


@pytest.mark.parametrize("vectors", ["co-occurrence", "both"])
def test_without_events_text_decides_and_a_note_says_so(vectors):
    ids = fit_semantic_ids(shop(), Scheme("residual", vectors=vectors))
    plain = fit_semantic_ids(shop(), Scheme("residual", vectors="text"))
    assert (ids.codes == plain.codes).all()
    assert ids.notes[0].startswith("vectors are those of the text alone")


def not_a_number(array):
    array[7, 3] = np.nan
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (not_a_number, r"1 vectors are not finite, the first in row 7 \(item 'i7'\)"),
        (lambda array: array[:-2], "298 vectors for 300 items"),
        (lambda array: array[0], r"shape \(8,\)"),
        (lambda array: array[:, :0], "0 dimensions"),
        (lambda array: array.astype(str), "expected numbers"),
    ],
)
def test_vectors_that_cannot_be_used(change, message):
    with pytest.raises(SemanticIDError, match=message):
        fit_residual_ids(change(points()), shop(), widths=(4,))
    with pytest.raises(SemanticIDError, match=message):
        fit_semantic_ids(shop(), Scheme("hybrid", ("categories[0]",)), vectors=change(points()))


def test_more_items_than_the_widths_hold():
    message = r"300 items have to be told apart below one node, .* hold 160\. Give larger widths"
    with pytest.raises(SemanticIDError, match=message):
        fit_residual_ids(points(), shop(), widths=(4, 4), max_width=10)


def test_an_attribute_that_is_not_there():
    with pytest.raises(SemanticIDError, match="Did you mean 'title'"):
        fit_hybrid_ids(points(), shop(), levels=["titel"])


@pytest.mark.parametrize("kind", ["attributes", "residual", "hybrid"])
def test_no_item_and_one_item(kind):
    empty = Catalogue.from_table(pa.table({"item_id": pa.array([], pa.string())}))
    with pytest.raises(SemanticIDError, match="empty"):
        fit_semantic_ids(empty, Scheme(kind))
    one = fit_semantic_ids(shop(1), Scheme(kind))
    assert one.codes.tolist() == [[0] * one.depth]
    nothing = Catalogue.from_table(pa.table({"item_id": ["a", "b", "c"]}))
    assert len(fit_semantic_ids(nothing, Scheme(kind, widths=(2, 2)))) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "rq-vae"}, "kind is 'rq-vae'; expected 'attributes' or 'residual' or 'hybrid'"),
        ({"leaves": "own"}, "'own'"),
        ({"vectors": "images"}, "'images'"),
        ({"max_width": 1}, "max_width is 1"),
        ({"widths": (64, 1)}, r"widths are \[64, 1\]"),
        ({"encoder": "mini"}, "'mini', but kind 'attributes' has no learned levels"),
        ({"kind": "x", "max_width": 0}, "kind is[^\n]*\nmax_width"),
    ],
)
def test_schemes_that_cannot_be(changes, message):
    with pytest.raises(SemanticIDError, match=message):
        Scheme(**changes)


@pytest.mark.parametrize("kind", ["residual", "hybrid"])
def test_held_out_events_change_nothing(kind):
    """Those who split a log and fit on the rest get the same paths whatever was held out."""
    catalogue, events = shop(), log()
    late = np.asarray(events.table["position"]) >= 10
    scheme = Scheme(kind, ("categories[0]",))
    before = fit_semantic_ids(catalogue, scheme, histories=_train(events, late, catalogue, 0))
    after = fit_semantic_ids(catalogue, scheme, histories=_train(events, late, catalogue, 1))
    assert (before.codes == after.codes).all()
    assert before.labels == after.labels


def _train(events, late, catalogue, seed):
    items = np.array(events.table["item_id"].to_pylist())
    items[late] = np.random.default_rng(seed).permutation(items[late])
    column = events.table.column_names.index("item_id")
    shuffled = Events(events.table.set_column(column, "item_id", pa.chunked_array([items])))
    return shuffled.select(~late).histories(catalogue)
