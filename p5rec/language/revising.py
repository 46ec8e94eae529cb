"""What a later turn of a conversation leaves of the limits of earlier ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from p5rec.language.attribute_index import spoken
from p5rec.language.bounds import PRICE, Bounds
from p5rec.language.request_reading import read_request
from p5rec.language.requests import Request, ShopWords
from p5rec.language.required import Requirement, name_words
from p5rec.language.waivers import FINE
from p5rec.language.words import words


def revised(old: Request, new: Request, shop: ShopWords, *, anew: bool) -> Request:
    """The limits of an earlier turn that a later one neither contradicts nor waives.

    :param anew: whether a bound that is said again takes the place of the old one.
    """
    return _without_waived(_without_contradicted(old, new, anew=anew), new.waived, shop)


def _without_contradicted(old: Request, new: Request, *, anew: bool) -> Request:
    given = {bounds.attribute: bounds for bounds in new.bounds}
    kept = [
        one.without(given[one.attribute]) if anew and one.attribute in given else one
        for one in old.bounds
    ]
    bounds = tuple(
        one
        for one in kept
        if one != Bounds(one.attribute)
        and (one.attribute not in given or not one.within(given[one.attribute]).empty)
    )
    names = [name_words(one) for one in new.required]
    denied = tuple(one for one in old.denied if not any(set(words(one)) <= name for name in names))
    chosen = {one.attribute for one in new.required} - {None}
    said = [set(words(spoken(one))) for one in (*new.denied, *new.not_true)]
    required = tuple(
        one
        for one in old.required
        if one.attribute not in chosen and not any(words_of <= name_words(one) for words_of in said)
    )
    not_true = tuple(
        one for one in old.not_true if not any(set(words(spoken(one))) <= name for name in names)
    )
    return replace(old, bounds=bounds, denied=denied, required=required, not_true=not_true)


def _without_waived(old: Request, waived: Sequence[str], shop: ShopWords) -> Request:
    for one in waived:
        said = words(one)
        attribute = _attribute(said, shop)
        if attribute is not None:
            old = _without_attribute(old, attribute, shop)
        else:
            old = _without_words(old, one, shop)
    return old


def _attribute(said: Sequence[str], shop: ShopWords) -> str | None:
    """The attribute that words name."""
    units = {tuple(words(unit)): name for unit, name in shop.attributes.units.items()}
    known: dict[tuple[str, ...], str] = {
        (PRICE,): PRICE,
        **units,
        **shop.attributes.attribute_names,
    }
    return known.get(tuple(said))


def _without_attribute(old: Request, attribute: str, shop: ShopWords) -> Request:
    names = shop.attributes.names
    return replace(
        old,
        bounds=tuple(one for one in old.bounds if one.attribute != attribute),
        required=tuple(one for one in old.required if one.attribute != attribute),
        denied=tuple(one for one in old.denied if not names.values(words(one), attribute)),
    )


def _without_words(old: Request, waived: str, shop: ShopWords) -> Request:
    said = set(words(waived))
    bounded = {one.attribute for one in read_request(waived, shop).bounds}

    def stays(one: Requirement) -> bool:
        return not name_words(one) <= said

    return replace(
        old,
        bounds=tuple(one for one in old.bounds if one.attribute not in bounded),
        required=tuple(filter(stays, old.required)),
        denied=tuple(one for one in old.denied if not set(words(one)) <= said),
        not_true=tuple(one for one in old.not_true if not set(words(spoken(one))) <= said),
    )


def allowed_again(text: str, limits: Request) -> tuple[tuple[str, ...], str]:
    """What was denied and a text says is fine, and the text without that.

    >>> allowed_again("Alpro is fine too, under $5", Request("", "", denied=("Alpro",)))
    (('Alpro',), ', under $5')
    """
    denied = [*limits.denied, *map(spoken, limits.not_true)]
    if not denied:
        return (), text
    said = "|".join(re.escape(one) for one in sorted(denied, key=len, reverse=True))
    rule = re.compile(rf"(?<!\w)(?:(?:the|any)\s+)?(?P<what>{said})s?\s+{FINE}", re.IGNORECASE)
    return tuple(found["what"] for found in rule.finditer(text)), rule.sub("", text)
