"""A trie as files: plain arrays, opened by memory map."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from p5rec.decoding.trie import Trie
from p5rec.errors import BundleError
from p5rec.model.bundle import sha256_of

CONTENTS = "trie.json"


def save_trie(trie: Trie, folder: Path) -> None:
    """Write the arrays of a trie as ``*.npy`` and what they must be as ``trie.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {}
    for name, array in _arrays(trie):
        file = folder / f"{name}.npy"
        np.save(file, array, allow_pickle=False)
        about[name] = {"sha256": sha256_of(file), "length": len(array)}
    text = json.dumps({"depth": trie.depth, "arrays": about}, indent=1)
    (folder / CONTENTS).write_text(text, encoding="utf-8")


def open_trie(folder: Path, *, check: bool = True) -> Trie:
    """Open a trie by memory map: pages are read as a walk needs them.

    :param check: compare every byte with what was written; reads the files once.
    :raises BundleError: if a file is missing, cut short or changed.
    """
    try:
        about = json.loads((folder / CONTENTS).read_text(encoding="utf-8"))
        depth, arrays = int(about["depth"]), dict(about["arrays"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder / CONTENTS, f"cannot be read ({error})") from error
    read = {}
    for name, expected in arrays.items():
        file = folder / f"{name}.npy"
        if check and (not file.is_file() or sha256_of(file) != expected["sha256"]):
            raise _damaged(file, "is missing or was changed")
        try:
            # Copy on write: what is written in memory never reaches the file.
            read[name] = np.asarray(np.load(file, mmap_mode="c", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise _damaged(file, f"cannot be read ({error})") from error
        if read[name].shape != (expected["length"],):
            raise _damaged(file, f"has shape {read[name].shape}, not ({expected['length']},)")
    try:
        return Trie(
            child_start=tuple(read[f"child_start_{d}"] for d in range(depth)),
            leaf_start=tuple(read[f"leaf_start_{d}"] for d in range(depth + 1)),
            code=tuple(read[f"code_{d}"] for d in range(depth)),
            item_of_leaf=read["item_of_leaf"],
            leaf_of_item=read["leaf_of_item"],
            live=read.get("live"),
        )
    except KeyError as error:
        raise _damaged(folder / CONTENTS, f"does not name the array {error}") from error


def _arrays(trie: Trie) -> Iterator[tuple[str, np.ndarray]]:
    for name in ("child_start", "leaf_start", "code"):
        for depth, array in enumerate(getattr(trie, name)):
            yield f"{name}_{depth}", array
    yield "item_of_leaf", trie.item_of_leaf
    yield "leaf_of_item", trie.leaf_of_item
    if trie.live is not None:
        yield "live", trie.live


def _damaged(file: Path, what: str) -> BundleError:
    return BundleError(
        f"{file} {what}; expected the trie as it was saved. Save it again from the semantic IDs."
    )
