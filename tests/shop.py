"""A small shop on disk: what the README, the command line and the front door are tried on."""

from __future__ import annotations

import csv
import random
from pathlib import Path

# item_id, title, brand, categories (root first), price
SHOP = [
    ("oats", "Rolled oats", "Mill Lane", "pantry|cereal", 2.1),
    ("granola", "Crunchy granola", "Mill Lane", "pantry|cereal", 3.9),
    ("honey", "Clear honey", "Bee Happy", "pantry|spread", 4.5),
    ("jam", "Strawberry jam", "Bee Happy", "pantry|spread", 2.8),
    ("milk", "Whole milk", "Hill Farm", "dairy|milk", 1.2),
    ("oat-drink", "Oat drink", "Mill Lane", "dairy|milk", 1.9),
    ("yoghurt", "Plain yoghurt", "Hill Farm", "dairy|yoghurt", 0.9),
    ("butter", "Salted butter", "Hill Farm", "dairy|butter", 2.4),
    ("rye-bread", "Dark rye bread", "Old Oven", "bakery|bread", 2.6),
    ("rolls", "Crusty rolls", "Old Oven", "bakery|bread", 1.5),
    ("chips", "Salted potato chips", "Crunchers", "snacks|chips", 1.7),
    ("nuts", "Roasted crunchy nuts", "Crunchers", "snacks|nuts", 3.2),
]

SMALL_RECIPE = """
[base]
family = "{family}"
mini = {{ layers = 1, heads = 2, width = 16, feed_forward = 32, text_tokens = 512, dropout = 0.0 }}

[adapter]
method = "full"

[training]
sequence = "{sequence}"
tasks = {{ next_item = 0.5, request = 0.2, item_text = 0.15, explanation = 0.15 }}
epochs = 1
least_steps = 150
batch_tokens = 2048
learning_rate = 1e-2
"""


def write_shop(folder: Path) -> None:
    """A shop where breakfast people and bread people buy what goes together, basket by basket."""
    with (folder / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item_id", "title", "brand", "categories", "price"])
        writer.writerows(SHOP)
    kinds = [SHOP[:7], SHOP[6:]]
    draw = random.Random(0)
    with (folder / "events.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user_id", "item_id", "timestamp", "session_id"])
        for user in range(40):
            for basket in range(5):
                day = f"2026-0{basket + 1}-{draw.randint(10, 28)}"
                for item in draw.sample(kinds[user % 2], k=3):
                    writer.writerow([f"u{user}", item[0], day, f"u{user}-{basket}"])


def write_small_recipe(file: Path, family: str) -> Path:
    """A recipe that trains in seconds."""
    sequence = "prefix" if family == "t5" else "every-event"
    file.write_text(SMALL_RECIPE.format(family=family, sequence=sequence), encoding="utf-8")
    return file
