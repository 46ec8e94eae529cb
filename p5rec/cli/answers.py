"""The commands that answer with items or sentences: recommend, ask, explain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from p5rec.cli.common import (
    history_of,
    listed,
    load_bundle,
    print_answer,
    print_chat_error,
    print_items,
    print_turn,
)
from p5rec.cli.options import (
    Allow,
    AsJson,
    Beams,
    Bundle,
    Deny,
    DrawSeed,
    ExcludeHistory,
    FilterText,
    HistoryText,
    K,
    Quiet,
    StrategyName,
)
from p5rec.errors import RequestError

if TYPE_CHECKING:
    from p5rec.decoding.wanted import Wanted


def recommend(
    bundle: Bundle,
    history: HistoryText = "",
    k: K = 10,
    exclude_history: ExcludeHistory = False,
    filter_text: FilterText = None,
    allow: Allow = None,
    deny: Deny = "",
    strategy: StrategyName = None,
    beams: Beams = None,
    category: Annotated[str | None, typer.Option(help="Steer to a category.")] = None,
    price: Annotated[str | None, typer.Option(help="Steer to a price: 5-20, 5- or -20.")] = None,
    style: Annotated[str | None, typer.Option(help="Steer by words.")] = None,
    hard: Annotated[
        bool, typer.Option("--hard", help="Category and price are limits, not wishes.")
    ] = False,
    seed: DrawSeed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Print what comes next after a history."""
    wanted = _wanted(exclude_history, filter_text, allow, deny, strategy, beams, seed)
    if category or price or style:
        from p5rec.decoding.wanted import Steer

        bounds = None if price is None else _price(price)
        wanted["steer"] = Steer(category=category, price=bounds, style=style, hard=hard)
    elif hard:
        raise RequestError("--hard goes with --category or --price. Give one of them.")
    recommender = load_bundle(bundle)
    found = recommender.recommend(history_of(history), k=k, **wanted)
    print_items(recommender, found, as_json, quiet)


def ask(
    bundle: Bundle,
    request: Annotated[str, typer.Argument(help="What is wanted, in plain words.")],
    history: HistoryText = "",
    k: K = 10,
    exclude_history: ExcludeHistory = False,
    filter_text: FilterText = None,
    allow: Allow = None,
    deny: Deny = "",
    strategy: StrategyName = None,
    beams: Beams = None,
    seed: DrawSeed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Print items that fit a request in plain words."""
    wanted = _wanted(exclude_history, filter_text, allow, deny, strategy, beams, seed)
    recommender = load_bundle(bundle)
    found = recommender.ask(request, history=history_of(history), k=k, **wanted)
    print_items(recommender, found, as_json, quiet)


def chat(
    bundle: Bundle,
    history: HistoryText = "",
    k: K = 10,
    exclude_history: ExcludeHistory = False,
    filter_text: FilterText = None,
    saved: Annotated[
        Path | None, typer.Option(help="Go on with the conversation in this file, and keep it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON a turn.")] = False,
    quiet: Quiet = False,
) -> None:
    """Answer requests from standard input, a line each; each refines the one before."""
    recommender = load_bundle(bundle)
    earlier = saved.read_text(encoding="utf-8") if saved is not None and saved.exists() else None
    wanted = _wanted(exclude_history, filter_text, None, "", None, None, 0)
    conversation = recommender.conversation(
        history=history_of(history), k=k, saved=earlier, **wanted
    )
    for text in _lines():
        try:
            found = conversation.ask(text)
        except RequestError as error:
            print_chat_error(str(error), as_json)
            continue
        print_turn(recommender, text, found, as_json, quiet)
    if saved is not None:
        saved.write_text(conversation.to_json(), encoding="utf-8")


def _lines() -> Iterator[str]:
    """What is typed, line by line, with a prompt where a person types; empty lines are left out."""
    typed = sys.stdin.isatty()
    while True:
        if typed:
            print("> ", end="", file=sys.stderr, flush=True)  # noqa: T201
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.rstrip("\n")


def explain(
    bundle: Bundle,
    item: Annotated[str, typer.Option(help="The item to explain.")],
    history: HistoryText = "",
    generate: Annotated[
        bool, typer.Option(help="Let the model choose the words, or take plain sentences.")
    ] = True,
    freely: Annotated[
        bool, typer.Option("--freely", help="Let it use any words; what does not hold is dropped.")
    ] = False,
    sentences: Annotated[int, typer.Option(help="At most so many sentences.")] = 2,
    language: Annotated[
        str | None, typer.Option(help="en, de, es or fr; the recipe's by default.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the weights of the history: a .png or .html file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print why an item fits a history, as it is written, and the evidence."""
    from p5rec.language.picture import draw_evidence

    recommender = load_bundle(bundle)
    written = recommender.explain_piecewise(
        history_of(history),
        item,
        generate="freely" if freely else generate,
        sentences=sentences,
        language=language,
    )
    if not as_json:
        for piece in written:
            print(piece, end="", flush=True)  # noqa: T201
    explanation = written.explanation
    if picture is not None:
        draw_evidence(explanation, recommender.catalogue, picture)
    lines = [""]  # ends the text
    for event in explanation.evidence.events:
        name = recommender.catalogue.name(event.item)
        lines.append(
            f"evidence\t{recommender.catalogue.item_ids[event.item]}\t{name}\t{event.weight:+.3f}"
        )
    print_answer(explanation.to_dict(recommender.catalogue), as_json, lines)


def _wanted(
    exclude_history: bool,
    filter_text: str | None,
    allow: str | None,
    deny: str,
    strategy: str | None,
    beams: int | None,
    seed: int,
) -> Wanted:
    return {
        "exclude_history": exclude_history,
        "filter": filter_text,
        "allow": None if allow is None else listed(allow),
        "deny": listed(deny),
        "strategy": strategy,
        "beams": beams,
        "seed": seed,
    }


def _price(text: str) -> tuple[float | None, float | None]:
    low, dash, high = text.partition("-")
    try:
        bounds = float(low) if low.strip() else None, float(high) if high.strip() else None
    except ValueError:
        dash = ""
    if not dash or bounds == (None, None):
        raise RequestError(f"--price {text!r}: expected LOW-HIGH, LOW- or -HIGH, such as 5-20.")
    return bounds
