"""What a fitted recommender can be asked: lists, reasons, requests, conversations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from typing_extensions import Unpack, override

from p5rec.answering import Answers
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories, History
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.following import Followed, Following
from p5rec.decoding.wanted import Wanted
from p5rec.errors import NotFittedError, RequestError
from p5rec.language.conversation import Conversation
from p5rec.language.explain import HowToExplain
from p5rec.language.explanation import Explanation
from p5rec.language.explanation_stream import ExplanationStream
from p5rec.language.request_reading import read_request
from p5rec.language.requests import Request
from p5rec.language.saved_conversation import Settings, Turn, read_saved
from p5rec.model.recipe import Recipe
from p5rec.recommendations import AnyRecommender, Recommendations, one_history


class Askable(AnyRecommender):
    """The half of :class:`p5rec.Recommender` that answers, whatever its model came from."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._model: AssembledModel | None = None
        self._kept_answers: Answers | None = None

    def _answer_with(self, model: AssembledModel) -> None:
        """Answer with a model from now on, or with the same one over a catalogue that changed."""
        if self._model is not None:
            model.scorer.to(self._model.scorer.backbone.device)
        self._model = model
        self._kept_answers = None

    @property
    def model(self) -> AssembledModel:
        """The fitted model.

        :raises NotFittedError: before anything was fitted or loaded.
        """
        if self._model is None:
            raise NotFittedError(
                "this recommender has not been fitted. Call fit(events, items), or load one "
                "with Recommender.from_pretrained(folder)."
            )
        return self._model

    def to(self, device: str | torch.device) -> Self:
        """Answer on another device, such as "cuda" or "cpu"; returns itself.

        A model that was loaded is on the CPU; one that was fitted is where it was trained, on the
        accelerator if there is one.

        :raises RequestError: if there is no such device.
        """
        try:
            wanted = torch.zeros(0, device=device).device
        except (RuntimeError, AssertionError) as error:  # torch raises either where CUDA is none
            told = str(error).partition("\n")[0]
            raise RequestError(
                f"device {str(device)!r} cannot be used: {told} Use one that torch finds here."
            ) from error
        self.model.scorer.to(wanted)
        self._answer_with(self.model)
        return self

    @property
    def _answers(self) -> Answers:
        if self._kept_answers is None:
            self._kept_answers = Answers(self.model)
        return self._kept_answers

    @property
    @override
    def catalogue(self) -> Catalogue:
        return self.model.catalogue

    @override
    def _lists(self, several: Sequence[History], k: int, wanted: Wanted) -> list[Recommendations]:
        return self._answers.recommend(several, k, wanted)

    def follow(self, history: History = ()) -> Followed[Recommendations]:
        """One user from event to event: only what is new is encoded for the next list.

        :class:`Followed` tells how.

        :raises RequestError: if a history is none, or the model reads every prompt anew (T5 kinds).
        """
        first = one_history(history)
        Histories.from_events([first], self.catalogue)
        if not self.model.scorer.backbone.one_pass:
            raise RequestError(
                f"recipe {self.recipe.name} has an encoder-decoder, which reads each history anew, "
                "so there is nothing to go on from. Use recommend, or a recipe of another family."
            )
        source = self._answers
        following = Following(source.ranker)

        def answer(events: History, k: int, wanted: Wanted) -> Recommendations:
            nonlocal source, following
            if source is not self._answers:  # the catalogue has changed
                source = self._answers
                following = Following(source.ranker)
            return source.recommend([events], k, wanted, ranker=following)[0]

        return Followed(first, answer)

    def explain(self, history: History, item: str, **how: Unpack[HowToExplain]) -> Explanation:
        """Why an item fits a history: sentences whose every fact was checked, and the evidence.

        :param how: ``generate`` (True; False takes plain sentences from the evidence, "freely"
            lets the model use any words and checks them), ``sentences`` (2, at most so many),
            ``language`` (that of the recipe; "en", "de", "es" or "fr") and ``about`` (what is
            known of the person in words, for a model that learnt from reference explanations).
        :raises RequestError: if the item is not in the catalogue, or what is asked for cannot be.
        """
        return self.explain_all([history], [item], **how)[0]

    def explain_piecewise(
        self, history: History, item: str, **how: Unpack[HowToExplain]
    ) -> ExplanationStream:
        """:meth:`explain` as it is written::

            told = recommender.explain_piecewise(history, "i7")
            for piece in told:
                print(piece, end="", flush=True)
            told.explanation.claims

        Nothing that was told is taken back: a piece comes when it is sure to stay.
        """
        known, rows = self._answers.explainable([history], [item])
        return ExplanationStream(self._answers.explainer.stream(known, rows, **how))

    def explain_all(
        self, histories: Sequence[History], items: Sequence[str], **how: Unpack[HowToExplain]
    ) -> list[Explanation]:
        """:meth:`explain` for several pairs of history and item at once."""
        return self.explain_rows(*self._answers.explainable(histories, items), **how)

    def explain_rows(
        self, histories: Histories, rows: np.ndarray, **how: Unpack[HowToExplain]
    ) -> list[Explanation]:
        """:meth:`explain_all` for histories as arrays and catalogue rows."""
        return self._answers.explainer.explain(histories, rows, **how)

    def ask(
        self, request: str, *, history: History = (), k: int = 10, **wanted: Unpack[Wanted]
    ) -> Recommendations:
        """Items that fit a request in plain words.

        Limits in the words ("not chips", "under $5", "only Alpro") rule items out; the rest guides
        the walk, which leans to items whose own words say what is wished, misspelt or not. After a
        history, the model is shown the newest of it and counts what all of it says of an item. The
        limits that were understood, and what was not, come back as notices. Further keywords are
        those of :meth:`recommend`, without ``steer``: the request is what steers.

        :raises RequestError: if the request is empty or longer than 64 KiB, or ``k`` or what is
            wanted cannot be.
        """
        read = read_request(request, self._answers.shop_words)
        return self._answers.ask(read, history, k, wanted)

    def conversation(
        self,
        *,
        history: History = (),
        k: int = 10,
        saved: str | None = None,
        **wanted: Unpack[Wanted],
    ) -> Conversation[Recommendations]:
        """Requests that build on each other; :class:`Conversation` tells how.

        ::

            chat = recommender.conversation(history=["oats"])
            chat.ask("a snack, no chips")
            chat.ask("cheaper, and more like the second")
            chat = recommender.conversation(saved=chat.to_json())

        :param saved: what ``to_json`` of an earlier one wrote, to go on with it: history, ``k`` and
            what is wanted are those of then.
        :raises RequestError: if ``saved`` is none, or ``k``, the history or what is wanted cannot
            be.
        """
        settings = Settings(history, k, wanted)
        turns: Sequence[Turn] = ()
        if saved is not None:
            settings, turns = read_saved(saved)
        own = settings.wanted or {}
        self._answers.check(settings.history, settings.k, own)

        def answer(request: Request, unwanted: Sequence[str]) -> Recommendations:
            there = self.catalogue.rows_of(unwanted) >= 0
            never = [item for item, known in zip(unwanted, there, strict=True) if known]
            deny = [*own.get("deny", ()), *never]
            return self._answers.ask(request, settings.history, settings.k, {**own, "deny": deny})

        made = Conversation(self.catalogue, self._answers.shop_words, answer, settings=settings)
        made.restore(turns)
        return made

    @override
    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> np.ndarray:
        return self._answers.ranker.rank(histories, k=k, exclude_history=exclude_history)
