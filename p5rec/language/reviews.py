"""What reviews and records say, in the pieces that prompts and answers are made of."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Mapping

from p5rec.data.catalogue import Catalogue
from p5rec.language.support import telling
from p5rec.language.verify import split_sentences

SHORTEST, LONGEST = 4, 40
"""Words of a sentence that can stand for a whole review."""


def described(catalogue: Catalogue, row: int) -> str:
    """What an item is in words: its description, or else its text."""
    return html.unescape(catalogue.record(row).get("description") or catalogue.text(row))


def known_of(attributes: Mapping[str, str]) -> str:
    """What is known of a person in words.

    >>> known_of({"age": "35-44", "children": "2"})
    'age 35-44, children 2'
    """
    return ", ".join(f"{name} {html.unescape(value)}" for name, value in attributes.items())


def reason_in(review: str, item_words: str) -> str:
    """The sentence of a review that says most of the item; empty if none does.

    >>> reason_in("Came on Monday. The oat milk froths well and tastes sweet.", "Oat Milk Barista")
    'The oat milk froths well and tastes sweet.'
    """
    known = set(telling(item_words))
    best, most = "", 0
    for sentence in split_sentences(html.unescape(review)):
        if SHORTEST <= len(sentence.split()) <= LONGEST:
            said = len(known.intersection(telling(sentence)))
            if said > most:
                best, most = sentence, said
    return best


def summary_of(review: str) -> str:
    """The sentence whose words the review says oftenest; empty if none is of a fit length.

    >>> summary_of("Great chips. I eat these chips at work. My cat does not.")
    'I eat these chips at work.'
    """
    sentences = split_sentences(html.unescape(review))
    counts = Counter(word for sentence in sentences for word in set(telling(sentence)))
    fit = [one for one in sentences if SHORTEST <= len(one.split()) <= LONGEST]

    def worth(sentence: str) -> float:
        found = telling(sentence)
        return sum(counts[word] for word in found) / (len(found) + 1)

    return max(fit, key=worth, default="")
