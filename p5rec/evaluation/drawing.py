"""Drawings as SVG that stand in a page itself.

Text and lines take the colour of the reader's theme: they are drawn in a marker colour that the
SVG's own style sheet sets for a light and a dark page.
"""

from __future__ import annotations

import io
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from p5rec.errors import RequestError

MODEL, BASELINE, SECOND = "#2f74d0", "#9aa5b1", "#d9822b"
SERIES = (MODEL, SECOND, "#3f9a6b", "#a25bb5", "#c2504d", "#6b7a89", "#b8932f", "#4aa3b8")
INK, FAINT = "#010203", "#040506"
_THEME = (
    "<style>svg{--ink:#1c2733;--faint:#c9d1d9}"
    "@media (prefers-color-scheme: dark){svg{--ink:#e6ebf0;--faint:#3d4855}}</style>"
)
_RC = {
    "svg.fonttype": "none",
    "svg.hashsalt": "p5rec",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.facecolor": "none",
    "axes.grid": False,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
}


@contextmanager
def drawing(width: float, height: float) -> Iterator[tuple[Any, Callable[[], str]]]:
    """A figure of so many inches, and a function that gives its data address."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise RequestError(
            "the report needs matplotlib, which is not installed. Install it with"
            " pip install 'p5rec[report]'."
        ) from error
    with matplotlib.rc_context(_RC), warnings.catch_warnings():
        # The reader's browser has the glyphs that the drawing font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        layout = ConstrainedLayoutEngine(wspace=0.06)
        figure = Figure(figsize=(width, height), layout=layout)
        pages: list[str] = []
        yield figure, lambda: pages[0]
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        pages.append(_data_address(file.getvalue()))


def _data_address(svg: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = svg.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)")
    at = svg.index(">") + 1
    svg = svg[:at] + _THEME + svg[at:]
    return "data:image/svg+xml;base64," + b64encode(svg.encode()).decode("ascii")


def ticks(most: int, *, integer: bool = False) -> Any:  # noqa: ANN401 (matplotlib has no types)
    """So many ticks at round numbers, at most."""
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=most, integer=integer)


def short(text: str, most: int = 28) -> str:
    """The text, cut where it is longer than ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def wrapped(text: str) -> str:
    """A name of several words in as many lines."""
    return "\n".join(short(word, 14) for word in text.replace("_", " ").split(maxsplit=2))
