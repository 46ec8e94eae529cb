"""What a request says need not hold: ``doesn't have to be vegan``, ``any brand is fine``.

Nothing in such words is a limit; in a conversation they end one that was set before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from p5rec.language.limits import Limit, Rule
from p5rec.language.request_vocabulary import NEGATED, any_phrase

_NOT = rf"(?:do|does|did){NEGATED}"
_IT = r"(?:it|them|this|that|these|those)"
_NEED_NOT = (
    rf"(?:{_NOT}\s+(?:have|need)(?:\s+(?:for\s+)?{_IT})?\s+to\s+be"
    rf"|need{NEGATED}\s+be|no\s+need\s+(?:for\s+{_IT}\s+)?(?:to\s+be|for\s+it\s+to\s+be)"
    r"|not\s+necessarily)"
)
_CLAUSE = r"(?:(?!\s(?:and|but|please|so|because|if|though)\b|[.](?:\s|$))[^,;!?()\n])+"
FINE = (
    r"(?:is|are|will|would)\s+(?:be\s+)?(?:also\s+)?(?:fine|ok|okay|good|great|do|alright"
    r"|all\s+right|allowed)(?:\s+(?:too|now|again|after\s+all|as\s+well))?(?!\w)"
)
"""What says that something may be."""
_MATTERS_NOT = (
    rf"(?:{_NOT}\s+matter|is\s+(?:no|not\s+an?)\s+(?:issue|object|problem)"
    rf"|is{NEGATED}\s+important)"
)
_NO_MATTER = (
    rf"(?:never\s*mind|regardless\s+of|no\s+matter|forget(?:\s+about)?"
    rf"|{_NOT}\s+(?:care|mind)(?:\s+about)?)"
)


def waiver_rules(attributes: Iterable[str], labels: Iterable[str]) -> list[Rule]:
    """The patterns of what need not hold.

    :param attributes: what attributes are called, beside brand and price.
    :param labels: words that are a limit by themselves.
    """
    what = rf"(?P<what>{any_phrase({*attributes, 'price', 'brand'})})s?(?!\w)"
    patterns = (
        rf"{_NEED_NOT}\s+(?P<what>{_CLAUSE})",
        rf"any\s+{what}(?:\s+{FINE}|(?=\s*(?:[,;.!?)]|$|please\b|and\b)))",
        rf"(?:the\s+)?{what}\s+{_MATTERS_NOT}",
        rf"{_NO_MATTER}\s+(?:the\s+)?{what}",
        rf"(?:whether\s+(?:{_IT}(?:['’]?s|\s+is)\s+)?)?(?P<what>{any_phrase(labels)})"
        r"\s+(?:(?:(?:is|are)\s+)?optional|or\s+not(?=\s*(?:[,;.!?)]|$|please\b))"
        rf"|or\s+not\s+{_MATTERS_NOT})",
    )
    return [
        (re.compile(rf"(?<![\w'’-])(?:{pattern})(?!\w)", re.IGNORECASE), _waiver)
        for pattern in patterns
    ]


def _waiver(found: re.Match[str]) -> Limit:
    return Limit(found.start(), found.end(), waived=" ".join(found["what"].split()))
