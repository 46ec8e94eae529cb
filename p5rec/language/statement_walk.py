"""Keeps writing on the paths of statements that hold, as the trie keeps items in the catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class _Node:
    """A place in the tree of sentences; ``statements`` are those that can still be reached."""

    statements: set[int] = field(default_factory=set)
    next: dict[int, _Node] = field(default_factory=dict)
    ends: tuple[int, int] | None = None


class StatementWalk:
    """Which tokens may come next, so that only given sentences can be written, one after another.

    Each statement comes as several sentences that say the same, and is said once at most.

    >>> walk = StatementWalk([[[5, 6], [7, 6]], [[5, 8]]], most=2, end=0)
    >>> walk.allowed()
    [5, 7]
    >>> for token in (7, 6):
    ...     walk.push(token)
    >>> walk.allowed()
    [0, 5]
    >>> for token in (5, 8, 0):
    ...     walk.push(token)
    >>> walk.said  # the second sentence of the first statement, then the second statement
    [(0, 1), (1, 0)]

    :param statements: for each statement its sentences as token ids.
    :param most: at most so many sentences.
    :param least: the text ends no earlier, unless nothing is left to say.
    :param ordered: statements come in the order given, the first one first.
    :param end: the token that ends the text; allowed from the end of the first sentence on.
    """

    def __init__(
        self,
        statements: Sequence[Sequence[Sequence[int]]],
        *,
        most: int,
        end: int,
        least: int = 1,
        ordered: bool = False,
    ) -> None:
        self._root = _Node()
        for number, sentences in enumerate(statements):
            for form, sentence in enumerate(sentences):
                self._add((number, form), sentence)
        self._said: dict[int, int] = {}
        self._most = most
        self._least = least
        self._ordered = ordered
        self._end = end
        self._at = self._root
        self.path: list[int] = []
        """The tokens of the sentence that is being written."""

    def allowed(self) -> list[int]:
        """The tokens that may come next, sorted; the end alone where nothing is left to say."""
        tokens = self._open(self._at)
        if self._complete:
            starts = self._starts()
            done = len(self._with_last()) >= self._least or not starts
            tokens |= starts | ({self._end} if done else set())
        return sorted(tokens or {self._end})

    def push(self, token: int) -> None:
        """Go on with an allowed token; after the end nothing changes."""
        if token in self._open(self._at):
            self._at = self._at.next[token]
            self.path.append(token)
        elif token in self._starts() and self._complete:
            self._said = self._with_last()
            self._at = self._root.next[token]
            self.path = [token]

    @property
    def said(self) -> list[tuple[int, int]]:
        """What was written: the number of each statement, and of the sentence that says it."""
        return list((self._with_last() if self._complete else self._said).items())

    @property
    def behind(self) -> list[tuple[int, int]]:
        """What was written before the sentence that is being written."""
        return list(self._said.items())

    @property
    def _complete(self) -> bool:
        if self._at.ends is None or self._at.ends[0] in self._said:
            return False
        return not self._ordered or self._at.ends[0] == len(self._said)

    def _with_last(self) -> dict[int, int]:
        """What was said, with the sentence that ends here."""
        ends = self._at.ends
        return self._said | {ends[0]: ends[1]} if ends and self._complete else self._said

    def _open(self, node: _Node) -> set[int]:
        return self._leading_on(node, self._said)

    def _starts(self) -> set[int]:
        """First tokens of the sentences that may still follow the one that ends here."""
        said = self._with_last()
        if len(said) >= self._most:
            return set()
        return self._leading_on(self._root, said)

    def _leading_on(self, node: _Node, said: dict[int, int]) -> set[int]:
        """The tokens after a node that lead to a statement which may be said now."""
        following = {len(said)} if self._ordered else None
        return {
            token
            for token, after in node.next.items()
            if after.statements.difference(said)
            and (following is None or after.statements & following)
        }

    def _add(self, which: tuple[int, int], sentence: Sequence[int]) -> None:
        if not sentence or self._has(sentence):
            return
        node = self._root
        for token in sentence:
            node = node.next.setdefault(token, _Node())
            node.statements.add(which[0])
        node.ends = which

    def _has(self, sentence: Sequence[int]) -> bool:
        """Whether an earlier statement is said with the same tokens."""
        node: _Node | None = self._root
        for token in sentence:
            node = None if node is None else node.next.get(token)
        return node is not None and node.ends is not None
