"""`p5rec ids`: make semantic IDs, look at them, measure and compare them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from p5rec.cli.common import load_bundle, print_answer
from p5rec.cli.options import AsJson, Bundle, Quiet
from p5rec.errors import RequestError
from p5rec.progress import Reporter

if TYPE_CHECKING:
    import numpy as np

    from p5rec.data.catalogue import Catalogue
    from p5rec.evaluation.ids_report import Subject

Html = Annotated[Path | None, typer.Option("--html", help="Write an HTML report here.")]
Sample = Annotated[int, typer.Option(help="Of so many items the neighbours are found.", min=1)]
AnySeed = Annotated[int, typer.Option("--seed", help="Same seed, same figures.")]
LogFile = Annotated[
    Path | None,
    typer.Option("--events", help="Who did what when; for what is chosen together, and the leaks."),
]

ids_app = typer.Typer(help="Make, measure and compare semantic IDs.", no_args_is_help=True)


@ids_app.command("show")
def ids_show(
    bundle: Bundle,
    item: Annotated[str, typer.Argument(help="The item whose path to show.")],
    as_json: AsJson = False,
) -> None:
    """Print the tree of an item in words."""
    from p5rec.decoding.filter_columns import rows_of
    from p5rec.ids.show import place_of_item, tree_of_item

    recommender = load_bundle(bundle)
    (row,) = rows_of(recommender.catalogue, [item]).tolist()
    subject = (recommender.model.ids, recommender.catalogue, row)
    print_answer(place_of_item(*subject).as_dict(), as_json, tree_of_item(*subject))


@ids_app.command("fit")
def ids_fit(
    items: Annotated[Path, typer.Argument(help="The catalogue: CSV, JSONL or Parquet.")],
    out: Annotated[Path, typer.Option(help="Folder for the semantic IDs.")],
    events: LogFile = None,
    scheme: Annotated[
        str, typer.Option(help="attributes, residual, hybrid, or a recipe's name or path.")
    ] = "attributes",
    keep: Annotated[
        Path | None,
        typer.Option(help="Semantic IDs or a recommender whose items keep their paths."),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            help="A vector an item (.npy), in the order of the catalogue; with --keep, "
            "those of the new items."
        ),
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="A sentence-transformers model that reads the items' texts.")
    ] = "",
    hold_out: Annotated[
        Literal["nothing", "last-basket"],
        typer.Option(help="Keep each user's last basket out of what IDs are fitted on."),
    ] = "nothing",
    seed: AnySeed = 0,
    as_json: AsJson = False,
) -> None:
    """Make semantic IDs without a model; with --keep, beside those that there are."""
    from p5rec.data.loading import check_against, load_catalogue, load_events
    from p5rec.data.splits import leave_last_basket
    from p5rec.evaluation.ids_assessment import scheme_of
    from p5rec.ids.diff import FittedIDs
    from p5rec.ids.fit import fit_semantic_ids
    from p5rec.model.bundle import check_writable
    from p5rec.model.fitted_ids import load_ids, save_ids

    check_writable(out)
    chosen = scheme_of(scheme)
    if encoder:
        chosen = replace(chosen, encoder=encoder)
    catalogue = load_catalogue(items)
    log = None if events is None else check_against(load_events(events), catalogue)
    old = None if keep is None else load_ids(keep)
    held = _held_out(log is not None, old is not None, hold_out)
    if log is not None and held == "last-basket":
        log = leave_last_basket(log, validation_users=0).train
    ids = fit_semantic_ids(
        catalogue,
        chosen,
        histories=None if log is None else log.histories(catalogue),
        vectors=None if vectors is None else _read_vectors(vectors),
        keep=None if old is None else (old.ids, old.catalogue),
        seed=seed,
    )
    alone = old is None and vectors is None
    save_ids(FittedIDs(ids, catalogue), out, scheme=chosen if alone else None, hold_out=held)
    about = {"items": len(ids), "levels": ids.levels, "codes": ids.sizes, "notes": ids.notes}
    print_answer(about, as_json, ids.describe().splitlines())


@ids_app.command("diff")
def ids_diff(
    old: Annotated[Path, typer.Argument(help="A recommender, or what `p5rec ids fit` wrote.")],
    new: Annotated[Path, typer.Argument(help="The same, later.")],
    examples: Annotated[int, typer.Option(help="Items to name of each kind.", min=0)] = 5,
    as_json: AsJson = False,
) -> None:
    """Print what is other in new semantic IDs: paths, items, levels."""
    from p5rec.ids.diff import diff_ids
    from p5rec.model.fitted_ids import load_ids

    found = diff_ids(load_ids(old), load_ids(new))
    print_answer(found.as_dict(), as_json, found.describe(examples=examples))


@ids_app.command("report")
def ids_report(
    path: Annotated[Path, typer.Argument(help="A recommender, or what `p5rec ids fit` wrote.")],
    events: LogFile = None,
    html: Html = None,
    sample: Sample = 2000,
    seed: AnySeed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Measure semantic IDs: use of codes, neighbours that share them, leaks."""
    from p5rec.data.loading import load_events
    from p5rec.evaluation.ids_assessment import report_on

    log = None if events is None else load_events(events)
    subject, catalogue = report_on(
        path, log, sample=sample, seed=seed, reporter=Reporter(quiet=quiet)
    )
    _print_subjects([subject], catalogue, html, as_json)


@ids_app.command("compare")
def ids_compare(
    items: Annotated[Path, typer.Argument(help="The catalogue: CSV, JSONL or Parquet.")],
    events: LogFile = None,
    scheme: Annotated[
        list[str] | None,
        typer.Option(help="attributes, residual, hybrid, or a recipe's name or path; repeatable."),
    ] = None,
    html: Html = None,
    sample: Sample = 2000,
    seed: AnySeed = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit several schemes of semantic IDs and measure them side by side, without a model."""
    from p5rec.data.loading import check_against, load_catalogue, load_events
    from p5rec.evaluation.ids_assessment import Judge, compare_schemes, scheme_of

    schemes = {name: scheme_of(name) for name in scheme or ("attributes", "residual", "hybrid")}
    catalogue = load_catalogue(items)
    log = None if events is None else check_against(load_events(events), catalogue)
    judge = Judge(catalogue, log, sample=sample, seed=seed)
    subjects = compare_schemes(judge, schemes, reporter=Reporter(quiet=quiet))
    _print_subjects(subjects, catalogue, html, as_json)


def _held_out(events: bool, kept: bool, asked: str) -> str:
    """What of the events the IDs cannot know; of those that are kept, nothing is sure."""
    if kept:
        return "nothing"
    return asked if events else "everything"


def _read_vectors(path: Path) -> np.ndarray:
    import numpy as np

    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise RequestError(
            f"the vectors in {path} cannot be read: {error}. Write them with numpy.save."
        ) from error


def _print_subjects(
    subjects: list[Subject], catalogue: Catalogue, html: Path | None, as_json: bool
) -> None:
    from rich.console import Console

    from p5rec.evaluation import ids_report

    if html is not None:
        ids_report.write_html(html, title="Semantic IDs", subjects=subjects, catalogue=catalogue)
    plain: dict[str, Any] = {one.name: ids_report.to_json(one) for one in subjects}
    if as_json:
        print_answer(plain if len(subjects) > 1 else next(iter(plain.values())), True, [])
        return
    for table in ids_report.tables(subjects):
        Console().print(table)
