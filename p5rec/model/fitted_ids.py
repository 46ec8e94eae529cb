"""Semantic IDs on disk with their catalogue: a folder of their own, or a part of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from safetensors.numpy import load_file, save_file

from p5rec.data.catalogue import Catalogue
from p5rec.ids.diff import FittedIDs
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.bundle import open_bundle, writing_bundle
from p5rec.model.recipe import Recipe

CATALOGUE = "catalogue.parquet"
SEMANTIC_IDS = "semantic_ids.safetensors"


def save_ids(
    fitted: FittedIDs, path: Path, *, scheme: Scheme | None = None, hold_out: str = "nothing"
) -> None:
    """Write semantic IDs and their catalogue to a folder; a reader sees the old one or the new.

    :param scheme: what makes these IDs of the catalogue and events, if anything does by itself.
    :param hold_out: what of the events they were not fitted on: ``nothing``, ``last-basket`` or
        ``everything``.
    :raises BundleError: if it cannot be written, or holds something else.
    """
    about: dict[str, Any] = {"holds": "semantic IDs", "training": {"hold_out": hold_out}}
    if scheme is not None:
        about["scheme"] = asdict(scheme)
    with writing_bundle(path, about) as folder:
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


def stored_scheme(path: Path, manifest: Mapping[str, Any]) -> Scheme | None:
    """How the semantic IDs of a folder were made: by a bundle's recipe, or as ``save_ids`` noted.

    :param manifest: what :func:`open_bundle` says of the folder.
    """
    recipe = path / "recipe.json"
    if recipe.is_file():
        return Recipe.model_validate_json(recipe.read_text(encoding="utf-8")).ids.scheme()
    noted = manifest.get("scheme")
    if noted is None:
        return None
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in noted.items()
    }
    return Scheme(**fields)
