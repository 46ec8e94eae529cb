"""Statements in all their wordings, for a model that chooses among them token by token."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from operator import itemgetter

from p5rec.language.generate import BROKEN
from p5rec.language.statement_walk import StatementWalk
from p5rec.prompting.tokenizing import TextTokenizer


class Choices:
    """Sentences as texts and as tokens.

    :param statements: for each statement the sentences that say it.
    """

    def __init__(self, statements: Sequence[Sequence[str]], tokenizer: TextTokenizer) -> None:
        self._texts = statements
        self._tokenizer = tokenizer
        self._tokens = [
            [tokenizer.encode_untrusted(sentence) for sentence in forms] for forms in statements
        ]

    def walk(self, *, most: int, end: int) -> StatementWalk:
        """Keeps what is written to these sentences, at most so many of them."""
        return StatementWalk(self._tokens, most=most, end=end)

    def so_far(self, walk: StatementWalk) -> str:
        """As much of a walk's text as is sure by now.

        A tokenizer need not keep capitals, sentences do: so it is the sentences that tell.
        """
        done = {number for number, _ in walk.behind}
        reachable = [
            text
            for number, (texts, tokens) in enumerate(zip(self._texts, self._tokens, strict=True))
            for text, ids in zip(texts, tokens, strict=True)
            if number not in done and ids[: len(walk.path)] == walk.path
        ]
        length = len(self._tokenizer.decode(walk.path).rstrip(BROKEN))
        said = [self._texts[number][form] for number, form in walk.behind]
        return " ".join([*said, same_start(reachable)[:length]])


def same_start(texts: Sequence[str]) -> str:
    """What all texts begin with.

    >>> same_start(["You bought tea.", "You buy it."])
    'You b'
    """
    first, last = min(texts), max(texts)
    same = (a == b for a, b in zip(first, last, strict=False))
    return "".join(letter for letter, _ in takewhile(itemgetter(1), zip(first, same, strict=False)))
