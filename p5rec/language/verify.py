"""Checks sentences, claim by claim, against the item's record and the person's history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from p5rec.data.catalogue import Catalogue
from p5rec.language.comparisons import Comparisons, is_rough, reworded, sentence_parts
from p5rec.language.explanation import Claim, Evidence
from p5rec.language.form import finished, unfinished
from p5rec.language.history_record import HistoryRecord
from p5rec.language.mentions import Values, is_odd
from p5rec.language.phrases import load_phrases
from p5rec.language.statement_reading import read_statements
from p5rec.language.statements import Part, Phrase, Statements

IntArray = NDArray[np.int64]

LONGEST_TEXT = 2_000
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"”’)]*\s+|\n+")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sentences of a text that hold (``text``), their claims, and the sentences refused.

    A sentence that was rewritten is among the refused as it was, and in ``text`` as it is now.
    """

    text: str
    claims: tuple[Claim, ...]
    refused: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every sentence holds, and there is one."""
        return bool(self.text) and not self.refused


def split_sentences(text: str) -> list[str]:
    """The sentences of a text; a full stop within a number ends none.

    >>> split_sentences("It is 5.3 oz. You chose it!  Why?")
    ['It is 5.3 oz.', 'You chose it!', 'Why?']
    """
    return [part.strip() for part in _SENTENCE_END.split(text) if part.strip()]


class Verifier:
    """Knows what can be said of every item of a catalogue.

    A sentence holds if all of it can be read as statements and every statement is supported:

    - each value that it names (the longest that the catalogue knows) is one of the item, or of an
      item of the history where it says so (``you chose``, ``like``), in the attribute it says;
    - words named together are those of one item, and what is said to be alike is;
    - counts, times since and prices are exact, and ``because`` names an item of the evidence.

    "It is not by X" holds if X is a maker and not the item's. A sentence with any other word, with
    another negation, with nothing that could be checked, or that
    breaks off is refused: better a true sentence too few than a false one.
    """

    def __init__(self, catalogue: Catalogue, *, verb: str = "chose") -> None:
        self.values = Values(catalogue)
        self._verb = verb
        self._prices: list[float | None] | None = (
            catalogue.column("price") if "price" in catalogue.table.column_names else None
        )
        self._comparisons = Comparisons(self.values, self._prices)

    def verify(
        self,
        text: str,
        *,
        item: int,
        history_rows: Sequence[int] | IntArray = (),
        evidence: Evidence | None = None,
        rewrite: bool = False,
    ) -> Verdict:
        """Keep the sentences that hold.

        :param item: catalogue row that the text is about.
        :param history_rows: catalogue rows of the whole history, oldest first.
        :param evidence: limits what ``because`` may name; without it, any item of the history.
        :param rewrite: put what the records say in the place of a wrong brand, category, other
            attribute, price or count, and cut off what dangles at a sentence's ends, where that
            makes it hold.
        """
        history = HistoryRecord(
            self.values, np.asarray(history_rows, dtype=np.int64), item, evidence
        )
        kept: list[str] = []
        claims: list[Claim] = []
        refused: list[str] = []
        for sentence in split_sentences(text[:LONGEST_TEXT]):
            found = self._claims(sentence, item, history)
            if not _hold(found):
                refused.append(sentence)
                if not rewrite:
                    continue
                sentence = self._rewritten(sentence, item, history)
                found = self._claims(sentence, item, history)
            if _hold(found) and sentence.casefold() not in map(str.casefold, kept):
                kept.append(sentence)
                claims += found
        return Verdict(" ".join(kept), tuple(claims), tuple(refused))

    def claims(
        self, sentence: str, *, item: int, history_rows: Sequence[int] | IntArray = ()
    ) -> list[Claim]:
        """The claims of one sentence; none if it states nothing, one if it cannot be read."""
        history = HistoryRecord(self.values, np.asarray(history_rows, dtype=np.int64), item, None)
        return self._claims(sentence, item, history)

    def _claims(self, sentence: str, item: int, history: HistoryRecord) -> list[Claim]:
        if sentence == load_phrases().none:
            return [Claim(sentence, "none", True)]
        if reason := unfinished(sentence, self.values.mentions(sentence)):
            return [Claim(f"{sentence} ({reason})", "unreadable", False)]
        found = self._plain_claims(sentence, item, history)
        if found and all(claim.supported for claim in found) and not is_rough(sentence):
            return found
        return self._rough_claims(reworded(sentence), item, history) or found

    def _rough_claims(self, sentence: str, item: int, history: HistoryRecord) -> list[Claim]:
        """The claims of a sentence that compares, denies, counts roughly or joins such."""
        claims: list[Claim] = []
        for part in sentence_parts(sentence):
            told = self._comparisons.claims(
                part,
                item,
                history.rows,
                lambda text: self._plain_claims(text, item, history),
                lambda text: self._events_of(text, item, history),
            )
            claims += self._plain_claims(part, item, history) if told is None else told
        return claims

    def _events_of(self, sentence: str, item: int, history: HistoryRecord) -> int:
        """How many events the thing has that a sentence of the history names."""
        found = self._plain_claims(sentence, item, history)
        said = read_statements(self.values.mentions(sentence), self.values.attributes)
        held = _hold(found) and len(said.phrases) == 1 and said.phrases[0].mode == "history"
        return max(history.times(history.naming(said.phrases[0]), False)) if held else 0

    def _plain_claims(self, sentence: str, item: int, history: HistoryRecord) -> list[Claim]:
        mentions = self.values.mentions(sentence)
        statements = read_statements(mentions, self.values.attributes)
        tail = sentence[mentions[-1].end :] if mentions else sentence
        if statements.refused or is_odd(tail):
            reason = statements.refused or "signs that are no punctuation"
            return [Claim(f"{sentence} ({reason})", "unreadable", False)]
        return [*self._said(sentence, statements, item, history)]

    def _said(
        self, sentence: str, said: Statements, item: int, history: HistoryRecord
    ) -> Iterable[Claim]:
        own = [part for phrase in said.phrases if phrase.mode == "item" for part in phrase.parts]
        others = [phrase for phrase in said.phrases if phrase.mode == "history"]
        for phrase in said.phrases:
            text = sentence[phrase.start : phrase.end]
            if phrase.mode == "item":
                for part in phrase.parts:
                    supported = self._of_item(item, part)
                    yield Claim(part.key, part.role or self._kind(part.key), supported)
            if phrase.mode == "open" and not phrase.chosen:
                named = len(phrase.parts) > 1 and bool(history.either(phrase.parts).any())
                yield Claim(text, "name", phrase.told and named)
            elif phrase.mode != "item" or phrase.chosen:
                of_others = said.sharing and not phrase.itself
                alike = own if phrase.alike or of_others else []
                yield from _of_history(text, phrase, history, alike, of_others=of_others)
        for value, start, end in said.prices:
            yield Claim(sentence[start:end], "price", self._costs(item, value))
        if said.sharing and not any(not phrase.itself for phrase in others):
            shared = history.others(history.having(own)) if own else None
            yield Claim(sentence, "shared", shared is not None and bool(shared.any()))

    def _rewritten(self, sentence: str, item: int, history: HistoryRecord) -> str:
        """The sentence made whole, with what the records say in place of what they do not."""
        mentions = self.values.mentions(sentence)
        if unfinished(sentence, mentions):
            sentence = finished(sentence, mentions)
            mentions = self.values.mentions(sentence)
        said = read_statements(mentions, self.values.attributes)
        wrong = sorted(self._corrections(said, item, history), reverse=True)
        for start, end, right in wrong if not said.refused else ():
            sentence = sentence[:start] + right + sentence[end:]
        return sentence

    def _corrections(
        self, said: Statements, item: int, history: HistoryRecord
    ) -> Iterable[tuple[int, int, str]]:
        """Where something wrong stands, and what the records say instead."""
        for phrase in said.phrases:
            if phrase.mode == "item":
                for part in phrase.parts:
                    right = self._right_value(item, part.role or self._kind(part.key))
                    if right and not self._of_item(item, part):
                        yield part.start, part.end, right
            if phrase.times is not None:
                counts = history.times(history.naming(phrase), history.is_name(phrase))
                if sum(counts) and phrase.times not in counts:
                    yield *phrase.counted, load_phrases().counted(counts[0])
        for value, start, end in said.prices:
            price = None if self._prices is None else self._prices[item]
            if price is not None and not self._costs(item, value):
                yield start, end, f"{price:.2f}"

    def _right_value(self, item: int, attribute: str) -> str:
        facts = self.values.facts
        own = (facts.values[fact] for fact in facts.of(item) if facts.attributes[fact] == attribute)
        return next(own, "")

    def _of_item(self, item: int, part: Part) -> bool:
        return part.known and bool(self.values.having(part.key, part.role, np.array([item]))[0])

    def _kind(self, key: str) -> str:
        facts = self.values.of_key.get(key)
        return self.values.facts.attributes[facts[0]] if facts else "title"

    def _costs(self, item: int, value: float) -> bool:
        price = None if self._prices is None else self._prices[item]
        return price is not None and abs(float(price) - value) < 0.005


def _hold(claims: Sequence[Claim]) -> bool:
    return bool(claims) and all(claim.supported for claim in claims)


def _of_history(
    text: str, phrase: Phrase, history: HistoryRecord, alike: list[Part], *, of_others: bool
) -> Iterable[Claim]:
    """Whether the history has what a phrase says: which item, how often, how long ago.

    :param of_others: whether it is said of what shares something with the item, as all but the
        item itself may.
    """
    rows = history.naming(phrase)
    if alike:
        rows = rows & history.having(alike)
    if phrase.mode == "item" or of_others:
        rows = history.others(rows)
    if phrase.reason and phrase.mode == "history":
        rows = rows & history.carrying
    yield Claim(text, "history", bool(rows.any()))
    if phrase.times is not None:
        counted = phrase.times in history.times(rows, history.is_name(phrase))
        yield Claim(f"{text}: {phrase.times} times", "count", counted)
    if phrase.distinct is not None:
        yield Claim(f"{phrase.distinct} {text}", "count", int(rows.sum()) == phrase.distinct)
    if phrase.ago is not None:
        dated = phrase.ago in history.ago(rows, history.is_name(phrase))
        yield Claim(f"{text}: {phrase.ago} ago", "recency", dated)
