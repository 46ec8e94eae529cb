"""Checks text in the words of a domain: is what it says in the item's record, or known of the user?

Reviews and reference explanations speak freely, beyond what the grammar of ``verify`` reads. Here
a claim is a stretch between commas and conjunctions, and it holds if each of its telling words is
in the records. That is stricter on wording than a reader would be, and blind to word order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from p5rec.language.explanation import Claim
from p5rec.language.verify import Verdict, split_sentences
from p5rec.language.words import words

_PARTS = re.compile(
    r"[,;:()\"“”]|\s[-–—]\s"
    r"|\b(?:and|or|but|as well as|along with|while|because|making|which|who)\b",
    re.IGNORECASE,
)
_SUFFIXES = ("fully", "ingly", "ness", "ing", "ful", "est", "ed", "ly", "er", "y", "e")
_GRAMMAR = """
a about all also although always am an and any are as at be because been being both but by can
could despite do does each especially even ever every for from further had has have he her
hers herself him himself his how i if in instead into is it its itself just likely made make
makes making may me might more most much must my no nor not of off on one ones only or other
our out over own past per rather same she should since so some such than that the their theirs
them themselves then there these they this those though through throughout thus to too toward
under until up upon very was we were what when where whether which while who whom whose why
will with within without would yet you your yours yourself
"""
# What any explanation says: who, the act, and that it fits.
_ACT = """
additionally after again appeal appeals appealing appreciate appreciated appreciates because
book books business buy buys bought choose chose choice consider considering customer
customers drawn due end enjoy enjoyable enjoyed enjoying enjoys enhance enhances expected
expresses feature features featuring feel feels find finds found give gives highlight
highlights item itself keep keeps leave leaves leaving left like liked likes located look
looking looks love loved loves mention mentioned mentions novel novels offer offered offering
offers overall particularly people place places prefer prefers previous previously provide
provided provides providing read reader readers reading reads recommend recommended restaurant
review reviews seek seeking seem seems someone stated states story stories suggest suggests
that thing things think title together user users want wants way well work works worth
experience including include includes fan fans interest interested interesting high highly
overall series author
"""
PLAIN: frozenset[str] = frozenset(words(_GRAMMAR + _ACT))
"""Words that claim nothing by themselves: grammar, the act of choosing, and kinds of subject."""


@lru_cache(maxsize=2**16)
def stem(word: str) -> str:
    """A folded word without its commonest endings.

    >>> [stem(word) for word in ("friendly", "friend", "flavorful", "flavor", "engaging")]
    ['friend', 'friend', 'flavor', 'flavor', 'engag']
    """
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 4:
            return word[: -len(suffix)]
    return word


def telling(text: str) -> list[str]:
    """The stems of a text's words that claim something.

    >>> telling("The user would enjoy the cozy atmosphere.")
    ['cozy', 'atmospher']
    """
    return [stem(word) for word in words(text) if word not in PLAIN]


class Records:
    """The telling words of all that is known of an item and of a user."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._stems = {found for text in texts for found in telling(text)}

    def support(self, text: str) -> bool:
        """Whether every telling word of a text is known."""
        return self._stems.issuperset(telling(text))

    def claims(self, text: str) -> list[Claim]:
        """The claims of a text in their order."""
        return [Claim(part, "words", self.support(part)) for part in claim_parts(text)]

    def verify(self, text: str) -> Verdict:
        """Keep the sentences whose every claim holds; those without a claim are dropped."""
        kept: list[str] = []
        claims: list[Claim] = []
        refused: list[str] = []
        for sentence in split_sentences(text):
            found = self.claims(sentence)
            if found and all(claim.supported for claim in found):
                kept.append(sentence)
                claims += found
            else:
                refused.append(sentence)
        return Verdict(" ".join(kept), tuple(claims), tuple(refused))


def claim_parts(text: str) -> Iterator[str]:
    """The stretches of a text that claim something.

    >>> list(claim_parts("The user would enjoy it for its cozy patio and cheap tacos."))
    ['The user would enjoy it for its cozy patio', 'cheap tacos']
    """
    for sentence in split_sentences(text):
        for part in _PARTS.split(sentence):
            plain = part.strip(" .!?…'’")
            if telling(plain):
                yield plain
