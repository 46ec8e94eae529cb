"""The table and the picture of ``bench_decoder``."""

from __future__ import annotations

from pathlib import Path

from bench_common import beside_goals

GOALS = {
    "speedup_gpt2": (">=", 12),
    "speedup_t5_small": (">=", 4),
    "speedup_gpt2_mini": (">=", 12),
    "speedup_gpt2_single": (">=", 8),
    "constraint_share_100k": ("<=", 0.05),
    "step_ratio_10m_vs_10k": ("<=", 1.5),
    "build_seconds_10m": ("<=", 20),
    "build_peak_gib_10m": ("<=", 4),
    "bytes_per_item": ("<=", 40),
    "filter_ms_10m": ("<=", 50),
    "filter_cached_ms_10m": ("<=", 1),
    "incremental_speedup": (">=", 5),
    "filtered_slowdown": ("<=", 0.1),
}

EXPLAINED = """\
Compared: p5rec's walk over the trie with Hugging Face generate(num_beams=20,
prefix_allowed_tokens_fn=...) on the same random weights, 100-token prompts and catalogue, both
scoring an item by the log-probability of its codes among those that can follow (generate with
renormalize_logits=True and length_penalty=0). That both return the same items and scores was
asserted first; times are medians on the machine named above."""


def table(figures: dict) -> str:
    """Figures beside their goals, and users a second beside the peer's."""
    lines = beside_goals(figures, GOALS)
    lines.append("")
    lines.append(f"{'model':<14}{'users':>6}{'p5rec users/s':>16}{'generate users/s':>18}{'×':>8}")
    for name, run in figures["details"]["peer"].items():
        lines.append(
            f"{name:<14}{run['users']:>6}{run['ours_users_per_second']:>16.2f}"
            f"{run['peer_users_per_second']:>18.3f}{run['speedup']:>8.1f}"
        )
    recall = figures["details"]["beam_recall"]
    shown = ", ".join(f"{beams} beams {share:.1%}" for beams, share in recall.items())
    lines += ["", f"share of the true top 10 found: {shown}", "", EXPLAINED]
    return "\n".join(lines)


def draw(figures: dict, path: Path) -> None:
    """Users a second of both decoders, model by model, on a logarithmic axis."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    runs = figures["details"]["peer"]
    figure, axes = plt.subplots(figsize=(7.5, 3.6), layout="constrained")
    for place, (name, run) in enumerate(runs.items()):
        both = [run["peer_users_per_second"], run["ours_users_per_second"]]
        axes.barh([place + 0.2, place - 0.2], both, height=0.36, color=["#b0b7c3", "#2563a8"])
        axes.text(both[1] * 1.06, place - 0.2, f"{run['speedup']:.1f}×", va="center", fontsize=9)
        del name
    axes.set_yticks(range(len(runs)), [f"{name} ({run['users']})" for name, run in runs.items()])
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("users a second (number of users in a batch in parentheses)")
    axes.set_title("20 beams, 100-token prompts: p5rec (blue) and generate (grey)", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.savefig(path, dpi=140)
    plt.close(figure)
