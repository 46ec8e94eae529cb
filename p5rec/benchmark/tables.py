"""The figures of a suite as a table for the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from p5rec.evaluation.protocol import PLAIN, UNSEEN

HEADS = {PLAIN.name: "plain", UNSEEN.name: "seen items excluded"}


def suite_table(found: dict[str, Any]) -> Table:
    """One row a model and protocol: figures, minutes, and how far the recipe is ahead."""
    metrics = list(found[PLAIN.name])
    title = f"{found['suite']}: {found['users']} users, {found['items']} items"
    table = Table("model", "protocol", *metrics, "lead in ndcg@10", "minutes", title=title)
    table.box = box.SIMPLE
    for protocol, words in HEADS.items():
        figures = found[protocol]
        table.add_row(
            f"[bold]{found['recipe']}[/]",
            words,
            *(f"{figures[m]['mean']:.4f} ± {figures[m]['sd']:.4f}" for m in metrics),
            "",
            f"{found['train_minutes']:.1f}",
        )
        for name, baseline in found["baselines"].items():
            lead = found[f"vs_{name}"][protocol]["ndcg@10"]
            table.add_row(
                name,
                words,
                *(f"{baseline[protocol][metric]:.4f}" for metric in metrics),
                f"{lead['difference']:+.4f} [{lead['low']:+.4f}, {lead['high']:+.4f}]",
                f"{baseline['train_minutes']:.1f}",
            )
    return table
