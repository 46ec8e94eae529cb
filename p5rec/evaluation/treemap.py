"""The tree of semantic IDs as boxes in boxes that a reader can step into."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.evaluation.drawing import short
from p5rec.ids.semantic_ids import SemanticIDs

Ints = npt.NDArray[np.int64]

MOST_BOXES = 3000
# Dark enough for white text, on a light and on a dark page.
_COLOURS = ("#2562b0", "#a85c12", "#2f7a53", "#83449a", "#a83c38", "#55636f", "#80641a", "#2b7486")
_ROOT = "#44505c"
_LEAST_TEXT = 9
_LINE = 12


@dataclass(frozen=True)
class Box:
    """A node of the tree, or the rest of a node's children: ``parent`` is the name of its box."""

    name: str
    parent: str
    level: str
    label: str
    items: int


def boxes_of(ids: SemanticIDs, catalogue: Catalogue, *, most: int = MOST_BOXES) -> list[Box]:
    """The nodes of the tree as about ``most`` boxes, coarse levels first.

    A node that is the only child of its parent has no box of its own. Where there are too many
    children, each parent shows its largest ones and counts the rest.
    """
    boxes = [Box("tree", "", "", "all items", len(ids))]
    generation = [("tree", np.arange(len(ids)), 0)]
    while generation:
        room = (most - len(boxes)) // len(generation)
        if room < 2:
            break
        following = []
        for parent, under, start in generation:
            level, children = _children(ids, under, start)
            shown = children if len(children) <= room else children[: room - 1]
            for rows in shown:
                name = f"{parent}/{ids.codes[rows[0], level]}"
                label = _label(ids, catalogue, level, rows)
                boxes.append(Box(name, parent, ids.levels[level], label, len(rows)))
                if level + 1 < ids.depth:
                    following.append((name, rows, level + 1))
            rest = children[len(shown) :]
            if rest:
                label, items = f"({len(rest):,} more)", sum(map(len, rest))
                boxes.append(Box(f"{parent}/rest", parent, ids.levels[level], label, items))
        generation = following
    return boxes


def _children(ids: SemanticIDs, rows: Ints, level: int) -> tuple[int, list[Ints]]:
    """The rows of each child of a node, largest first, and its level: the next that divides it."""
    while level + 1 < ids.depth and (ids.codes[rows, level] == ids.codes[rows[0], level]).all():
        level += 1
    column = ids.codes[rows, level]
    order = np.argsort(column, kind="stable")
    parts = np.split(rows[order], np.flatnonzero(np.diff(column[order])) + 1)
    return level, sorted(parts, key=len, reverse=True)


def _label(ids: SemanticIDs, catalogue: Catalogue, level: int, rows: Ints) -> str:
    if level == ids.depth - 1:
        return catalogue.name(int(rows[0]))
    return ids.labels[level][int(ids.codes[rows[0], level])]


def draw_treemap(boxes: Sequence[Box], *, library: bool = True) -> str:
    """The boxes as markup that draws itself: a click steps into a box.

    :param library: put the drawing library in as well; once a page is enough.
    :raises RequestError: if plotly is missing.
    """
    try:
        from plotly import graph_objects as go
    except ImportError as error:
        raise RequestError(
            "the treemap needs plotly, which is not installed. Install it with"
            " pip install 'p5rec[report]'."
        ) from error
    figure = go.Figure(
        go.Treemap(
            ids=[box.name for box in boxes],
            parents=[box.parent for box in boxes],
            labels=[_as_text(box.label) for box in boxes],
            text=[_folded(box.label) for box in boxes],
            textinfo="text",
            values=[box.items for box in boxes],
            customdata=[_as_text(box.level) for box in boxes],
            branchvalues="total",
            maxdepth=3,
            root={"color": _ROOT},
            textfont={"color": "white"},
            hovertemplate="%{customdata} %{label}<br>%{value} items<extra></extra>",
        )
    )
    figure.update_layout(
        margin={"l": 0, "r": 0, "t": 24, "b": 0},
        height=520,
        treemapcolorway=list(_COLOURS),
        extendtreemapcolors=False,
        # Text that would have to be smaller is left out: pointing at a box tells it.
        uniformtext={"minsize": _LEAST_TEXT, "mode": "hide"},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif"},
    )
    markup: str = figure.to_html(
        full_html=False,
        include_plotlyjs=library,
        config={"displaylogo": False, "displayModeBar": False, "responsive": True},
    )
    return markup


def _folded(label: str) -> str:
    """A label in lines that fit a small box; above the boxes inside it, it stands in one."""
    lines = textwrap.wrap(short(label, 60), _LINE, break_long_words=False)
    return "<br>".join(map(_as_text, lines))


def _as_text(text: str) -> str:
    """The library reads some markup in texts; what a seller typed must stay text."""
    return html.escape(short(text, 60), quote=False)
