"""Pages that hold everything they show: one style, one way to fill templates and to write them."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import jinja2

from p5rec.errors import RequestError


def write_page(path: str | Path, template: str, **values: object) -> None:
    """Fill a template of this folder (``report.html.j2``) and write the page.

    What is filled in is text and cannot become markup.

    :raises RequestError: if the file cannot be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(template).render(values)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(page, encoding="utf-8")
    except OSError as error:
        raise RequestError(
            f"the report cannot be written to {path}: {error.strerror}. Name a file in a folder"
            " that can be written."
        ) from error


def _source(name: str) -> str:
    return (files("p5rec.evaluation") / name).read_text(encoding="utf-8")
