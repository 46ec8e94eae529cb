"""Makes the shouted short forms of a retailer's files readable, without guessing."""

from __future__ import annotations

import re
from functools import lru_cache

# Short forms that the source uses in one sense only; all others stay as they are.
_IN_FULL = {
    **{"frzn": "frozen", "frz": "frozen", "refrgratd": "refrigerated", "pckgd": "packaged"},
    **{"pkgd": "packaged", "pkg": "packaged", "brkfst": "breakfast", "jce": "juice"},
    **{"juic": "juice", "drnks": "drinks", "drnk": "drink", "sft": "soft", "btl": "bottle"},
    **{"mlk": "milk", "choc": "chocolate", "veg": "vegetable", "sndwch": "sandwich"},
    **{"bkd": "baked", "dnr": "dinner", "tiss": "tissue", "pnt": "peanut", "btr": "butter"},
    **{"mx": "mix", "mxs": "mixes", "mixs": "mixes", "pwdr": "powder", "crystl": "crystal"},
    **{"wtr": "water", "snks": "snacks", "ckys": "cookies", "crkr": "crackers", "cndy": "candy"},
    **{"sald": "salad", "drsng": "dressing", "sprd": "spread", "bn": "bean", "sply": "supply"},
    **{"trsh": "trash", "fd": "food", "flvrd": "flavored", "pkld": "pickled", "dsh": "dish"},
    **{"cleang": "cleaning", "whlsm": "wholesome", "conc": "concentrate"},
}
_SMALL = frozenset({"and", "or", "of", "with", "for", "in", "the", "without"})
_KEPT = frozenset({"BBQ", "IQF", "OTC", "SPF", "TV", "DVD", "CD", "HBC", "GM", "RX"})
_UNITS = frozenset(
    {
        *("oz", "lb", "lbs", "ct", "gal", "ml", "pk", "ft", "sq", "in", "qt", "pt", "mm", "cup"),
        *("fl", "gr", "ltr", "each", "bag", "stem", "roll", "dz", "doz", "ea", "ga", "bunch"),
    }
)


@lru_cache(maxsize=8192)
def in_title_case(text: str | None) -> str | None:
    """A category or product name in readable capitals, with readable separators.

    >>> in_title_case("FRZN MEAT/MEAT DINNERS")
    'Frozen Meat / Meat Dinners'
    >>> in_title_case("BREAD:ITALIAN/FRENCH"), in_title_case("CANDY W/O FLOUR")
    ('Bread: Italian / French', 'Candy without Flour')
    """
    full = re.sub(r"\bW/O\b", "without", text or "", flags=re.IGNORECASE)
    full = re.sub(r"\bW/\s*", "with ", full, flags=re.IGNORECASE)
    spaced = _spaced(re.sub(r"\s*/\s*", " / ", re.sub(r"(?<=\w)\(", " (", full)))
    return re.sub(r"[^\W_]+(?:'[^\W_]+)?", _word, spaced) or None


def package_size(text: str | None) -> str | None:
    """A size with its units in small letters.

    >>> package_size("6 CT/21.6  OZ")
    '6 ct/21.6 oz'
    """
    words = re.split(r"([A-Za-z]+)", _spaced(text))
    return "".join(w.lower() if w.lower() in _UNITS else w for w in words) or None


def _spaced(text: str | None) -> str:
    """One space between words, around & and after a colon, semicolon or comma."""
    apart = re.sub(r"([:;,])(?=\S)(?!\d)", r"\1 ", (text or "").replace("&", " & "))
    return " ".join(apart.split())


def _word(match: re.Match[str]) -> str:
    """One word with a capital, unless it is a small one inside or a known short form."""
    word = match.group()
    if word.upper() in _KEPT:
        return word.upper()
    lower = _IN_FULL.get(word.lower(), word.lower())
    inside = match.start() > 0 and match.string[match.start() - 1] == " "
    return lower if lower in _SMALL and inside else lower[:1].upper() + lower[1:]
