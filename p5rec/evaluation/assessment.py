"""A model beside the baselines, under both protocols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from p5rec.evaluation.baselines import OwnFrequency, OwnRecent, Popularity
from p5rec.evaluation.protocol import PLAIN, UNSEEN, Ranks, Result, compare
from p5rec.progress import Reporter

if TYPE_CHECKING:
    from p5rec.data.events import Histories
    from p5rec.data.splits import Cases

MODEL = "p5rec"


def assess(
    model: Ranks, cases: Cases, train: Histories, *, n_items: int, reporter: Reporter
) -> list[Result]:
    """Measure a model, popularity, own frequency and own recency on the same cases.

    :param train: the events that the baselines are fitted on.
    :return: the model first, for protocol plain (everything held out is a target) and for
        protocol unseen (only what the user never had).
    """
    rankers: dict[str, Ranks] = {
        MODEL: model,
        "popularity": Popularity().fit(train, n_items),
        "own_frequency": OwnFrequency().fit(train, n_items),
        "own_recent": OwnRecent().fit(train, n_items),
    }
    results = []
    for protocol in (PLAIN, UNSEEN):
        with reporter.bar(f"Evaluation, protocol {protocol.name}") as bar:

            def show(name: str, done: int, users: int) -> None:
                place = list(rankers).index(name)
                bar.update((place + done / users) / len(rankers), name)

            results += compare(
                cases,
                protocol.rankers(rankers),
                n_items=n_items,
                protocol=protocol,
                progress=show,
            )
    return results
