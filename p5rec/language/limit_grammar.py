"""The grammar of limits in a request: finds what is denied, bounded and waived.

What looks like a limit and cannot be read is reported as it stands, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from p5rec.language.bounds import UNCLEAR, Bounds, bound_rules
from p5rec.language.denials import denial_rules
from p5rec.language.limits import Limit, Rule
from p5rec.language.request_vocabulary import LABELS
from p5rec.language.waivers import waiver_rules


class Grammar:
    """Finds limits in texts.

    :param units: words beside a number → the attribute that they make it a bound of.
    :param labels: words that are a limit by themselves in this shop, beside ``LABELS``.
    :param attributes: what attributes are called ("brand").

    >>> grammar = Grammar({"stars": "rating"})
    >>> [(limit.denied, limit.bounds and limit.bounds.describe()) for limit in
    ...  grammar.limits("yogurt, not Chobani, under $5, at least 4 stars")]
    [(('Chobani',), None), ((), ['price under 5.00']), ((), ['rating at least 4'])]
    """

    def __init__(
        self,
        units: Mapping[str, str],
        *,
        labels: Iterable[str] = (),
        attributes: Iterable[str] = (),
    ) -> None:
        labels = {*labels, *LABELS}
        # At one place the rules are tried in this order.
        self._rules: list[Rule] = [
            *waiver_rules({*attributes, *units}, labels),
            *((pattern, _bounded(make)) for pattern, make in bound_rules(units)),
            *denial_rules(labels),
            (UNCLEAR, _unclear),
        ]

    def limits(self, text: str) -> Iterator[Limit]:
        """The limits of a text from left to right, none overlapping another."""
        at = 0
        finders = [_Finder(text, rule) for rule in self._rules]
        while True:
            found = min((f.next(at) for f in finders), key=lambda limit: limit.start)
            if found is _END:
                return
            yield found
            at = found.end


class _Finder:
    """Finds what one pattern gives, looking at each part of the text once."""

    def __init__(self, text: str, rule: Rule) -> None:
        self._text = text
        self._pattern, self._make = rule
        self._found: Limit | None = None

    def next(self, at: int) -> Limit:
        """The first limit that begins at ``at`` or later."""
        if self._found is None or self._found.start < at:
            found = self._pattern.search(self._text, at)
            self._found = self._make(found) if found else _END
        return self._found


def _bounded(make: Callable[[re.Match[str]], Bounds | None]) -> Callable[[re.Match[str]], Limit]:
    return lambda found: Limit(found.start(), found.end(), bounds=make(found))


def _unclear(found: re.Match[str]) -> Limit:
    return Limit(found.start(), found.end())


_END = Limit(2**62, 2**62)
