"""Near-identical items: those that read the same and are chosen alike."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.preprocessing import normalize

from p5rec.data.catalogue import Catalogue
from p5rec.ids.content import full_texts
from p5rec.ids.words import comparable

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# The least cosine of twins' vectors. Branches of one chain read the same and have other guests:
# kept together, they would tell less of what is chosen next.
_ALIKE = 0.6


def find_twins(same: Ints, vectors: Floats) -> Ints:
    """A number for each item that it shares with its twins, and with no other: int64[N].

    Each item joins the first one that reads the same and is chosen alike, if there is one. Items
    that nobody chose yet stand where their words let expect, so that those which read the same are
    twins; so are those without a vector (all zeros).

    >>> vectors = np.float32([[1, 0], [0.9, 0.1], [0, 1], [1, 0]])
    >>> find_twins(np.array([7, 7, 7, 8]), vectors).tolist()
    [0, 0, 2, 3]

    :param same: int64[N], one number for items that read the same; in the order of their content.
    :param vectors: float32[N, d].
    """
    twins = np.arange(len(same))
    _, groups, counts = np.unique(same, return_inverse=True, return_counts=True)
    several = np.flatnonzero(counts[groups] > 1)
    several = several[np.argsort(groups[several], kind="stable")]
    bounds = np.cumsum(counts[counts > 1])
    for left in np.split(several, bounds[:-1]) if len(several) else ():
        unit = normalize(vectors[left])
        while len(left):
            alike = (unit @ unit[0] >= _ALIKE) | ~unit.any(axis=1)
            alike[0] = True
            twins[left[alike]] = left[0]
            left, unit = left[~alike], unit[~alike]
    return twins


def known_twins(catalogue: Catalogue, new: Ints) -> Ints:
    """For each new row of a catalogue, the first other one that reads the same, -1 for none: int64.

    Only items with a title can be found, by their title first: this is quick among a million.

    >>> import pyarrow as pa
    >>> titles = pa.table({"item_id": ["a", "b", "c"], "title": ["Oat milk", "Tea", "oat milk"]})
    >>> known_twins(Catalogue.from_table(titles), np.array([2])).tolist()
    [0]
    """
    found = np.full(len(new), -1, dtype=np.int64)
    if "title" not in catalogue.table.column_names or not len(new):
        return found
    titles = pc.utf8_lower(catalogue.table["title"].cast(pa.string()))
    known = np.ones(len(catalogue), dtype=bool)
    known[new] = False
    wanted = pc.drop_null(titles.take(new))
    rows = np.flatnonzero(known & pc.is_in(titles, value_set=wanted).to_numpy())
    first: dict[str, int] = {}
    for row, text in zip(rows.tolist(), _read(catalogue, rows), strict=True):
        first.setdefault(text, row)
    for place, text in enumerate(_read(catalogue, new)):
        found[place] = first.get(text, -1)
    return found


def _read(catalogue: Catalogue, rows: Ints) -> list[str]:
    return [comparable(text) for text in full_texts(Catalogue(catalogue.table.take(rows)))]
