"""Reads requests: cuts the limits out of plain words, and says which it could not read."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import reduce
from itertools import islice

from p5rec.decoding.filter_conflicts import contradiction
from p5rec.decoding.filter_expression import Expression, Holds
from p5rec.errors import RequestError
from p5rec.language.attribute_index import LONGEST_NAME
from p5rec.language.bounds import Bounds
from p5rec.language.limits import Limit
from p5rec.language.request_vocabulary import GENERIC_WORDS, SEARCHED
from p5rec.language.requests import Request, ShopWords, narrowed
from p5rec.language.required import Requirement, name_words, required
from p5rec.language.vocabulary import FUNCTION_WORDS
from p5rec.language.words import tokens, words
from p5rec.prompting.cleaning import clean

LONGEST_REQUEST = 64 * 1024
"""Bytes of UTF-8."""
LONGEST_NAMED = 200
"""Characters in which a name that is denied is looked for."""

_VAGUE = re.compile(
    r"(?<![\w'’-])(?:(?:in|non-?)?expensive|cheap(?:er|est|ish)?|affordable"
    r"|low(?:er|est)?[- ](?:cost|priced?)|budget(?:-friendly)?|pricey|pricier|reasonably priced"
    r"|best price|on sale|discounted"
    r"|good value|too (?:much|many|little|few) \w+"
    r"|(?:highly|well|top|best)[- ](?:rated|reviewed))(?![\w'’-])",
    re.IGNORECASE,
)
"""Words that want a limit without saying which."""

_LISTED = re.compile(
    r"(?:,\s+[^,;.!?\n]{1,60}?)+,?\s+and\s+[^,;.!?\n]{1,60}?"
    r"(?=\s*(?:[,;.!?\n]|$|\b(?:please|thanks|for|under|over)\b))",
    re.IGNORECASE,
)
"""What a list goes on with after its first part."""
_LIST_PARTS = re.compile(r"\s*(?:,\s+(?:and\b)?|\band\b)\s*", re.IGNORECASE)


def read_request(text: str, shop: ShopWords) -> Request:
    """Find the limits of a request; ``limit_grammar`` and ``required`` have the grammar.

    A denied word that no item has, a bound on what the catalogue does not tell, and limits
    that contradict each other are reported as not understood.

    >>> import pyarrow as pa
    >>> from p5rec.data.catalogue import Catalogue
    >>> table = pa.table({"item_id": ["a"], "title": ["Corn chips"], "rating": [4.5]})
    >>> shop = ShopWords(Catalogue.from_table(table))
    >>> read_request("a snack, no chips, over 4 stars, under $3", shop).describe()
    ['not: chips', 'rating over 4', 'not understood: under $3']

    :raises RequestError: if the text is empty or longer than 64 KiB.
    """
    check_request(text)
    return _Reading(text, shop).request()


def check_request(text: str) -> None:
    """Refuse what is no request.

    :raises RequestError: if the text is empty or longer than 64 KiB.
    """
    size = len(text.encode("utf-8", errors="replace"))
    if size > LONGEST_REQUEST:
        raise RequestError(
            f"the request has {size:,} bytes. The limit is {LONGEST_REQUEST:,} bytes (64 KiB) "
            "of UTF-8. Say it shorter."
        )
    if not clean(text, max_characters=LONGEST_REQUEST):
        raise RequestError(
            "the request is empty. Expected words such as 'a light yogurt'. To get items "
            "without a request, use recommend."
        )


class _Reading:
    """One pass over a text, limit by limit."""

    def __init__(self, text: str, shop: ShopWords) -> None:
        self.text = text
        self.shop = shop
        self.denied: dict[str, str] = {}
        self.not_true: dict[str, str] = {}
        self.waived: list[str] = []
        self.bounds: list[tuple[str, Bounds]] = []
        self.required: list[Requirement] = []
        self.unclear: list[tuple[int, str]] = []

    def request(self) -> Request:
        kept, at = [], 0
        searched = self.text[:SEARCHED]
        taken = []
        for limit in map(self._with_listed, map(self._whole, self.shop.grammar.limits(searched))):
            if limit.start < at:
                continue
            cut = self._take(limit)
            if cut is not None:
                taken.append((limit.start, limit.end))
            if cut:
                kept.append(self.text[at : limit.start])
                at = limit.end
        kept.append(self.text[at:])
        self._require(searched, taken)
        self.unclear += [
            (found.start(), found.group())
            for found in _VAGUE.finditer(searched)
            if not any(start <= found.start() < end for start, end in taken)
        ]
        self._settle()
        unclear = [quoted for _, quoted in sorted(self.unclear)]
        if len(self.text) > SEARCHED:
            unclear.append(f"what follows the first {SEARCHED:,} characters")
        return Request(
            self.text,
            _tidy(" ".join(kept)),
            tuple(self.denied),
            narrowed(bounds for _, bounds in self.bounds),
            tuple(self.required),
            tuple(self.not_true),
            tuple(dict.fromkeys(self.waived)),
            tuple(dict.fromkeys(unclear)),
        )

    def _whole(self, limit: Limit) -> Limit:
        """A denial to the end of the name that it names: "American (New)" is one."""
        if not limit.denied:
            return limit
        last = limit.denied[-1]
        start = self.text.rfind(last, limit.start, limit.end)
        said = list(islice(tokens(self.text[start : start + LONGEST_NAMED]), LONGEST_NAME))
        size = self.shop.attributes.names.longest_at([token.word for token in said], 0)
        if start < 0 or size <= len(words(last)):
            return limit
        # A bracket that the name opened belongs to it.
        end = start + said[size - 1].end
        name = self.text[start:end]
        if name.count("(") > name.count(")") and self.text[end : end + 1] == ")":
            end += 1
        return replace(limit, end=end, denied=(*limit.denied[:-1], self.text[start:end]))

    def _with_listed(self, limit: Limit) -> Limit:
        """A denial of the first of listed names denies all: "no milk, chips and coffee".

        What is no name here is a wish: "no sugar, crunchy and cheap".
        """
        listed = _LISTED.match(self.text, limit.end, SEARCHED) if limit.denied else None
        if listed is None or limit.denied[1:]:
            return limit
        parts = [limit.denied[0], *filter(None, _LIST_PARTS.split(listed.group()))]
        names = self.shop.attributes.names.of
        if not all(tuple(words(part)) in names for part in parts):
            return limit
        return replace(limit, end=listed.end(), denied=tuple(parts))

    def _take(self, limit: Limit) -> bool | None:
        """Note a limit; whether its text is no part of the wish, None if it is no limit at all."""
        quoted = " ".join(self.text[limit.start : limit.end].split())
        if limit.waived is not None:
            self.waived.append(limit.waived)
            return True
        if limit.bounds is not None:
            if limit.bounds.attribute in self.shop.attributes.numbers:
                self.bounds.append((quoted, limit.bounds))
            else:
                self._report(limit.start, quoted)
            return True
        if limit.none:
            return None
        if not limit.denied:
            self._report(limit.start, quoted)
            return False
        if self._is_name(limit):
            return None
        for part in limit.denied:
            self._deny(part, quoted, limit.start)
        return True

    def _deny(self, part: str, quoted: str, at: int) -> None:
        said = [word for word in words(part) if word not in GENERIC_WORDS]
        truth = self.shop.attributes.truth_names.get(tuple(said))
        telling = [word for word in said if word not in FUNCTION_WORDS and not word[0].isdigit()]
        if truth is not None:
            self.not_true[truth] = quoted
        elif telling and len(self.shop.index.rows_with_all(said)):
            self.denied.setdefault(_without_generic(part), quoted)
        else:
            self._report(at, f"{quoted} (no item has {part!r})")

    def _is_name(self, limit: Limit) -> bool:
        """Whether what looks like a denial is what an item or brand is called."""
        said = words(self.text[limit.start : limit.end])
        size = self.shop.attributes.names.longest_at(said, 0)
        if size > 1:
            return True
        for size in range(min(len(said), 6), 2, -1):
            if len(self.shop.index.rows_with_phrase(said[:size])):
                last = list(islice(tokens(self.text[limit.start : limit.end]), size))[-1]
                quoted = " ".join(self.text[limit.start : limit.start + last.end].split())
                self._report(limit.start, f"{quoted} (items say so themselves)")
                return True
        return False

    def _require(self, searched: str, taken: list[tuple[int, int]]) -> None:
        found, unclear = required(searched, self.shop.attributes, self.shop.index, taken)
        self.required = found
        for quoted in unclear:
            self._report(searched.find(quoted[:20]), f"{quoted} (no item says so)")

    def _report(self, at: int, quoted: str) -> None:
        self.unclear.append((at, quoted))

    def _settle(self) -> None:
        """Take out limits that contradict each other, and report them."""
        for attribute in {bounds.attribute for _, bounds in self.bounds}:
            own = [
                (quoted, bounds) for quoted, bounds in self.bounds if bounds.attribute == attribute
            ]
            if reduce(Bounds.within, (bounds for _, bounds in own)).empty:
                self._drop("; ".join(quoted for quoted, _ in own))
                self.bounds = [one for one in self.bounds if one not in own]
        for name, quoted in list(self.not_true.items()):
            for one in self.required:
                if one.values == Holds(name):
                    self._drop(f"{one.shown}; {quoted}")
                    self.not_true.pop(name, None)
                    self.required = [other for other in self.required if other != one]
        for denied, quoted in list(self.denied.items()):
            for one in self.required:
                if set(words(denied)) <= name_words(one) and " or " not in one.shown:
                    self._drop(f"{one.shown}; {quoted}")
                    self.denied.pop(denied, None)
                    self.required = [other for other in self.required if other != one]
        values = [one.values for one in self.required if one.values is not None and not one.said]
        if len(values) > 1 and contradiction(reduce(Expression.__and__, values)):
            self._drop("; ".join(one.shown for one in self.required if not one.said))
            self.required = [one for one in self.required if one.said]

    def _drop(self, quoted: str) -> None:
        self._report(len(self.text), f"{quoted} (no item can be all of it)")


def _without_generic(part: str) -> str:
    """A denied phrase without words such as "products" at its end."""
    kept = part.split()
    while len(kept) > 1 and all(word in GENERIC_WORDS for word in words(kept[-1])):
        kept.pop()
    return " ".join(kept)


def _tidy(wish: str) -> str:
    """What is left of a text with its limits cut out, without the joints."""
    plain = re.sub(r"\s*,(?:\s*,)+", ",", " ".join(wish.split()))
    plain = re.sub(r"\s+(?=[,;.!?](?:\s|$))", "", plain)
    plain = re.sub(r"^(?:(?:and|but|or)\b|[\s,;.!?])+", "", plain, flags=re.IGNORECASE)
    # Only the end is looked at: the pattern would take time in the square of a long text.
    head, tail = plain[:-40], plain[-40:]
    return head + re.sub(r"(?:\s*(?:\b(?:and|but|or)|[,;]\.?))+$", "", tail, flags=re.IGNORECASE)
