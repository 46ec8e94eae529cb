"""The figures of a suite as a table for the terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.table import Table

from p5rec.evaluation.protocol import PLAIN, UNSEEN
from p5rec.evaluation.report import HEADLINE

LEAD = "ndcg@10"


def suite_table(found: dict[str, Any]) -> Table:
    """One row a model and protocol: figures, how far the recipe is ahead, minutes of training."""
    title = f"{found['suite']}: {found['users']} users, {found['items']} items"
    table = Table(title=title, box=box.SIMPLE, padding=0)
    for head in ("model", "", *HEADLINE, f"lead in {LEAD}", "min"):
        table.add_column(head, no_wrap=True)
    for protocol in (PLAIN.name, UNSEEN.name):
        means = [f"{found[protocol][metric]['mean']:.4f}" for metric in HEADLINE]
        name = f"[bold]{found['recipe']}[/]"
        table.add_row(name, protocol, *means, "", f"{found['train_minutes']:.1f}")
        for name, rival in found["baselines"].items():
            table.add_row(
                name,
                protocol,
                *(f"{rival[protocol][metric]:.4f}" for metric in HEADLINE),
                _lead(found[f"vs_{name}"][protocol][LEAD]),
                f"{rival['train_minutes']:.1f}",
            )
    return table


def _lead(told: dict[str, float]) -> str:
    return f"{told['difference']:+.4f} [{told['low']:.4f}, {told['high']:.4f}]"
