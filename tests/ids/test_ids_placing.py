"""Items that come later: every old path stays, every new one is free."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.ids.attributes import fit_attribute_ids
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.learned import fit_residual_ids
from p5rec.ids.placing import place_items
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import SemanticIDs

SCHEMA = pa.schema(
    {
        "item_id": pa.string(),
        "title": pa.string(),
        "brand": pa.string(),
        "categories": pa.list_(pa.string()),
    }
)
items = st.fixed_dictionaries(
    {
        "title": st.sampled_from([None, "oat milk", "soy milk", "black tea", "green tea", "soap"]),
        "brand": st.sampled_from([None, "Own", "OWN ", "Lux", "Alpo"]),
        "categories": st.sampled_from([None, ["Food"], ["Food", "Milk"], ["Care"]]),
    }
)
schemes = st.builds(
    Scheme,
    kind=st.sampled_from(["attributes", "residual", "hybrid"]),
    levels=st.sampled_from([("brand",), ("categories[0]", "brand")]),
    leaves=st.sampled_from(["unique", "shared"]),
    max_width=st.sampled_from([4, 128]),
    vectors=st.just("text"),
    widths=st.sampled_from([(), (4, 4)]),
)
few = settings(max_examples=40, deadline=None)


def catalogue_of(rows, first=0):
    named = [{"item_id": f"i{first + n}", **row} for n, row in enumerate(rows)]
    return Catalogue.from_table(pa.Table.from_pylist(named, schema=SCHEMA))


def joined(*catalogues):
    return Catalogue(pa.concat_tables([one.table for one in catalogues]))


def row(title=None, brand=None, categories=None):
    return {"title": title, "brand": brand, "categories": categories}


def told(values):
    return repr(sorted(values.items()))


@few
@given(
    old=st.lists(items, min_size=1, max_size=20),
    new=st.lists(items, max_size=12),
    scheme=schemes,
    data=st.data(),
)
def test_old_paths_stay_and_new_ones_are_free(old, new, scheme, data):
    catalogue = catalogue_of(old)
    ids = fit_semantic_ids(catalogue, scheme)
    more = joined(catalogue, catalogue_of(new, first=len(old)))
    order = data.draw(st.permutations(range(len(more))))
    kept = [n for n in order if n >= len(old) or data.draw(st.booleans())] or order
    grown = Catalogue(more.table.take(kept))
    result = place_items(ids, catalogue, grown)
    assert result.levels == ids.levels
    for mine, before in zip(result.labels, ids.labels, strict=True):
        assert mine[: len(before)] == before
    seen = {tuple(path) for path in ids.codes.tolist()}
    for place, was in enumerate(kept):
        path = tuple(result.codes[place].tolist())
        if was < len(old):
            assert path == tuple(ids.codes[was].tolist())
        else:
            assert path not in seen
            seen.add(path)


@few
@given(
    old=st.lists(items, min_size=2, max_size=20), new=st.lists(items, max_size=9), scheme=schemes
)
def test_a_place_does_not_depend_on_rows_or_ids(old, new, scheme):
    catalogue = catalogue_of(old)
    ids = fit_semantic_ids(catalogue, scheme)
    one = place_items(ids, catalogue, joined(catalogue, catalogue_of(new, first=100)))
    other = place_items(ids, catalogue, joined(catalogue_of(new[::-1], first=500), catalogue))
    assert sorted(zip(map(told, new), one.codes[len(old) :].tolist(), strict=True)) == sorted(
        zip(map(told, new[::-1]), other.codes[: len(new)].tolist(), strict=True)
    )


@few
@given(
    old=st.lists(items, min_size=1, max_size=20), new=st.lists(items, max_size=9), scheme=schemes
)
def test_saved_and_read_back_it_grows_the_same(old, new, scheme):
    catalogue = catalogue_of(old)
    ids = fit_semantic_ids(catalogue, scheme)
    back = SemanticIDs.from_arrays(ids.to_arrays())
    grown = joined(catalogue, catalogue_of(new, first=100))
    one, other = place_items(ids, catalogue, grown), place_items(back, catalogue, grown)
    assert (one.codes == other.codes).all()
    assert (one.labels, one.notes) == (other.labels, other.notes)
    again = SemanticIDs.from_arrays(one.to_arrays())
    assert (place_items(again, grown, grown).codes == one.codes).all()


def shop(count=60):
    kinds = [("milk", "Dairy"), ("tea", "Drinks"), ("soap", "Care")]
    return catalogue_of(
        [
            row(f"{kind} w{n % 7}", ["Own", "Lux", "Alpo"][n % 2], [category])
            for n in range(count)
            for kind, category in [kinds[n % 3]]
        ]
    )


@pytest.mark.parametrize("kind", ["attributes", "residual", "hybrid"])
@pytest.mark.parametrize(
    "poor", [row("oat milk w3"), row(brand="Lux"), row(), row(brand="Nobody else")]
)
def test_an_item_of_which_little_is_known_finds_a_place(kind, poor):
    catalogue = shop()
    scheme = Scheme(kind, ("categories[0]", "brand"), vectors="text")
    ids = fit_semantic_ids(catalogue, scheme)
    result = place_items(ids, catalogue, joined(catalogue, catalogue_of([poor], first=60)))
    assert len(result) == 61
    assert (result.codes[:60] == ids.codes).all()


def test_a_new_item_goes_to_its_like():
    catalogue = shop()
    ids = fit_semantic_ids(catalogue, Scheme("residual", vectors="text", widths=(3,)))
    new = catalogue_of([row("tea w2", "Own", ["Drinks"]), row("soap")], first=60)
    result = place_items(ids, catalogue, joined(catalogue, new))
    cluster = result.codes[:, 0]
    assert cluster[60] == np.bincount(cluster[1:60:3]).argmax()
    assert cluster[61] == np.bincount(cluster[2:60:3]).argmax()


def test_a_new_item_goes_beside_the_one_that_reads_the_same():
    """Events put the old one elsewhere than its words would; a full node has no room for twins."""
    shop = catalogue_of([row(f"{kind} {n}") for n in range(6) for kind in ("tea", "soap")])
    vectors = np.eye(2, dtype=np.float32)[np.arange(12) % 2]
    vectors[4] = vectors[1]
    ids = fit_residual_ids(vectors, shop, widths=(2,), max_width=8)
    more = catalogue_of([row("TEA  2"), row("tea 9"), row("tea 2")], first=12)
    vector = np.tile(vectors[0], (3, 1))
    grown = place_items(ids, shop, joined(shop, more), vectors=vector).codes
    assert grown[12, 0] == grown[4, 0] != grown[13, 0]
    assert grown[14, 0] != grown[4, 0]


def test_a_value_that_no_item_had_gets_a_code_after_all_others():
    catalogue = shop()
    ids = fit_attribute_ids(catalogue, levels=["brand"], leaves="shared", max_width=99)
    new = catalogue_of([row("a", "Zed"), row("b", "lux"), row("c"), row("d", "ZED ")], first=60)
    result = place_items(ids, catalogue, joined(catalogue, new))
    assert result.labels[0] == ("Lux", "Own", "(no brand)", "ZED")
    assert result.codes[60:].tolist() == [[3, 0], [0, 30], [2, 0], [3, 1]]


def test_a_known_brand_stays_in_its_group():
    brands = [row(f"{kind} {n}", f"b{n}") for kind in ("tea", "soap") for n in range(12)]
    catalogue = catalogue_of([r | {"brand": f"{r['brand']}{r['title'][:1]}"} for r in brands])
    ids = fit_attribute_ids(catalogue, levels=["brand"], leaves="unique", max_width=8)
    assert ids.levels[:2] == ("brand group", "brand")
    new = catalogue_of([row("something else", "b3t"), row("soap", "new brand")], first=24)
    result = place_items(ids, catalogue, joined(catalogue, new))
    assert result.codes[24, :2].tolist() == ids.codes[3, :2].tolist()
    assert result.codes[25, 0] in ids.codes[12:, 0]


def test_codes_of_items_that_are_gone_are_not_given_again():
    catalogue = shop()
    for leaves in ("unique", "shared"):
        ids = fit_attribute_ids(catalogue, levels=["brand"], leaves=leaves, max_width=99)
        gone = place_items(ids, catalogue, left := Catalogue(catalogue.table.slice(0, 40)))
        assert gone.growth.retired.tolist() == ids.codes[40:].tolist()
        back = place_items(gone, left, catalogue)
        paths = {tuple(path) for path in ids.codes.tolist()}
        assert not paths & {tuple(path) for path in back.codes[40:].tolist()}
        assert back.notes[-1] == "since the fit: 20 items were placed, 20 have gone"
        assert len([note for note in back.notes if "since the fit" in note]) == 1


def test_a_full_cluster_sends_items_to_the_next():
    catalogue = shop(30)
    ids = fit_semantic_ids(
        catalogue, Scheme("residual", vectors="text", widths=(4,), max_width=10, leaves="shared")
    )
    new = catalogue_of([row("tea w1")] * 9, first=30)
    result = place_items(ids, catalogue, joined(catalogue, new))
    assert np.bincount(result.codes[:, 0]).max() <= 10
    full = place_items(result, joined(catalogue, new), joined(catalogue, new, shop_more(20)))
    assert any("went to nodes that were full" in note for note in full.notes)


def shop_more(count):
    return catalogue_of([row("tea w1")] * count, first=1000)


def test_vectors_of_the_callers_are_needed_again():
    catalogue = shop(30)
    noise = np.random.default_rng(0).normal(size=(30, 8))
    vectors = (np.eye(8)[np.arange(30) % 4] + 0.05 * noise).astype(np.float32)
    ids = fit_residual_ids(vectors, catalogue, widths=(4,))
    grown = joined(catalogue, catalogue_of([row("tea"), row("soap")], first=30))
    with pytest.raises(SemanticIDError, match=r"vectors of 8 dimensions.*Give vectors="):
        place_items(ids, catalogue, grown)
    with pytest.raises(SemanticIDError, match=r"4 dimensions; expected the shape \(2, 8\)"):
        place_items(ids, catalogue, grown, vectors=vectors[:2, :4])
    result = place_items(ids, catalogue, grown, vectors=vectors[:2])
    assert result.codes[30:, 0].tolist() == ids.codes[:2, 0].tolist()
    text = fit_semantic_ids(catalogue, Scheme("residual", vectors="text"))
    with pytest.raises(SemanticIDError, match="Leave vectors= out"):
        place_items(text, catalogue, grown, vectors=vectors[:2])


def test_ids_that_were_not_fitted_cannot_grow():
    ids = SemanticIDs(("item",), np.array([[0]], np.int32), (("1",),))
    catalogue = catalogue_of([row()])
    with pytest.raises(SemanticIDError, match="do not say how they were made"):
        place_items(ids, catalogue, catalogue)
    fitted = fit_attribute_ids(catalogue, levels=[], leaves="unique", max_width=4)
    with pytest.raises(SemanticIDError, match="those of 1 items, and the catalogue has 60"):
        place_items(fitted, shop(), shop())


def test_a_refit_keeps_old_paths_unless_asked():
    catalogue, grown = shop(40), shop(60)
    scheme = Scheme("hybrid", ("categories[0]",), vectors="text")
    ids = fit_semantic_ids(catalogue, scheme)
    kept = fit_semantic_ids(grown, scheme, keep=(ids, catalogue))
    assert (kept.codes[:40] == ids.codes).all()
    assert len(fit_semantic_ids(grown, scheme)) == 60
