"""`p5rec ids`: look at semantic IDs."""

from __future__ import annotations

from typing import Annotated

import typer

from p5rec.cli.common import load_bundle, print_answer
from p5rec.cli.options import AsJson, Bundle
from p5rec.errors import RequestError

ids_app = typer.Typer(help="Look at semantic IDs.", no_args_is_help=True)


@ids_app.command("show")
def ids_show(
    bundle: Bundle,
    item: Annotated[str, typer.Argument(help="The item whose path to show.")],
    as_json: AsJson = False,
) -> None:
    """Print the tree of an item in words."""
    from p5rec.ids.show import place_of_item, tree_of_item

    recommender = load_bundle(bundle)
    row = int(recommender.catalogue.rows_of([item])[0])
    if row < 0:
        raise RequestError(
            f"item {item!r} is not in the catalogue. Ask for one that is, such as "
            f"{recommender.catalogue.item_ids[0]!r}."
        )
    subject = (recommender.model.ids, recommender.catalogue, row)
    print_answer(place_of_item(*subject).as_dict(), as_json, tree_of_item(*subject))
