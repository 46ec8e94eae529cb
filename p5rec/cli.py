"""The front door from a shell: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn

import typer

from p5rec import __version__, resources
from p5rec.errors import P5RecError, RequestError
from p5rec.progress import Reporter

if TYPE_CHECKING:
    from p5rec.data.events import Event
    from p5rec.decoding.wanted import Wanted
    from p5rec.recommender import Recommendations, Recommender

app = typer.Typer(
    name="p5rec",
    help="Turn a pretrained language model into a recommender.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
ids_app = typer.Typer(help="Look at semantic IDs.", no_args_is_help=True)
app.add_typer(ids_app, name="ids")

Bundle = Annotated[Path, typer.Argument(help="Folder that `p5rec fit --out` wrote.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notices.")]
K = Annotated[int, typer.Option("-k", help="How many items.")]
HistoryText = Annotated[
    str, typer.Option("--history", help="Item ids, oldest first, with commas between.")
]
ExcludeHistory = Annotated[
    bool, typer.Option("--exclude-history", help="Never an item of the history.")
]
Seed = Annotated[int, typer.Option(help="Same seed, same model.")]
FilterText = Annotated[
    str | None, typer.Option("--filter", help="What items must be: 'price <= 20 and in_stock'.")
]
Allow = Annotated[
    str | None, typer.Option("--allow", help="The only item ids, with commas between.")
]
Deny = Annotated[str, typer.Option("--deny", help="Item ids never to print, with commas between.")]
StrategyName = Annotated[
    str | None,
    typer.Option(help="explorer, conservative, newcomer, regular, diverse, or auto."),
]
Beams = Annotated[int | None, typer.Option(help="Width of the search.")]
DrawSeed = Annotated[int, typer.Option("--seed", help="Same seed, same drawn items.")]


def _version(wanted: bool) -> None:
    if wanted:
        print(f"p5rec {__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say which version.")
    ] = False,
) -> None:
    pass


@app.command()
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
        Literal["nothing", "last-basket"],
        typer.Option(help="Keep each user's last basket out of training, for `evaluate`."),
    ] = "nothing",
    prompts: Annotated[Path | None, typer.Option(help="Folder with templates of your own.")] = None,
    seed: Seed = 0,
    max_minutes: Annotated[float | None, typer.Option(help="Stop training after.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a stopped run.")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fine-tune a language model on a log and write the recommender to a folder."""
    from p5rec.data.loading import check_against, load_catalogue, load_events, load_users
    from p5rec.model.bundle import check_writable
    from p5rec.recommender import Recommender

    check_writable(out)
    state = out.parent / f"{out.name}.training"
    chosen = Recommender.from_base(base, recipe=recipe) if base else Recommender.from_base(recipe)
    mapping = _mapping(columns or [])

    def aside(name: str) -> dict[str, Any]:
        if on_bad_rows == "strict":
            return {"policy": "strict"}
        state.mkdir(parents=True, exist_ok=True)
        return {"policy": "quarantine", "quarantine_file": state / f"bad-{name}.jsonl"}

    catalogue = load_catalogue(items, columns=_known(mapping, "items"), **aside("items"))
    log = load_events(events, columns=_known(mapping, "events"), **aside("events"))
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
    _forget(state)
    about = {key: value for key, value in chosen.about["training"].items() if key != "curve"}
    _print(about, as_json, [f"{key}\t{value}" for key, value in about.items()])


@app.command()
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
    recommender = _load(bundle)
    found = recommender.recommend(_history(history), k=k, **wanted)
    _print_items(recommender, found, as_json, quiet)


@app.command()
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
    recommender = _load(bundle)
    found = recommender.ask(request, history=_history(history), k=k, **wanted)
    _print_items(recommender, found, as_json, quiet)


@app.command()
def explain(
    bundle: Bundle,
    item: Annotated[str, typer.Option(help="The item to explain.")],
    history: HistoryText = "",
    generate: Annotated[
        bool, typer.Option(help="Let the model write, or take a plain sentence.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Print why an item fits a history, and the evidence."""
    recommender = _load(bundle)
    explanation = recommender.explain(_history(history), item, generate=generate)
    lines = [explanation.text]
    for event in explanation.evidence.events:
        name = recommender.catalogue.name(event.item)
        lines.append(
            f"evidence\t{recommender.catalogue.item_ids[event.item]}\t{name}\t{event.weight:+.3f}"
        )
    _print(explanation.to_dict(recommender.catalogue), as_json, lines)


@app.command()
def evaluate(
    bundle: Bundle,
    events: Annotated[Path, typer.Argument(help="Events with baskets that training never saw.")],
    report: Annotated[Path | None, typer.Option(help="Write an HTML report here.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure a recommender on each user's last basket, beside simple baselines."""
    from p5rec.data.loading import load_events
    from p5rec.evaluation.assessment import assess
    from p5rec.evaluation.report import Sections, to_json, to_table, write_html

    recommender = _load(bundle)
    log = load_events(events)
    cases = recommender.held_out(log)
    results = assess(
        recommender,
        cases,
        cases.histories,
        n_items=len(recommender.catalogue),
        reporter=Reporter(quiet=quiet),
    )
    if report is not None:
        write_html(report, title="p5rec evaluation", results=results, sections=Sections())
    if as_json:
        print(json.dumps(to_json(results), indent=2))  # noqa: T201
    else:
        _console().print(to_table(results))


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the report and the recommender.")] = Path(
        "runs/demo"
    ),
    recipe: Annotated[str, typer.Option(help="A recipe's name or path.")] = "gpt2-mini",
    seed: Seed = 0,
    max_minutes: Annotated[float | None, typer.Option(help="Stop training after.")] = None,
    households: Annotated[
        int | None, typer.Option(help="Only so many households, for a quick look.", min=10)
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the whole road on a real grocer's log: fit, recommend, explain, ask, compare."""
    from p5rec.demo import run_demo

    summary = run_demo(
        out,
        recipe=recipe,
        seed=seed,
        reporter=Reporter(quiet=quiet),
        max_minutes=max_minutes,
        households=households,
    )
    if as_json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))  # noqa: T201


@ids_app.command("show")
def ids_show(
    bundle: Bundle,
    item: Annotated[str, typer.Argument(help="The item whose path to show.")],
    as_json: AsJson = False,
) -> None:
    """Print the tree of an item in words."""
    from p5rec.ids.show import place_of_item, tree_of_item

    recommender = _load(bundle)
    row = int(recommender.catalogue.rows_of([item])[0])
    if row < 0:
        raise RequestError(
            f"item {item!r} is not in the catalogue. Ask for one that is, such as "
            f"{recommender.catalogue.item_ids[0]!r}."
        )
    subject = (recommender.model.ids, recommender.catalogue, row)
    _print(place_of_item(*subject).as_dict(), as_json, tree_of_item(*subject))


@app.command("ls")
def list_shipped(
    kind: Annotated[
        Literal["recipes", "prompts", "suites"], typer.Argument(help="What to list.")
    ] = "recipes",
    as_json: AsJson = False,
) -> None:
    """List the recipes, prompts and suites that ship."""
    names = resources.names(_KINDS[kind])
    _print(names, as_json, names)


@app.command("cp")
def copy_shipped(
    name: Annotated[str, typer.Argument(help="A name that `p5rec ls` prints.")],
    target: Annotated[Path, typer.Argument(help="Where to write the copy.")],
    kind: Annotated[
        Literal["recipes", "prompts", "suites"], typer.Option(help="What it is.")
    ] = "recipes",
) -> None:
    """Copy a recipe (or prompts, or a suite) that ships, to edit it."""
    names = resources.names(_KINDS[kind])
    if name not in names:
        raise RequestError(f"there is no {kind} {name!r}. Known: {', '.join(names)}.")
    if target.exists():
        raise RequestError(f"{target} exists and is left alone. Give a new name.")
    try:
        target.write_text(resources.read(_KINDS[kind], name), encoding="utf-8")
    except OSError as error:
        raise RequestError(f"{target} cannot be written: {error}. Give another place.") from error


_KINDS: dict[str, resources.Kind] = {
    "recipes": "adapters",
    "prompts": "prompts",
    "suites": "suites",
}


def main() -> NoReturn:
    """Run the command line: a user's mistake is told on standard error and exits with 2."""
    warnings.filterwarnings("ignore", module=r"(transformers|peft|torch)\b")
    try:
        code = app(standalone_mode=False)
    except P5RecError as error:
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _fail(error.format_message())
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str) -> NoReturn:
    print(f"p5rec: {message}", file=sys.stderr)  # noqa: T201
    sys.exit(2)


def _load(bundle: Path) -> Recommender:
    from p5rec.recommender import Recommender

    return Recommender.from_pretrained(bundle)


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
        "allow": None if allow is None else _listed(allow),
        "deny": _listed(deny),
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


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _history(text: str) -> list[str | Event]:
    return [*_listed(text)]


def _print_items(
    recommender: Recommender, found: Recommendations, as_json: bool, quiet: bool
) -> None:
    reporter = Reporter(quiet=quiet)
    for notice in found.notices:
        reporter.say(f"Note: {notice}")
    catalogue = recommender.catalogue
    rows = catalogue.rows_of([one.item_id for one in found]).tolist()
    names = [catalogue.name(row) for row in rows]
    lines = [
        f"{one.rank}\t{one.item_id}\t{one.score:.3f}\t{name}\t{' > '.join(one.path[:-1])}"
        for one, name in zip(found, names, strict=True)
    ]
    plain = [one.to_dict() | {"name": name} for one, name in zip(found, names, strict=True)]
    _print({"items": plain, "notices": list(found.notices)}, as_json, lines)


def _print(data: Any, as_json: bool, lines: list[str]) -> None:  # noqa: ANN401 (JSON)
    text = json.dumps(data, indent=2, ensure_ascii=False) if as_json else "\n".join(lines)
    print(text)  # noqa: T201


def _console() -> Any:  # noqa: ANN401 (loaded late)
    from rich.console import Console

    return Console()


_COLUMNS = {
    "events": ("user_id", "item_id", "timestamp", "position", "session_id", "behaviour", "rating"),
    "items": ("item_id", "title", "brand", "categories", "variant", "description", "price"),
}


def _mapping(given: list[str]) -> dict[str, str]:
    mapping = {}
    for one in given:
        name, equals, theirs = one.partition("=")
        if not equals or not theirs:
            raise RequestError(f"--columns {one!r}: expected NAME=YOURS, such as user_id=customer.")
        mapping[name] = theirs
    return mapping


def _known(mapping: dict[str, str], table: str) -> dict[str, str]:
    return {name: theirs for name, theirs in mapping.items() if name in _COLUMNS[table]}


def _forget(state: Path) -> None:
    """Remove the state of a finished run; files of bad rows stay."""
    from p5rec.training.checkpoint import FILE

    (state / FILE).unlink(missing_ok=True)
    if state.is_dir() and not any(state.iterdir()):
        state.rmdir()
