import json

import numpy as np
import pyarrow as pa
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.errors import BundleError, SemanticIDError
from p5rec.ids.attributes import fit_attribute_ids
from p5rec.ids.diff import FittedIDs, diff_ids
from p5rec.ids.placing import place_items
from p5rec.model.fitted_ids import load_ids, save_ids


def fitted(brands, ids=None, levels=("brand",)):
    names = ids or [f"i{n}" for n in range(len(brands))]
    titles = [f"thing {name}" for name in names]
    catalogue = Catalogue.from_table(pa.table({"item_id": names, "title": titles, "brand": brands}))
    found = fit_attribute_ids(catalogue, levels=list(levels), leaves="shared", max_width=99)
    return FittedIDs(found, catalogue)


def test_the_same_has_no_difference():
    one = fitted(["Lux", "Own", "Own"])
    found = diff_ids(one, one)
    assert (found.kept, found.changed, found.added, found.gone) == (3, (), (), ())
    assert not found.levels_changed
    assert found.describe() == [
        "kept\t3",
        "changed\t0\t0 of them to another place",
        "added\t0",
        "gone\t0",
    ]


def test_a_refit_numbers_anew_and_moves():
    old = fitted(["Lux", "Own", "Own"])
    new = fitted(["Alpo", "Lux", "Lux", "Own"], ids=["i9", "i0", "i1", "i2"])
    found = diff_ids(old, new)
    assert [(one.item_id, one.level) for one in found.changed] == [
        ("i0", "brand"),
        ("i1", "item"),
        ("i2", "brand"),
    ] or [one.item_id for one in found.changed] == ["i0", "i2"]
    assert found.added == ("i9",)
    assert found.gone == ()
    lines = found.describe(examples=1)
    assert lines[0].startswith("kept")
    assert json.loads(json.dumps(found.as_dict()))["added"] == ["i9"]


def test_growth_changes_nothing_that_was_there():
    old = fitted(["Lux", "Own", "Own"])
    grown = fitted(["Own", "Lux", "Own", "Alpo"], ids=["i2", "i0", "i7", "i8"]).catalogue
    found = diff_ids(old, FittedIDs(place_items(old.ids, old.catalogue, grown), grown))
    assert (found.kept, found.changed) == (2, ())
    assert (found.added, found.gone) == (("i7", "i8"), ("i1",))


def test_other_levels_make_all_paths_others():
    old, new = fitted(["Lux", "Own"]), fitted(["Lux", "Own"], levels=())
    found = diff_ids(old, new)
    assert found.levels_changed
    assert len(found.changed) == 2
    assert found.describe()[0] == "levels\tbrand > item\titem"
    assert found.changed[0].before == ("Lux", "1")


def test_ids_of_another_catalogue():
    with pytest.raises(SemanticIDError, match="those of 2 items, the catalogue has 3"):
        FittedIDs(fitted(["a", "b"]).ids, fitted(["a", "b", "c"]).catalogue)


def test_written_and_read_back(tmp_path):
    one = fitted(["Lux", "Own", None])
    save_ids(one, tmp_path / "ids")
    back = load_ids(tmp_path / "ids")
    assert diff_ids(one, back).kept == 3
    assert back.ids.labels == one.ids.labels
    more = fitted(["x"], ids=["new"]).catalogue.table
    grown = Catalogue(pa.concat_tables([back.catalogue.table, more]))
    assert np.array_equal(
        place_items(back.ids, back.catalogue, grown).codes,
        place_items(one.ids, one.catalogue, grown).codes,
    )


def test_a_damaged_folder_is_refused(tmp_path):
    save_ids(fitted(["Lux", "Own"]), tmp_path / "ids")
    file = tmp_path / "ids" / "semantic_ids.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BundleError, match="has changed since"):
        load_ids(tmp_path / "ids")
