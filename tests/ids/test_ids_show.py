import json

import pyarrow as pa
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.ids.attributes import fit_attribute_ids
from p5rec.ids.show import place_of_item, tree_of_item


@pytest.fixture
def shop():
    titles = ["Oat drink", "Oat milk", "Rice milk", "Soy milk", "Soap"]
    brands = ["Alpo", "Alpo", "Alpo", "Alpo", None]
    ids = ["m1", "m2", "m3", "m4", "s1"]
    return Catalogue.from_table(pa.table({"item_id": ids, "title": titles, "brand": brands}))


@pytest.fixture
def ids(shop):
    return fit_attribute_ids(shop, levels=["brand"], leaves="shared", max_width=9)


def test_the_tree_in_words(ids, shop):
    assert tree_of_item(ids, shop, 2, siblings=2) == [
        "Rice milk (m3)",
        "└─ brand: Alpo [1] · 1 of 2 · 4 items",
        "   └─ item: Rice milk [2] · 1 of 4",
        "      beside: Oat milk (m2)",
        "      beside: Soy milk (m4)",
    ]


def test_an_only_child(ids, shop):
    assert tree_of_item(ids, shop, 4) == [
        "Soap (s1)",
        "└─ brand: (no brand) [0] · 1 of 2 · 1 item",
        "   └─ item: Soap [0] · 1 of 1",
    ]


def test_the_same_as_json(ids, shop):
    place = json.loads(json.dumps(place_of_item(ids, shop, 0, siblings=1).as_dict()))
    assert place == {
        "item_id": "m1",
        "name": "Oat drink",
        "steps": [
            {"level": "brand", "code": 1, "label": "Alpo", "choices": 2, "items": 4},
            {"level": "item", "code": 0, "label": "1", "choices": 4, "items": 1},
        ],
        "siblings": [{"item_id": "m2", "name": "Oat milk"}],
    }


@pytest.mark.parametrize("row", [-1, 5])
def test_a_row_that_is_not_there(ids, shop, row):
    with pytest.raises(RequestError, match=f"row {row}; expected 0 to 4"):
        tree_of_item(ids, shop, row)


def test_ids_of_another_catalogue(ids):
    other = Catalogue.from_table(pa.table({"item_id": ["x"]}))
    with pytest.raises(RequestError, match="those of 5 items, the catalogue has 1"):
        place_of_item(ids, other, 0)
