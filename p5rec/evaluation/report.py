"""Shows a comparison: a table for the terminal, a dict for JSON, one page that opens anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from p5rec.evaluation import figures
from p5rec.evaluation.page import write_page
from p5rec.evaluation.protocol import PLAIN, UNSEEN, Result
from p5rec.evaluation.significance import Interval
from p5rec.evaluation.summary import REFERENCE, Row, shown_metrics, summarise

HEADLINE = ("recall@10", "ndcg@10")
PAGE = (*HEADLINE, "hit@10", "mrr@10")


@dataclass(frozen=True)
class TrainingPoint:
    """What was known after a step of training; None where it was not measured."""

    step: int
    loss: float | None = None
    ndcg: float | None = None


@dataclass(frozen=True)
class Suggestion:
    """One recommended item; ``bought``: whether it is among the held-out items, if known."""

    name: str
    reason: str = ""
    bought: bool | None = None


@dataclass(frozen=True)
class Example:
    """What one user had, newest last, or asked for, and what was recommended."""

    user: str
    suggestions: Sequence[Suggestion]
    history: Sequence[str] = ()
    request: str | None = None


@dataclass(frozen=True)
class Sections:
    """What the page shows besides the figures; what is empty is left out.

    ``facts``: name -> value (recipe, seed, counts, versions); ``prior``: level -> feature ->
    weight of the history prior; ``notes``: sentences under the headline.
    """

    facts: Mapping[str, object] = field(default_factory=dict)
    training: Sequence[TrainingPoint] = ()
    prior: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    examples: Sequence[Example] = ()
    notes: Sequence[str] = ()


def to_table(
    results: Sequence[Result],
    *,
    model: str | None = None,
    metrics: Sequence[str] = HEADLINE,
) -> Table:
    """The means with 95% intervals as a table of rich, the model in bold.

    :param model: the name of the ranker that the others are baselines for; the first by default.
    :param metrics: the columns; those that were not measured are left out.
    :raises RequestError: if there is no result, or none of that name.
    """
    rows = summarise(results, model=model)
    shown = shown_metrics(rows, metrics)
    table = Table(
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        caption=f"means over users with 95% bootstrap intervals; ×: {shown[0]} over popularity's",
        caption_justify="left",
    )
    table.add_column("ranker", overflow="fold", min_width=13)
    table.add_column("protocol", no_wrap=True)
    for heading in (*shown, "×", "coverage", "invalid"):
        table.add_column(heading, justify="right", no_wrap=True)
    for number, row in enumerate(rows):
        last = number + 1 == len(rows) or rows[number + 1].protocol != row.protocol
        table.add_row(
            Text(row.label),
            row.protocol,
            *(_with_interval(row.figures[metric]) for metric in shown),
            ratio_text(row, shown[0]),
            f"{row.coverage:.1%}",
            str(row.invalid_items),
            style="bold" if row.is_model else None,
            end_section=last,
        )
    return table


def to_json(results: Sequence[Result], *, model: str | None = None) -> dict[str, Any]:
    """The same as plain values: the model's figures flat, the baselines' nested.

    ``{"recall@10": …, "intervals": {"recall@10": [low, high]}, "coverage": …, "invalid_items": …,
    "users": …, "baselines": {name: {…, "lead": {"recall@10": [mean, low, high]}}}}``; the figures
    of protocol ``unseen`` stand likewise under "first_time".

    :param model: the name of the ranker that the others are baselines for; the first by default.
    :raises RequestError: if there is no result, or none of that name.
    """
    rows = summarise(results, model=model)
    answer: dict[str, Any] = {}
    for row in rows:
        place = answer if row.protocol == PLAIN.name else answer.setdefault(_key(row.protocol), {})
        if row.is_model:
            place.update(_plain(row))
        else:
            place.setdefault("baselines", {})[row.name] = _plain(row)
    return answer


def write_html(
    path: str | Path,
    *,
    title: str,
    results: Sequence[Result],
    sections: Sections | None = None,
    model: str | None = None,
) -> None:
    """Write one page that holds everything it shows: figures, tables, examples, set-up.

    :param model: the name of the ranker that the others are baselines for; the first by default.
    :raises RequestError: if there is no result, matplotlib is missing, or the file cannot be
        written.
    """
    sections = sections or Sections()
    rows = summarise(results, model=model)
    protocols = {row.protocol: [r for r in rows if r.protocol == row.protocol] for row in rows}
    metrics = shown_metrics(rows, HEADLINE)
    write_page(
        path,
        "report.html.j2",
        title=title,
        cards=_cards(rows, metrics),
        protocols=protocols,
        metrics=shown_metrics(rows, PAGE),
        lead_metrics=metrics,
        bars={name: figures.bars(group, metrics) for name, group in protocols.items()},
        curve=figures.training_curve(sections.training) if sections.training else None,
        heat=figures.heat_map(sections.prior) if sections.prior else None,
        ratio_text=ratio_text,
        sections=sections,
    )


def ratio_text(row: Row, metric: str) -> str:
    """How many times popularity's figure, as people read it."""
    return f"{row.ratios[metric]:.2f}×" if metric in row.ratios else "–"


@dataclass(frozen=True)
class _Card:
    """One headline figure."""

    label: str
    value: str
    detail: str


def _cards(rows: Sequence[Row], metrics: Sequence[str]) -> list[_Card]:
    cards = []
    for row in (row for row in rows if row.is_model):
        label = "{} on first-time items" if row.protocol == UNSEEN.name else "{}"
        for metric in metrics if row.protocol == PLAIN.name else metrics[:1]:
            figure = row.figures[metric]
            detail = f"95% interval {figure.low:.4f} to {figure.high:.4f}"
            if metric in row.ratios and row.name != REFERENCE:
                detail += f"; {row.ratios[metric]:.2f}× popularity"
            cards.append(_Card(label.format(metric), f"{figure.mean:.4f}", detail))
    invalid = sum(row.invalid_items for row in rows if row.is_model)
    cards.append(_Card("invalid items", str(invalid), "outside the catalogue, or twice in a list"))
    return cards


def _key(protocol: str) -> str:
    return "first_time" if protocol == UNSEEN.name else protocol


def _plain(row: Row) -> dict[str, Any]:
    values: dict[str, Any] = {metric: figure.mean for metric, figure in row.figures.items()}
    values["intervals"] = {m: [figure.low, figure.high] for m, figure in row.figures.items()}
    values |= {"coverage": row.coverage, "invalid_items": row.invalid_items, "users": row.users}
    if row.lead:
        values["lead"] = {metric: list(lead) for metric, lead in row.lead.items()}
    return values


def _with_interval(figure: Interval) -> Text:
    bounds = f"\n{figure.low:.3f}–{figure.high:.3f}"
    return Text.assemble(f"{figure.mean:.4f}", (bounds, "dim not bold"))
