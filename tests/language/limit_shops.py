"""The shops that the written cases of limits are read in."""

from __future__ import annotations

import pyarrow as pa

from p5rec.data.catalogue import Catalogue

# ruff: noqa: E501 (one item a line)
ROWS = (
    # title, brand, categories, price, rating, calories, vegan, in_stock, gender, roast
    ("Oat Milk Barista", "Oatly", ["Drinks", "Plant Milk"], 3.5, 4.6, 59, True, True, None, None),
    ("Soy Milk", "Alpro", ["Drinks", "Plant Milk"], 2.0, 4.1, 39, True, True, None, None),
    ("Greek Yogurt Vanilla", "Chobani", ["Dairy", "Yogurt"], 1.5, 4.4, 120, False, True, None, None),
    ("Corn Chips", "Dr. Crunch", ["Snacks", "Chips"], 4.0, 3.9, 500, True, False, None, None),
    ("Dark Chocolate Nuts", "Lindt", ["Snacks", "Chocolate"], 2.5, 4.8, 540, True, True, None, None),
    ("Milk Chocolate", "Lindt", ["Snacks", "Chocolate"], None, 4.7, 530, False, True, None, None),
    ("House Blend", "L'Oréal", ["Drinks", "Coffee"], 12.0, None, 2, True, True, None, "dark"),
    ("Breakfast Blend", "Alpro", ["Drinks", "Coffee"], 8.0, 3.2, 2, True, False, None, "medium"),
    ("Curl Shampoo", "Not Your Mother's", ["Beauty", "Hair Care"], 9.0, 4.0, None, None, True, "female", None),
    ("Running Socks", "No Nonsense", ["Clothing", "Socks"], 6.0, 4.2, None, None, True, "male", None),
    ("Training Shirt", "Under Armour", ["Clothing", "Shirts"], 25.0, 4.5, None, None, True, "male", None),
    ("Sea Salt Spray", "Brand New Day", ["Beauty", "Hair Care"], 15.0, 3.5, None, None, True, "female", None),
    ("Peanut Butter, No Added Sugar", "Nutty", ["Pantry", "Spreads"], 5.0, 4.3, 600, True, True, None, None),
    ("Gluten-Free Bread", "Mill Lane", ["Bakery (Fresh)", "Bread, Rolls and Buns"], 4.5, 3.8, 250, False, True, None, None),
    ("2-in-1 Conditioner", "Mill Lane", ["Beauty", "Hair Care"], 7.0, 4.0, None, None, True, None,
     None),
    ("Baby Wipes Sensitive", "Soft & Co", ["Baby", "Wipes"], 3.0, 4.9, None, None, True, None, None),
    ("Puppy Food Salmon", "Alpo", ["Pets", "Dog Food"], 20.0, 4.4, 350, None, True, None, None),
    ("Cat Litter", "Alpo", ["Pets", "Cat Supplies"], 11.0, 4.0, None, None, True, None, None),
)  # fmt: skip


def full_shop() -> Catalogue:
    """A shop with prices, ratings, calories, truth values and further attributes."""
    names = ("title", "brand", "categories", "price", "rating", "calories", "vegan", "in_stock",
             "gender", "roast")  # fmt: skip
    columns = dict(zip(names, map(list, zip(*ROWS, strict=True)), strict=True))
    ids = [f"sku-{row}" for row in range(len(ROWS))]
    return Catalogue.from_table(pa.table({"item_id": ids, **columns}))


def bare_shop() -> Catalogue:
    """A shop that knows titles only: no price, no brand, no category."""
    titles = ["Corn chips", "Milk chocolate", "No Man's Sky", "Vegan cookies", "Uno card game"]
    ids = [f"sku-{row}" for row in range(len(titles))]
    return Catalogue.from_table(pa.table({"item_id": ids, "title": titles}))
