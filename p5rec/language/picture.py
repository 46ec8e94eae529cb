"""Pictures of evidence: a history with the weight that each of its items had."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.evaluation.drawing import BASELINE, MODEL, short
from p5rec.evaluation.page import write_page
from p5rec.language.explanation import Explanation
from p5rec.language.facts import speak

LEGEND = (
    "Weight: by how many nats the item's log-probability drops without these events. "
    "Below zero: it would be likelier without them."
)


@dataclass(frozen=True)
class Bar:
    """One row of the picture; ``share`` is of the longest bar, ``named`` of the evidence."""

    name: str
    count: int
    weight: float
    share: float
    named: bool


def draw_evidence(explanation: Explanation, catalogue: Catalogue, path: str | Path) -> None:
    """Write the history with the weight of each item that was tried, oldest first.

    :param path: ``*.html`` for a page that holds everything it shows, ``*.png`` for an image.
    :raises RequestError: if it is neither, cannot be written, or matplotlib is missing (PNG).
    """
    place = Path(path)
    if place.suffix.lower() == ".html":
        tables = [("History, oldest first", _events(explanation, catalogue))]
        if groups := _groups(explanation):
            tables.append(("Taken together", groups))
        write_page(
            place,
            "evidence.html.j2",
            title="Evidence",
            item=_name(catalogue, explanation.evidence.item),
            text=explanation.text,
            legend=LEGEND,
            tables=tables,
        )
    elif place.suffix.lower() == ".png":
        _draw_png(explanation, catalogue, place)
    else:
        raise RequestError(
            f"a picture cannot be written as {place.name!r}; expected .html or .png. Rename it."
        )


def _events(explanation: Explanation, catalogue: Catalogue) -> list[Bar]:
    named = {event.item for event in explanation.evidence.events}
    longest = max((abs(event.weight) for event in explanation.evidence.tried), default=0) or 1.0
    return [
        Bar(
            _name(catalogue, event.item),
            event.count,
            event.weight,
            abs(event.weight) / longest,
            event.item in named,
        )
        for event in explanation.evidence.tried
    ]


def _groups(explanation: Explanation) -> list[Bar]:
    groups = explanation.evidence.groups
    longest = max((group.weight for group in groups), default=0) or 1.0
    return [
        Bar(
            f"{group.attribute} {group.value}",
            group.count,
            group.weight,
            group.weight / longest,
            named=False,
        )
        for group in groups
    ]


def _draw_png(explanation: Explanation, catalogue: Catalogue, path: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RequestError(
            "a PNG needs matplotlib, which is not installed. Install it with"
            " pip install 'p5rec[report]', or write .html."
        ) from error
    bars = _events(explanation, catalogue)
    figure = Figure(figsize=(8, 1.4 + 0.3 * max(len(bars), 1)), layout="constrained")
    axes = figure.subplots()
    places = list(range(len(bars)))[::-1]
    colours = [MODEL if bar.named else BASELINE for bar in bars]
    axes.barh(places, [bar.weight for bar in bars], color=colours)
    axes.set_yticks(places, [short(f"{bar.name} ({bar.count})", 48) for bar in bars])
    axes.axvline(0, color=BASELINE, linewidth=0.8)
    axes.set_xlabel("weight (nats); blue: the evidence")
    item = _name(catalogue, explanation.evidence.item)
    axes.set_title(f"Why {short(item, 60)}", loc="left", fontsize=11)
    for text in [axes.title, *axes.get_yticklabels()]:
        text.set_parse_math(False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, format="png", dpi=144, metadata={"Software": None})
    except OSError as error:
        raise RequestError(
            f"the picture cannot be written to {path}: {error.strerror}. Name a file in a folder"
            " that can be written."
        ) from error


def _name(catalogue: Catalogue, row: int) -> str:
    """The item's name without markup; its id where nothing of it can be said."""
    return speak(catalogue.name(row)) or catalogue.item_ids[row]
