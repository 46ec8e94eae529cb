"""Draws the plots of the report of a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from p5rec.evaluation.drawing import BASELINE, INK, MODEL, SECOND, drawing, short, ticks, wrapped
from p5rec.evaluation.summary import Row

if TYPE_CHECKING:
    from p5rec.evaluation.report import TrainingPoint


def bars(rows: Sequence[Row], metrics: Sequence[str]) -> str:
    """Means with 95% intervals, one panel a metric, one bar a ranker; a data address of an SVG."""
    with drawing(9.8, 0.75 + 0.42 * len(rows)) as (figure, image):
        panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
        places = range(len(rows))
        for axes, metric in zip(panels, metrics, strict=True):
            values = [row.figures[metric] for row in rows]
            means = [value.mean for value in values]
            around = [[v.mean - v.low for v in values], [v.high - v.mean for v in values]]
            colours = [MODEL if row.is_model else BASELINE for row in rows]
            axes.barh(places, means, height=0.62, color=colours)
            axes.errorbar(means, places, xerr=around, fmt="none", ecolor=INK, capsize=3, lw=1.2)
            reach = max((value.high for value in values), default=0.0) or 1.0
            for place, value in zip(places, values, strict=True):
                axes.text(value.high + 0.025 * reach, place, f"{value.mean:.3f}", va="center")
            axes.set_xlim(0, 1.22 * reach)
            axes.set_title(metric)
            axes.xaxis.set_major_locator(ticks(4))
            axes.grid(axis="x")
            axes.spines["bottom"].set_visible(False)
        panels[0].set_yticks(places, [short(row.label) for row in rows])
        panels[0].invert_yaxis()
    return image()


def training_curve(points: Sequence[TrainingPoint]) -> str:
    """Loss and validation ndcg@10 over steps, one panel each; a data address of an SVG."""
    losses = [(point.step, point.loss) for point in points if point.loss is not None]
    scores = [(point.step, point.ndcg) for point in points if point.ndcg is not None]
    drawn = [
        (name, series, colour, mark)
        for name, series, colour, mark in (
            ("training loss", losses, SECOND, None),
            ("validation ndcg@10", scores, MODEL, "o"),
        )
        if series
    ]
    with drawing(9.8, 3.1) as (figure, image):
        panels = figure.subplots(1, max(len(drawn), 1), squeeze=False)[0]
        for axes, (name, series, colour, mark) in zip(panels, drawn, strict=False):
            steps, values = zip(*series, strict=True)
            axes.plot(steps, values, color=colour, marker=mark, markersize=4, lw=1.8)
            axes.set_title(name)
            axes.set_xlabel("step")
            axes.xaxis.set_major_locator(ticks(5, integer=True))
            axes.yaxis.set_major_locator(ticks(5))
            axes.grid(axis="y")
            if name.startswith("validation"):
                best = max(series, key=lambda pair: pair[1])
                axes.annotate(
                    f"best {best[1]:.4f}",
                    best,
                    xytext=(0, 7),
                    textcoords="offset points",
                    ha="center",
                )
                axes.margins(x=0.09, y=0.2)
    return image()


def heat_map(weights: Mapping[str, Mapping[str, float]]) -> str:
    """Weights by level and feature, stronger colour for larger ones; a data address of an SVG."""
    features = list(dict.fromkeys(name for level in weights.values() for name in level))
    largest = max((abs(w) for level in weights.values() for w in level.values()), default=0) or 1.0
    with drawing(1.8 + 0.95 * max(len(features), 3), 1.0 + 0.46 * len(weights)) as (figure, image):
        axes = figure.subplots()
        for row, level in enumerate(weights.values()):
            for column, name in enumerate(features):
                weight = level.get(name)
                text = "–" if weight is None else f"{weight:+.2f}"
                # Transparency is the scale, so that text stays readable on a light and a dark page.
                strength = 0.0 if weight is None else 0.7 * abs(weight) / largest
                colour = SECOND if (weight or 0) < 0 else MODEL
                axes.barh(row, 0.96, 0.92, left=column - 0.48, color=colour, alpha=strength)
                axes.text(column, row, text, ha="center", va="center")
        axes.set_xlim(-0.5, len(features) - 0.5)
        axes.set_ylim(len(weights) - 0.5, -0.5)
        axes.set_xticks(range(len(features)), [wrapped(name) for name in features])
        axes.set_yticks(range(len(weights)), [short(name) for name in weights])
        axes.xaxis.tick_top()
        axes.spines[:].set_visible(False)
    return image()
