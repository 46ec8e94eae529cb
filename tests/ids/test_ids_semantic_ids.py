import io

import numpy as np
import pytest

from p5rec.errors import SemanticIDError
from p5rec.ids.semantic_ids import SemanticIDs, node_counts


def small(**changes):
    parts = {
        "levels": ("brand", "item"),
        "codes": np.array([[0, 0], [0, 1], [1, 0]], dtype=np.int32),
        "labels": (("Ärla", "(no brand)"), ("1", "2")),
        "notes": ("a note",),
    }
    return SemanticIDs(**(parts | changes))


def test_what_it_says_of_itself():
    ids = small()
    assert len(ids) == 3
    assert ids.depth == 2
    assert ids.sizes == (2, 2)
    assert ids.path_in_words(1) == ["Ärla", "2"]
    assert ids.describe().splitlines() == [
        "3 items",
        "level    codes    nodes  widest    mean",
        "brand        2        2       2     2.0",
        "item         2        3       2     1.5",
        "note: a note",
    ]


def test_saved_without_pickle_and_read_back_equal():
    ids, file = small(), io.BytesIO()
    np.savez(file, **ids.to_arrays())
    file.seek(0)
    back = SemanticIDs.from_arrays(np.load(file, allow_pickle=False))
    assert (back.codes == ids.codes).all()
    assert (back.levels, back.labels, back.notes) == (ids.levels, ids.labels, ids.notes)


def test_codes_cannot_be_changed_from_outside():
    codes = np.array([[0, 0], [0, 1], [1, 0]], dtype=np.int32)
    ids = small(codes=codes)
    codes[0, 0] = 1
    assert ids.codes[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        ids.codes[0, 0] = 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": np.zeros((0, 2), np.int32)}, "no items"),
        ({"codes": np.zeros(3, np.int32)}, "shape"),
        ({"codes": np.zeros((3, 2))}, "float64"),
        ({"codes": np.array([[0, 0], [0, 1], [0, 1]])}, "rows 1 and 2 have the same path"),
        ({"codes": np.array([[0, 0], [0, 1], [2, 0]])}, "'brand' has codes from 0 to 2"),
        ({"codes": np.array([[0, 0], [0, 1], [0, -1]])}, "'item' has codes from -1"),
        ({"levels": ("item",)}, "1 level names"),
        ({"levels": ("item", "brand")}, "the last one 'item'"),
        ({"levels": ("item", "item")}, "different names"),
    ],
)
def test_refuses_what_is_not_a_tree_of_items(changes, message):
    with pytest.raises(SemanticIDError, match=message):
        small(**changes)


def without_labels(arrays):
    return arrays | {"text": np.frombuffer(b'{"levels": ["item"]}', np.uint8)}


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: {"codes": arrays["codes"]},
        lambda arrays: {"text": arrays["text"]},
        lambda arrays: arrays | {"text": arrays["text"][:-1]},
        without_labels,
    ],
)
def test_damaged_arrays_are_refused(damage):
    with pytest.raises(SemanticIDError, match="cannot be read"):
        SemanticIDs.from_arrays(damage(small().to_arrays()))


def test_nodes_are_counted_by_path_not_by_code():
    codes = np.array([[0, 0, 0], [1, 0, 0], [1, 0, 1], [1, 0, 2], [1, 1, 0]], dtype=np.int32)
    nodes, widest = node_counts(codes)
    assert nodes == [2, 3, 5]
    assert widest == [2, 2, 3]
