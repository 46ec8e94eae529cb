"""Answers over one catalogue as it is: lists, requests and reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories, History
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.beam import Found
from p5rec.decoding.filter_columns import rows_of
from p5rec.decoding.filter_expression import Expression
from p5rec.decoding.filter_parser import parse_filter
from p5rec.decoding.filters import Filters
from p5rec.decoding.next_item import NextItemRanker
from p5rec.decoding.wanted import Filter, Plan, Wanted
from p5rec.errors import RequestError
from p5rec.language.explain import Explainer
from p5rec.language.explanation_tools import Tools
from p5rec.language.matching import lean_of
from p5rec.language.request_prompt import request_prompts
from p5rec.language.requests import Request, ShopWords, denied_rows
from p5rec.language.wording import Wording
from p5rec.model.prompt_batch import EncodedPrompt
from p5rec.recommendations import (
    Recommendation,
    Recommendations,
    check_k,
    history_notices,
    left_out_notices,
    one_history,
    tell_why_empty,
)


@dataclass
class Answers:
    """What a fitted model answers, and what is made of its catalogue once and kept for that.

    Whoever changes the catalogue makes a new one.
    """

    model: AssembledModel

    @property
    def catalogue(self) -> Catalogue:
        """The items that may be recommended."""
        return self.model.catalogue

    @cached_property
    def ranker(self) -> NextItemRanker:
        """Ranks what comes next."""
        return self.model.ranker()

    @cached_property
    def filters(self) -> Filters:
        """Compiles filters over the catalogue."""
        return Filters(self.catalogue, self.model.scorer.trie)

    @cached_property
    def shop_words(self) -> ShopWords:
        """The words of the catalogue."""
        return ShopWords(self.catalogue)

    @cached_property
    def explainer(self) -> Explainer:
        """Tells why an item fits a history."""
        model, told = self.model, self.model.recipe.prompting
        tools = Tools(
            self.ranker,
            self.catalogue,
            model.templates,
            end=model.encoder.end,
            verb=told.verb,
            names=told.names,
        )
        wording = None if model.wording is None else Wording.from_dict(model.wording)
        return Explainer(tools, language=told.language, wording=wording)

    def recommend(
        self,
        several: Sequence[History],
        k: int,
        wanted: Wanted,
        *,
        ranker: NextItemRanker | None = None,
    ) -> list[Recommendations]:
        """What comes next after each of several histories.

        :param ranker: in place of :attr:`ranker`.
        """
        check_k(k, len(self.catalogue))
        histories, unknown = Histories.from_events(several, self.catalogue)
        steer = wanted.get("steer")
        prompts = None if steer is None else self._request_prompts(steer.words, histories)
        plan = Plan(wanted, self.filters, histories, prompts=prompts)
        found = (ranker or self.ranker).search(histories, k=k, selection=plan.selection)
        notices = [
            history_notices(int(length), missing)
            for length, missing in zip(histories.lengths, unknown, strict=True)
        ]
        tell_why_empty(found, plan, notices)
        return self._recommendations(found, notices)

    def ask(self, request: Request, history: History, k: int, wanted: Wanted) -> Recommendations:
        """What fits a request that was read already."""
        self._check(k, wanted)
        shop, filters = self.shop_words, self.filters
        histories, (unknown,) = Histories.from_events([one_history(history)], self.catalogue)
        plan = Plan(
            _limited(wanted, request.condition),
            filters,
            histories,
            prompts=self._request_prompts(request.wish or request.text, histories),
            denied=denied_rows(request, shop, filters),
        )
        selection = replace(plan.selection, leans=[lean_of(request.wish, shop.index)])
        known = bool(len(histories.items))
        found = self.ranker.search(histories, k=k, selection=selection, prior=known)
        notices = [request.describe() + left_out_notices(unknown)]
        tell_why_empty(found, plan, notices)
        return self._recommendations(found, notices)[0]

    def check(self, history: History, k: int, wanted: Wanted) -> None:
        """Refuse what cannot be asked for, whatever the request.

        :raises RequestError: if ``k`` or what is wanted cannot be, or the history is none.
        """
        histories, _ = Histories.from_events([one_history(history)], self.catalogue)
        self._check(k, wanted)
        Plan(wanted, self.filters, histories)

    def _check(self, k: int, wanted: Wanted) -> None:
        check_k(k, len(self.catalogue))
        if wanted.get("steer") is not None:
            raise RequestError("ask takes no steer. Say it in the request, or use recommend.")

    def explainable(
        self, histories: Sequence[History], items: Sequence[str]
    ) -> tuple[Histories, np.ndarray]:
        """Pairs of history and item, as arrays.

        :raises RequestError: if an item is not in the catalogue, or a history is none.
        """
        rows = rows_of(self.catalogue, items)
        known, _ = Histories.from_events(list(map(one_history, histories)), self.catalogue)
        return known, rows

    def _request_prompts(self, words: str, histories: Histories) -> list[EncodedPrompt]:
        model = self.model
        return request_prompts(model.encoder, model.templates, words, histories)

    def _recommendations(
        self, found: Found, notices: Sequence[Sequence[str]]
    ) -> list[Recommendations]:
        catalogue, ids = self.catalogue, self.model.ids
        return [
            Recommendations(
                (
                    Recommendation(
                        catalogue.item_ids[row], float(score), rank, tuple(ids.path_in_words(row))
                    )
                    for rank, (row, score) in enumerate(zip(rows, scores, strict=True), start=1)
                    if row >= 0
                ),
                notices=told,
            )
            for rows, scores, told in zip(
                found.items.tolist(), found.scores.tolist(), notices, strict=True
            )
        ]


def _limited(wanted: Wanted, condition: Expression | None) -> Wanted:
    """What is wanted, every filter of it under one more condition."""
    if condition is None:
        return wanted
    given = wanted.get("filter")
    if given is None or isinstance(given, Filter):
        return {**wanted, "filter": _both(given, condition)}
    return {**wanted, "filter": [_both(one, condition) for one in given]}


def _both(given: Filter | None, condition: Expression) -> Expression:
    if given is None:
        return condition
    return (parse_filter(given) if isinstance(given, str) else given) & condition
