"""A small shop whose facts a reader can hold in mind."""

from __future__ import annotations

from itertools import islice

import pyarrow as pa

from p5rec.data.catalogue import Catalogue
from p5rec.language.explanation import Evidence
from p5rec.language.sentences import candidates

ROWS = (
    # title, brand, categories, variant, price, roast
    ("Oat Milk Barista", "Oatly", ["Drinks", "Plant Milk"], "1 l", 3.5, None),
    ("Soy Milk", "Alpro", ["Drinks", "Plant Milk"], "1 l", 2.0, None),
    ("Greek Yogurt Vanilla", "Chobani", ["Dairy", "Yogurt"], "5.3 oz", 1.5, None),
    ("Strawberry Yogurt", "Chobani", ["Dairy", "Yogurt"], "150 g", 1.2, None),
    ("Corn Chips", "Dr. Crunch", ["Snacks", "Chips"], "200 g", 4.0, None),
    ("Dark Chocolate", "Lindt", ["Snacks", "Chocolate"], "100 g", 2.5, None),
    ("Milk Chocolate", "Lindt", ["Snacks", "Chocolate"], "100 g", None, None),
    (None, "National 69", ["GROCERY", "FLUID MILK"], "1/2 GAL", 2.2, None),
    ("House Blend", "L'Oréal", ["Drinks", "Coffee"], "1 kg", 12.0, "dark"),
    ("Breakfast Blend", "Alpro", ["Drinks", "Coffee"], "500 g", 8.0, "dark"),
)
OAT, SOY, GREEK, STRAWBERRY, CHIPS, DARK, MILK_CHOCOLATE, FLUID, HOUSE, BREAKFAST = range(10)
HISTORY = [SOY, GREEK, GREEK, CHIPS, GREEK, DARK, HOUSE]


def shop() -> Catalogue:
    names = ("title", "brand", "categories", "variant", "price", "roast")
    columns = dict(zip(names, map(list, zip(*ROWS, strict=True)), strict=True))
    return Catalogue.from_table(pa.table({"item_id": [f"sku-{n}" for n in range(10)], **columns}))


def plain_sentences(catalogue: Catalogue, evidence: Evidence, *, verb: str = "chose") -> list[str]:
    """The two strongest sentences of some evidence."""
    return [one[0].text for one in islice(candidates(catalogue, evidence, verb=verb), 2)]
