"""How well items' own words answer what is wished."""

from __future__ import annotations

import numpy as np

from p5rec.decoding.leaning import Lean
from p5rec.language.request_vocabulary import REQUEST_WORDS, SEARCHED
from p5rec.language.word_index import WordIndex
from p5rec.language.words import words

STRENGTH = 3.0
"""Nats a point of BM25."""
LEAST = 15.0
"""Nats that the walk leans at least to the item whose words answer best."""
MOST_GUESSED = 10.0
"""Nats that the walk leans at most where no word of a wish is one of the catalogue."""
OCCASION = 0.5
"""Weight of the words after "for": "a snack for a party" asks for a snack."""


def asked_words(wish: str, index: WordIndex) -> dict[str, float]:
    """The words of a wish that items have, each with its weight.

    Words that in a request say nothing are left out unless there are no others. A word that no
    item has counts as those that it may stand for, by the square of their likeness. What
    follows "for" is the occasion and counts half if an item has a word of the thing before it.

    >>> import pyarrow as pa
    >>> from p5rec.data.catalogue import Catalogue
    >>> titles = ["Frozen pizza", "Pizza cutter", "Party hats", "Salt"]
    >>> shop = Catalogue.from_table(pa.table({"item_id": list("abcd"), "title": titles}))
    >>> asked_words("I'd like pizza for a party", WordIndex(shop))
    {'pizza': 1.0, 'party': 0.5}

    Where the shop has no telling word of a wish, it gets no other: "a" asks for no vitamin.

    >>> vitamins = Catalogue.from_table(pa.table({"item_id": ["v"], "title": ["Vitamin A"]}))
    >>> asked_words("I have a terrible headache", WordIndex(vitamins))
    {}
    """
    said = list(dict.fromkeys(words(wish[:SEARCHED])))
    split = said.index("for") if "for" in said else len(said)
    thing, occasion = (
        [word for word in part if word not in REQUEST_WORDS]
        for part in (said[:split], said[split:])
    )
    found = _known(thing, index)
    if not found:
        telling = thing or occasion
        return _known(occasion if telling else said, index)
    for word, weight in _known(occasion, index).items():
        found.setdefault(word, OCCASION * weight)
    return found


def _known(said: list[str], index: WordIndex) -> dict[str, float]:
    found: dict[str, float] = {}
    for word in said:
        alike = {word: 1.0} if word in index else index.spelt_like(word)
        for other, likeness in alike.items():
            found[other] = max(found.get(other, 0.0), likeness**2)
    return found


def lean_of(wish: str, index: WordIndex) -> Lean:
    """The items that have words of a wish, and how much the walk should lean to each.

    Words that an unknown one may stand for never count for more than the most telling word that
    items do have; where there is none, a network that is sure of something else has its way. In a
    small catalogue points of BM25 are few, so that the best of its items gets a least number of
    nats and the others theirs in proportion.
    """
    asked, said = asked_words(wish, index), set(words(wish[:SEARCHED]))
    exact = {word: weight for word, weight in asked.items() if word in said}
    alike = {word: weight for word, weight in asked.items() if word not in said}
    guessed = index.scores(alike)
    most = max((weight * index.best_score(word) for word, weight in exact.items()), default=np.inf)
    scores = index.scores(exact) + guessed * min(1.0, most / max(guessed.max(initial=0.0), 1e-9))
    rows = np.flatnonzero(scores > 0).astype(np.int64)
    best = float(scores.max(initial=0.0))
    strength = max(STRENGTH, LEAST / best) if best else 0.0
    if best and not exact:
        strength = min(strength, MOST_GUESSED / best)
    return Lean(rows, strength * scores[rows])
