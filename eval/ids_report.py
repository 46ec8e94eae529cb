"""The tables and the picture of ``bench_ids``."""

from __future__ import annotations

from pathlib import Path

from bench_common import beside_goals

LARGE_GOALS = {
    "fit_seconds_1m": ("<=", 300),
    "fit_peak_gib_1m": ("<=", 8),
    "place_1000_seconds": ("<=", 1),
}
PLACES = {"first": "first level", "last_but_one": "last level but one"}
COMPARED = {
    "agreement_vs_faiss": "equal chance",
    "agreement_vs_faiss_shares": "shares",
    "agreement_vs_faiss_shares_as_wide": "shares, as wide",
}
TREES = {"default_width": "default width", "as_wide": "as wide as faiss"}

EXPLAINED = """\
collisions, entropy: all kinds of IDs; entropy of the usage of learned levels over its maximum.
Against faiss: residual IDs and faiss ResidualQuantizer codes of the same vectors and widths;
share of an item's 10 nearest that have the same path so far, ours over faiss's: with nodes of the
default width, and with nodes that may hold as many items as faiss's largest. "Equal chance"
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


LINES = (
    ("default_width", "faiss", "#9aa5b1", "faiss"),
    ("default_width", "ours", "#2563a8", "p5rec"),
    ("as_wide", "ours", "#7fb2e5", "p5rec, as wide as faiss"),
)


def draw(figures: dict, path: Path) -> None:
    """Agreement over what chance would give, of both sides, a panel a data set."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sets = figures["details"]["data_sets"]
    if not sets:
        return
    figure, panels = plt.subplots(
        1, len(sets), figsize=(2.6 * len(sets) + 0.6, 3.2), layout="constrained", squeeze=False
    )
    for axes, (name, found) in zip(panels[0], sets.items(), strict=True):
        for tree, side, colour, words in LINES:
            for kind, dashes in (("co-occurrence", "-"), ("held-out", "--")):
                both = found["against_faiss"][tree]["neighbours"].get(kind, {})
                points = [both[place][side] for place in PLACES if place in both]
                chance = [1.0, *(point["random"] for point in points)]
                shares = [1.0, *(point["share"] for point in points)]
                axes.loglog(
                    chance, shares, dashes, marker="o", ms=4, color=colour, label=f"{words}, {kind}"
                )
        axes.loglog([1e-3, 1], [1e-3, 1], ":", color="#c9d1d9", lw=1)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel("random items with the same path", fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("neighbours with the same path", fontsize=8)
    panels[0][-1].legend(fontsize=7, frameon=False)
    figure.savefig(path, dpi=140)
    plt.close(figure)
