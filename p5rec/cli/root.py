"""All commands together, and what happens to a user's mistake."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated, NoReturn

import typer

from p5rec import __version__
from p5rec.cli.answers import ask, chat, explain, recommend
from p5rec.cli.demo import demo, demo_llm
from p5rec.cli.evaluate import evaluate
from p5rec.cli.fit import fit
from p5rec.cli.ids import ids_app
from p5rec.cli.shipped import copy_shipped, list_shipped
from p5rec.errors import P5RecError

app = typer.Typer(
    name="p5rec",
    help="Turn a pretrained language model into a recommender.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

for command in (fit, recommend, ask, chat, explain, evaluate, demo):
    app.command()(command)
app.command("demo-llm")(demo_llm)
app.command("ls")(list_shipped)
app.command("cp")(copy_shipped)
app.add_typer(ids_app, name="ids")


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
