"""The tables and the picture of ``bench_ids``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bench_common import beside_goals

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGE_GOALS = {
    "fit_seconds_1m": ("<=", 300),
    "fit_peak_gib_1m": ("<=", 8),
    "place_1000_seconds": ("<=", 1),
}
PLACES = {"first": "first level", "last_but_one": "last level but one"}
COMPARED = {
    "agreement_vs_faiss": "as wide, shares",
    "agreement_vs_faiss_equal_chance": "as wide, equal chance",
    "agreement_vs_faiss_default_width": "default, shares",
    "agreement_vs_faiss_default_width_equal_chance": "default, equal chance",
}
TREES = {"as_wide": "as wide as faiss", "default_width": "default width"}

EXPLAINED = """\
collisions, entropy: all kinds of IDs; entropy of the usage of levels of clusters over its maximum
(groups, which split only what is too wide, are not counted).
Against faiss: residual IDs and faiss ResidualQuantizer codes of the same vectors and widths;
share of an item's 10 nearest that have the same path so far, ours over faiss's: with nodes that
may hold as many items as faiss's largest, and with nodes of the default width. "Equal chance"
compares both where as many random items have the path: a coarser tree agrees more by chance.
"Bits" need no such care: what the path spares who has to guess a neighbour."""


def table(figures: dict) -> str:
    """Figures beside their goals, and agreement by data set."""
    lines = [""]
    for name in figures["collisions"]:
        entropy = figures["min_usage_entropy"][name]
        goals = {"collisions": ("<=", 0), "min_usage_entropy": (">=", 0.8)}
        measured = {"collisions": figures["collisions"][name], "min_usage_entropy": entropy}
        for key, words in COMPARED.items():
            for place, where in PLACES.items():
                goals[f"{words}, {where}"] = (">", 1)
                measured[f"{words}, {where}"] = figures[key][name][place]
        bits = figures["held_out_bits"][name]
        goals["bits of held-out neighbours"] = (">", bits["faiss"])
        measured["bits of held-out neighbours"] = bits["ours"]
        lines += [name, *beside_goals(measured, goals), ""]
    lines += beside_goals(figures, LARGE_GOALS)
    lines += ["", *_shares(figures), ""]
    lines += [f"{name} was left out: {why}" for name, why in figures["left_out"].items()]
    return "\n".join([*lines, EXPLAINED])


def _shares(figures: dict) -> list[str]:
    """Shares, and what chance would give, of both sides and kinds of neighbours."""
    lines = [
        f"{'data set':<18}{'p5rec':<18}{'neighbours':<15}{'level':<20}{'p5rec':>7}{'chance':>8}"
        f"{'faiss':>8}{'chance':>8}{'equal chance':>14}{'shares':>8}{'bits':>7}{'faiss':>7}"
    ]
    for name, found in figures["details"]["data_sets"].items():
        for tree, words in TREES.items():
            for kind, both in found["against_faiss"][tree]["neighbours"].items():
                bits = both["bits"]
                for place, where in PLACES.items():
                    at = both[place]
                    ours, faiss = at["ours"], at["faiss"]
                    lines.append(
                        f"{name:<18}{words:<18}{kind:<15}{where:<20}{ours['share']:>7.1%}"
                        f"{ours['random']:>8.2%}{faiss['share']:>8.1%}{faiss['random']:>8.2%}"
                        f"{at['at_equal_chance']:>13.2f}×{at['share_ratio']:>7.2f}×"
                        f"{bits['ours']:>7.3f}{bits['faiss']:>7.3f}"
                    )
    return lines


SECTION = """\
## Semantic IDs

Residual IDs beside codes of faiss's `ResidualQuantizer`, of the same vectors and widths: how much
more often items that are chosen together share the first code, and the whole path of clusters;
with nodes of at most as many items as faiss's largest, and of the default width. Bits are what a
path spares who has to guess an item that was chosen next, in events that were held out. Collisions
and the usage entropy of clusters (1 is even) are those of all kinds of IDs.

| data set | items | collisions | lowest usage entropy | first code | whole path | default width \
| bits | bits, faiss |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def section(figures: dict, file: str) -> list[str]:
    """What the page of results says of semantic IDs."""
    lines = SECTION.splitlines()
    for name, found in figures["details"]["data_sets"].items():
        wide, default = (
            figures[key][name] for key in ("agreement_vs_faiss", "agreement_vs_faiss_default_width")
        )
        bits = figures["held_out_bits"][name]
        lines.append(
            f"| {name} | {found['items']:,} | {figures['collisions'][name]} "
            f"| {figures['min_usage_entropy'][name]:.2f} | {wide['first']:.2f}× "
            f"| {wide['last_but_one']:.2f}× | {default['last_but_one']:.2f}× "
            f"| {bits['ours']:.3f} | {bits['faiss']:.3f} |"
        )
    machine, picture = figures["machine"], Path(file).with_suffix(".png").name
    return [
        *lines,
        "",
        f"![Neighbours that share a path, over random items that do](results/{picture})",
        "",
        f"- {figures['details']['large']['items']:,} items of 64 dimensions: "
        f"{figures['fit_seconds_1m']:.0f} s and {figures['fit_peak_gib_1m']:.1f} GiB to fit, "
        f"{figures['place_1000_seconds']:.1f} s to place 1,000 more.",
        f"- `{figures['command']}` at {figures['commit'][:7]} on {machine['processor']}, "
        f"{machine['threads']} of {machine['cores']} cores. All of it: [{file}](results/{file}).",
        "",
    ]


SIDES = (
    ("default_width", "ours", "#7fb2e5", "p5rec, nodes of the default width"),
    ("as_wide", "ours", "#2563a8", "p5rec, nodes as wide as faiss's"),
    ("as_wide", "faiss", "#d9822b", "faiss"),
)
DASHES = {"co-occurrence": "-", "held-out": "--"}
FAINT = "#9aa5b1"


def draw(figures: dict, path: Path) -> None:
    """Agreement over what chance would give, of both sides, a panel a data set."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sets = figures["details"]["data_sets"]
    if not sets:
        return
    figure, panels = plt.subplots(
        1,
        len(sets),
        figsize=(max(2.4 * len(sets), 7) + 0.6, 3.8),
        layout="constrained",
        squeeze=False,
        sharey=True,
    )
    for axes, (name, found) in zip(panels[0], sets.items(), strict=True):
        _panel(axes, found["against_faiss"])
        axes.set_title(name, fontsize=10)
    panels[0][0].set_ylabel("neighbours with the same path")
    panels[0][len(sets) // 2].set_xlabel("random items with the same path")
    looks = [*((colour, "-", words) for _, _, colour, words in SIDES)]
    looks += [("black", dashes, f"{kind} neighbours") for kind, dashes in DASHES.items()]
    looks.append((FAINT, ":", "chance"))
    lines = [mpl.lines.Line2D([], [], color=colour, ls=dashes) for colour, dashes, _ in looks]
    figure.legend(
        lines,
        [words for *_, words in looks],
        loc="outside lower center",
        ncols=3,
        fontsize=9,
        frameon=False,
        handlelength=3,
    )
    figure.savefig(path, dpi=140)
    plt.close(figure)


def _panel(axes: Axes, compared: dict) -> None:
    """Each side as a line from the root down to the last level compared."""
    for tree, side, colour, _ in SIDES:
        for kind, dashes in DASHES.items():
            both = compared[tree]["neighbours"].get(kind, {})
            points = [both[place][side] for place in PLACES if place in both]
            chance = [1.0, *(point["random"] for point in points)]
            shares = [1.0, *(point["share"] for point in points)]
            axes.loglog(chance, shares, dashes, marker="o", ms=4, color=colour)
    axes.axline((0.1, 0.1), (1, 1), ls=":", color=FAINT, lw=1, zorder=0)
    axes.set_xlim(0.002, 1.3)
    axes.set_ylim(0.008, 1.3)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda share, _: f"{share:.3g}".lstrip("0") or "0")
    axes.minorticks_off()
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
