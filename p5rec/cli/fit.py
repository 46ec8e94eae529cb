"""`p5rec fit`: from a log and a catalogue to a folder with a recommender."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from p5rec.cli.common import print_answer
from p5rec.cli.options import AsJson, MaxMinutes, Quiet, Seed
from p5rec.errors import RequestError
from p5rec.progress import Reporter


def fit(
    events: Annotated[Path, typer.Argument(help="Who did what when: CSV, JSONL or Parquet.")],
    items: Annotated[Path, typer.Argument(help="The catalogue: CSV, JSONL or Parquet.")],
    out: Annotated[Path, typer.Option(help="Folder for the fitted recommender.")],
    recipe: Annotated[str, typer.Option(help="A recipe's name or path.")] = "gpt2-mini",
    base: Annotated[str | None, typer.Option(help="Another base model: name or folder.")] = None,
    users: Annotated[Path | None, typer.Option(help="What is known about users.")] = None,
    columns: Annotated[
        list[str] | None, typer.Option(help="A column's name in your files: user_id=customer.")
    ] = None,
    on_bad_rows: Annotated[
        Literal["strict", "quarantine"],
        typer.Option(help="Refuse an input with bad rows, or set them aside beside --out."),
    ] = "strict",
    hold_out: Annotated[
        Literal["nothing", "last-basket", "leave-one-out"],
        typer.Option(help="Keep each user's last basket (or two events) out of training."),
    ] = "nothing",
    prompts: Annotated[Path | None, typer.Option(help="Folder with templates of your own.")] = None,
    seed: Seed = 0,
    max_minutes: MaxMinutes = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune a language model on a log and write the recommender to a folder."""
    from p5rec.data.loading import check_against, load_catalogue, load_events, load_users
    from p5rec.model.bundle import check_writable
    from p5rec.recommender import Recommender
    from p5rec.training.checkpoint import forget

    check_writable(out)
    state = out.parent / f"{out.name}.training"
    chosen = Recommender.from_base(base, recipe=recipe) if base else Recommender.from_base(recipe)
    of_events, of_items = _mappings(columns or [])

    def aside(name: str) -> dict[str, Any]:
        if on_bad_rows == "strict":
            return {"policy": "strict"}
        state.mkdir(parents=True, exist_ok=True)
        return {"policy": "quarantine", "quarantine_file": state / f"bad-{name}.jsonl"}

    catalogue = load_catalogue(items, columns=of_items, **aside("items"))
    log = load_events(events, columns=of_events, **aside("events"))
    log = check_against(log, catalogue, **aside("unknown-items"))
    people = load_users(users, **aside("users")) if users is not None else None
    reporter = Reporter(quiet=quiet)
    for note in (*catalogue.notes, *log.notes):
        reporter.say(note)
    try:
        chosen.fit(
            log,
            catalogue,
            users=people,
            hold_out=hold_out,
            prompts=prompts,
            seed=seed,
            folder=state,
            resume=resume,
            max_minutes=max_minutes,
            reporter=reporter,
        )
    except KeyboardInterrupt:
        reporter.say("Stopped. The same command with --resume goes on from here.")
        raise typer.Exit(130) from None
    chosen.save_pretrained(out)
    forget(state)
    about = {key: value for key, value in chosen.about["training"].items() if key != "curve"}
    print_answer(about, as_json, [f"{key}\t{value}" for key, value in about.items()])


def _mappings(given: list[str]) -> tuple[dict[str, str], dict[str, str]]:
    """What columns are called in the user's files: those of events, and those of items."""
    from p5rec.data.events import CANONICAL

    of_events, of_items = {}, {}
    for one in given:
        name, equals, theirs = one.partition("=")
        if not equals or not theirs:
            raise RequestError(f"--columns {one!r}: expected NAME=YOURS, such as user_id=customer.")
        if name in CANONICAL:
            of_events[name] = theirs
        if name == "item_id" or name not in CANONICAL:
            of_items[name] = theirs
    return of_events, of_items
