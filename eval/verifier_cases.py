"""Judges the check of explanations by 300 sentences that were judged by hand."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from p5rec.data.catalogue import Catalogue
from p5rec.language.verify import Verifier
from p5rec.language.words import words

CASES = Path(__file__).parent / "verifier" / "cases.toml"
_CLAIM = re.compile(r"\[([+-])([^\]]*)\]")
_COLUMNS = ("title", "brand", "categories", "variant", "price")


@dataclass(frozen=True)
class Case:
    """One sentence about an item; ``claims`` are its parts with what a reader said of each."""

    shop: str
    item: str
    history: tuple[str, ...]
    text: str
    claims: tuple[tuple[str, bool], ...]
    unseen: bool


def cases(file: Path = CASES) -> Iterator[Case]:
    """Every sentence of the file."""
    for block in tomllib.loads(file.read_text(encoding="utf-8"))["block"]:
        for number, marked in enumerate(block["sentences"]):
            claims = tuple((said, sign == "+") for sign, said in _CLAIM.findall(marked))
            text = _CLAIM.sub(r"\2", marked)
            history = tuple(block["history"])
            yield Case(block["shop"], block["item"], history, text, claims, number % 2 == 1)


def shops(file: Path = CASES) -> dict[str, tuple[Catalogue, Verifier]]:
    """The catalogues of the file, each with its verifier."""
    found = {}
    for name, shop in tomllib.loads(file.read_text(encoding="utf-8"))["shops"].items():
        rows = shop["items"]
        columns = dict.fromkeys(key for row in rows for key in ("item_id", *_COLUMNS, *row))
        table = pa.table({column: [row.get(column) for row in rows] for column in columns})
        catalogue = Catalogue.from_table(table)
        found[name] = (catalogue, Verifier(catalogue, verb=shop["verb"]))
    return found


def judge(file: Path = CASES) -> dict[str, Any]:
    """Precision and recall of what the check accepts, for claims and for whole sentences.

    A claim counts as accepted where its sentence is kept, or where every claim that the check
    finds in its words is accepted; in a sentence that cannot be read nothing is.
    """
    known = shops(file)
    told: dict[str, list[tuple[bool, bool]]] = {}
    wrong = []
    for case in cases(file):
        catalogue, verifier = known[case.shop]
        item, *history = catalogue.rows_of([case.item, *case.history]).tolist()
        found = verifier.claims(case.text, item=item, history_rows=history)
        kept = bool(found) and all(claim.supported for claim in found)
        true = all(supported for _, supported in case.claims)
        part = "unseen" if case.unseen else "written"
        for at in (part, "all"):
            told.setdefault(f"{at} sentences", []).append((kept, true))
            for said, supported in case.claims:
                accepted = kept or _accepted(said, found)
                told.setdefault(f"{at} claims", []).append((accepted, supported))
        if kept != true:
            wrong.append((part, "kept" if kept else "refused", case.text, case.item, found))
    figures = {name: _figures(pairs) for name, pairs in told.items()}
    return {
        **{
            part: {kind: figures[f"{part} {kind}"] for kind in ("claims", "sentences")}
            for part in ("all", "written", "unseen")
        },
        "wrong": wrong,
    }


def _accepted(said: str, found: list[Any]) -> bool:
    own = set(words(said))
    about = [claim for claim in found if own.intersection(words(claim.text))]
    return bool(about) and all(claim.supported for claim in about)


def _figures(pairs: list[tuple[bool, bool]]) -> dict[str, float | int]:
    accepted = [true for kept, true in pairs if kept]
    right = sum(accepted)
    return {
        "n": len(pairs),
        "precision": right / max(len(accepted), 1),
        "recall": right / max(sum(true for _, true in pairs), 1),
    }
