"""Shows how good semantic IDs are: tables for the terminal, one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from p5rec.data.catalogue import Catalogue
from p5rec.evaluation.ids_figures import agreement_curves, usage_curves
from p5rec.evaluation.page import write_page
from p5rec.evaluation.treemap import boxes_of, draw_treemap
from p5rec.ids.quality import Agreement, LevelQuality, Quality
from p5rec.ids.semantic_ids import SemanticIDs

AGREEMENT = (
    "share of an item's 10 nearest that lie under the same node (× as often as random items)"
)
KINDS = {
    "text": "in the words of their attributes",
    "co-occurrence": "by who chose them, in the events that IDs may be fitted on",
    "held-out": "chosen next by those who had the item, in events that were held out",
}


@dataclass(frozen=True)
class Subject:
    """Semantic IDs that are shown: what they are called and measured at, and a few facts on them.

    ``facts``: name -> value, such as the seconds of the fit.
    """

    name: str
    ids: SemanticIDs
    quality: Quality
    facts: Mapping[str, object]


def levels_table(quality: Quality) -> Table:
    """The shape of a tree, and how evenly its codes are used, level by level."""
    table = _table("entropy of the usage over its maximum, balance: 1 is even")
    table.add_column("level", overflow="fold", min_width=8)
    for heading in LEVEL_HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    for level in quality.levels:
        table.add_row(Text(level.name), *level_cells(level))
    return table


def agreement_table(quality: Quality) -> Table:
    """How many neighbours share an item's path, level by level."""
    table = _table(AGREEMENT)
    table.add_column("level", overflow="fold", min_width=8)
    for kind in quality.neighbours:
        table.add_column(f"{kind} neighbours", justify="right")
    for level in quality.levels[:-1]:
        shares = [agreement_text(level.agreement[kind]) for kind in quality.neighbours]
        table.add_row(Text(level.name), *shares)
    return table


LEVEL_HEADINGS = ("codes", "nodes", "items a node", "children", "entropy", "balance")


def level_cells(level: LevelQuality) -> list[str]:
    """The figures of a level under :data:`LEVEL_HEADINGS`."""
    return [
        f"{level.codes:,}",
        f"{level.nodes:,}",
        f"{level.items:,.1f} ≤ {level.most_items:,}",
        f"{level.width:,.1f} ≤ {level.widest:,}",
        f"{level.entropy:.2f}",
        f"{level.balance:.2f}",
    ]


def summary_lines(quality: Quality) -> list[tuple[str, str]]:
    """What is said of a tree as a whole: names and values."""
    near = quality.near_identical
    return [
        ("items", f"{quality.items:,}"),
        ("tokens an item", str(quality.depth)),
        ("tokens added to the vocabulary", f"{quality.vocabulary:,}"),
        ("collisions", str(quality.collisions)),
        (
            "items that read the same",
            f"{near.items:,} in {near.groups:,} groups ({near.siblings:,} as siblings)"
            if near.items
            else "0",
        ),
        ("held-out events change the IDs", _LEAKS[quality.leaks]),
    ]


def side_by_side(subjects: Sequence[Subject]) -> list[tuple[str, list[str]]]:
    """The figures of several trees, a row a figure, a value a tree."""
    wholes = [dict(summary_lines(one.quality)) for one in subjects]
    rows = [(name, [whole[name] for whole in wholes]) for name in wholes[0]]
    rows.append(
        (
            "levels",
            [" › ".join(f"{one.name} {one.codes:,}" for one in s.quality.levels) for s in subjects],
        )
    )
    rows.append(("lowest usage entropy", [_lowest_entropy(one.quality) for one in subjects]))
    rows.append(
        ("widest node", [f"{max(x.widest for x in one.quality.levels):,}" for one in subjects])
    )
    for kind in subjects[0].quality.neighbours:
        for place, level in (("first level", 0), ("last level but one", -2)):
            texts = [_agreement_at(one.quality, kind, level) for one in subjects]
            rows.append((f"{kind} neighbours, {place}", texts))
    for fact in dict.fromkeys(name for one in subjects for name in one.facts):
        rows.append((fact, [str(one.facts.get(fact, "–")) for one in subjects]))
    return rows


def comparison_table(subjects: Sequence[Subject]) -> Table:
    """Several trees side by side."""
    table = _table(AGREEMENT if subjects[0].quality.neighbours else "")
    table.add_column("", overflow="fold", min_width=16)
    for one in subjects:
        table.add_column(one.name, overflow="fold", min_width=12)
    for name, values in side_by_side(subjects):
        table.add_row(name, *(Text(value) for value in values))
    return table


def tables(subjects: Sequence[Subject]) -> list[Table]:
    """What the terminal shows: several trees side by side, or one tree level by level."""
    if len(subjects) > 1:
        return [comparison_table(subjects)]
    (one,) = subjects
    whole = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (*summary_lines(one.quality), *one.facts.items()):
        whole.add_row(name, Text(str(value)))
    agreement = [agreement_table(one.quality)] if one.quality.neighbours else []
    return [whole, levels_table(one.quality), *agreement]


def to_json(subject: Subject) -> dict[str, Any]:
    """The same as plain values: :meth:`Quality.as_dict` and the facts."""
    return {**subject.quality.as_dict(), **subject.facts}


def write_html(
    path: str | Path, *, title: str, subjects: Sequence[Subject], catalogue: Catalogue
) -> None:
    """Write one page that holds everything it shows: figures, plots, a treemap of each tree.

    :raises RequestError: if matplotlib or plotly is missing, or the file cannot be written.
    """
    shown = subjects[0].quality
    write_page(
        path,
        "ids.html.j2",
        title=title,
        subjects=subjects,
        rows=side_by_side(subjects),
        headings=LEVEL_HEADINGS,
        level_cells=level_cells,
        agreement_text=agreement_text,
        explained=AGREEMENT,
        kinds={kind: KINDS.get(kind, kind) for kind in shown.neighbours},
        curves=agreement_curves({one.name: one.quality for one in subjects}),
        usage=[usage_curves(one.ids) for one in subjects],
        trees=[
            draw_treemap(boxes_of(one.ids, catalogue), library=number == 0)
            for number, one in enumerate(subjects)
        ],
    )


def agreement_text(found: Agreement) -> str:
    """A share, and how many times that of random items.

    >>> agreement_text(Agreement(0.25, 0.01)), agreement_text(Agreement(0.0, 0.0))
    ('25.0% (25×)', '–')
    """
    if found.lift is None:
        return "–" if not found.share else f"{found.share:.1%}"
    return f"{found.share:.1%} ({found.lift:.3g}×)"


_LEAKS = {None: "not tried", False: "no", True: "YES: they leak"}


def _lowest_entropy(quality: Quality) -> str:
    lowest = min(quality.levels, key=lambda level: level.entropy)
    return f"{lowest.entropy:.2f} ({lowest.name})"


def _agreement_at(quality: Quality, kind: str, level: int) -> str:
    return agreement_text(quality.levels[max(level, -quality.depth)].agreement[kind])


def _table(caption: str) -> Table:
    return Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption=caption or None,
        caption_justify="left",
    )
