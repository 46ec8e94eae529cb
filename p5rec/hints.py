"""What is said of names that nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from p5rec.errors import RequestError

COMPARED = 20_000
"""So many names are compared letter by letter; more would take longer than the hint is worth."""


def did_you_mean(given: str, known: Sequence[str], *, form: str = "{!r}") -> str:
    """A question that ends a message, with the most alike of the known names; "" if none is alike.

    Capitals and marks do not count.

    >>> did_you_mean("user_id", ["UserId", "price"])
    " Did you mean 'UserId'?"
    >>> did_you_mean("histroy", ["history", "item"], form="{{{}}}")
    ' Did you mean {history}?'
    >>> did_you_mean("brand", ["price"])
    ''
    """
    folded = given.casefold()
    alike = next((name for name in known if name.casefold() == folded), None)
    if alike is None:
        plain = {_plain(name): name for name in reversed(known[:COMPARED])}
        close = get_close_matches(_plain(given), plain, n=1)
        alike = plain[close[0]] if close else None
    return "" if alike is None else f" Did you mean {form.format(alike)}?"


def check_keywords(given: Collection[str], known: Collection[str]) -> None:
    """Refuse what nobody knows: a word that is passed over would be an answer to something else.

    :raises RequestError: naming the first such keyword, and the one that may be meant.
    """
    names = list(known)
    for key in sorted(set(given) - set(names)):
        raise RequestError(
            f"there is no keyword {key!r}.{did_you_mean(key, names)} Expected some of "
            f"{', '.join(names)}. Change or leave it out."
        )


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name)).casefold()
