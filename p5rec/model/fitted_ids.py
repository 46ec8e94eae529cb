"""Semantic IDs on disk with their catalogue: a folder of their own, or a part of a bundle."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

from p5rec.data.catalogue import Catalogue
from p5rec.ids.diff import FittedIDs
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.bundle import open_bundle, writing_bundle

CATALOGUE = "catalogue.parquet"
SEMANTIC_IDS = "semantic_ids.safetensors"


def save_ids(fitted: FittedIDs, path: Path) -> None:
    """Write semantic IDs and their catalogue to a folder; a reader sees the old one or the new.

    :raises BundleError: if it cannot be written, or holds something else.
    """
    with writing_bundle(path, {"holds": "semantic IDs"}) as folder:
        pq.write_table(fitted.catalogue.table, folder / CATALOGUE)
        save_file(fitted.ids.to_arrays(), folder / SEMANTIC_IDS)


def load_ids(path: Path) -> FittedIDs:
    """The semantic IDs of a folder that :func:`save_ids` wrote, or of a bundle; loads no model.

    :raises BundleError: if it is incomplete or has changed since it was written.
    """
    open_bundle(path)
    return FittedIDs(
        SemanticIDs.from_arrays(load_file(path / SEMANTIC_IDS)),
        Catalogue(pq.read_table(path / CATALOGUE)),
    )
