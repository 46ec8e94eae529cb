"""Draws the plots of the report on semantic IDs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from p5rec.evaluation.drawing import BASELINE, INK, SERIES, drawing, short
from p5rec.ids.quality import Quality
from p5rec.ids.semantic_ids import SemanticIDs

_POINTS = 200


def agreement_curves(qualities: Mapping[str, Quality]) -> str | None:
    """Agreement over the number of nodes, a point a level; a data address of an SVG.

    A panel a kind of neighbours; dashed: random items. None where no neighbours were asked.
    """
    kinds = list(dict.fromkeys(kind for one in qualities.values() for kind in one.neighbours))
    if not kinds:
        return None
    with drawing(9.8, 3.6) as (figure, image):
        panels = figure.subplots(1, len(kinds), squeeze=False)[0]
        for axes, kind in zip(panels, kinds, strict=True):
            for number, (name, quality) in enumerate(qualities.items()):
                levels = quality.levels[:-1] or quality.levels
                nodes = [level.nodes for level in levels]
                found = [level.agreement[kind] for level in levels]
                look = {"color": SERIES[number % len(SERIES)], "markersize": 4}
                axes.plot(
                    nodes, [one.share for one in found], marker="o", label=short(name), **look
                )
                axes.plot(nodes, [one.random for one in found], marker=".", lw=1, ls="--", **look)
            axes.set_title(f"{kind} neighbours")
            axes.set_xlabel("nodes of the level")
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter("{x:,.0f}")
            axes.minorticks_off()
            axes.set_ylim(bottom=0)
            axes.yaxis.set_major_formatter(_percent())
            axes.grid(axis="y")
        panels[0].set_ylabel("under the same node")
        if len(qualities) > 1:
            panels[-1].legend(frameon=False, fontsize=9)
    return image()


def usage_curves(ids: SemanticIDs) -> str:
    """The share of items that the most used codes of each level hold; a data address of an SVG."""
    with drawing(6.4, 3.6) as (figure, image):
        axes = figure.subplots()
        levels = list(zip(ids.levels, ids.codes.T, ids.sizes, strict=True))
        for number, (name, column, codes) in enumerate(levels[:-1] or levels):
            counts = np.sort(np.bincount(column, minlength=codes))[::-1]
            held = np.concatenate([[0.0], np.cumsum(counts) / len(column)])
            at = np.unique(np.linspace(0, codes, min(codes, _POINTS) + 1).astype(int))
            colour = SERIES[number % len(SERIES)]
            axes.plot(
                at / codes, held[at], color=colour, lw=1.8, label=f"{short(name)} ({codes:,})"
            )
        axes.plot([0, 1], [0, 1], color=BASELINE, lw=1, ls="--", label="even")
        axes.set_xlabel("share of the level's codes, most used first")
        axes.set_ylabel("share of items", color=INK)
        axes.xaxis.set_major_formatter(_percent())
        axes.yaxis.set_major_formatter(_percent())
        axes.legend(frameon=False, fontsize=9, loc="lower right")
        axes.grid(axis="both")
    return image()


def _percent() -> object:
    from matplotlib.ticker import PercentFormatter

    return PercentFormatter(xmax=1, decimals=0)
