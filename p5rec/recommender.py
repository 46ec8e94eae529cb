"""The front door: fit, recommend, explain, ask, save and load."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from typing_extensions import Unpack

from p5rec.answering import Answers
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events, Histories
from p5rec.data.loading import check_against, load_catalogue, load_events, load_users
from p5rec.data.splits import Cases, Split, leave_last_basket, leave_one_out, validate_last_basket
from p5rec.data.tables import Source
from p5rec.data.users import Users
from p5rec.decoding.adapter_files import find_adapter, open_adapter, put_adapter, save_adapter
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.following import Followed, Following
from p5rec.decoding.growing import grow, restore, retire
from p5rec.decoding.storage import load_model, save_model
from p5rec.decoding.wanted import Wanted
from p5rec.errors import NotFittedError, RecipeError, RequestError
from p5rec.language.conversation import Conversation
from p5rec.language.explain import HowToExplain
from p5rec.language.explanation import Explanation
from p5rec.language.explanation_stream import ExplanationStream
from p5rec.language.requests import Request
from p5rec.language.saved_conversation import Settings, Turn, read_saved
from p5rec.model.recipe import Recipe
from p5rec.progress import SILENT, Reporter
from p5rec.prompting.templates import load_templates
from p5rec.recommendations import (
    History,
    Recommendations,
    as_histories,
    check_k,
)
from p5rec.training.fitting import Fitting, assemble, fingerprint, fit_model
from p5rec.training.transfer import carry_over, tuning_recipe

HoldOut = Literal["nothing", "last-basket", "leave-one-out"]


class Recommender:
    """A language model that answers with items of a catalogue.

    Make one with :meth:`from_base` and fit it, or load one with :meth:`from_pretrained`. Whoever
    only asks may do so from several threads.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.about: dict[str, Any] = {}
        self._model: AssembledModel | None = None
        self._kept_answers: Answers | None = None

    @classmethod
    def from_base(
        cls, base: str | Path, *, recipe: str | Path | Recipe | None = None
    ) -> Recommender:
        """A recommender that has yet to be fitted.

        :param base: the name of a recipe that ships, the path of one of your own, or, with
            ``recipe``, the name or folder of a base model to use in place of the recipe's.
        :raises RecipeError: if there is no such recipe, or it is not well formed.
        """
        if recipe is None:
            return cls(Recipe.load(base))
        chosen = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
        if str(base) == chosen.name:
            return cls(chosen)
        if chosen.base.mini is not None:
            raise RecipeError(
                f"recipe {chosen.name} makes its own small model, so base {str(base)!r} has no "
                "place in it. Use a recipe for pretrained models, such as gpt2 or t5-small."
            )
        swapped = chosen.base.model_copy(update={"name": str(base), "package": None})
        return cls(chosen.model_copy(update={"base": swapped}))

    def fit(
        self,
        events: Source | Events,
        items: Source | Catalogue,
        *,
        users: Source | Users | None = None,
        hold_out: HoldOut = "nothing",
        prompts: Path | None = None,
        seed: int = 0,
        folder: str | Path | None = None,
        resume: bool = False,
        max_minutes: float | None = None,
        reporter: Reporter = SILENT,
    ) -> Recommender:
        """Fine-tune on a log; returns itself.

        Validation holds out the last basket of a sample of users (with ``hold_out``, the last but
        one).

        :param events: who did what when: a file, a data frame, a table, or :class:`Events`.
        :param items: the catalogue, in the same forms.
        :param hold_out: ``last-basket`` keeps each user's last basket out of training, so that
            :meth:`held_out` can be evaluated honestly; ``leave-one-out`` each user's last two
            events, the protocol of the published benchmarks.
        :param prompts: a folder of templates to use in place of those that ship.
        :param folder: where the state of the run is kept, so that it can be resumed.
        :param resume: go on with the run in ``folder``, if there is one.
        :raises DataError: listing everything that is wrong with events, items or users.
        :raises P5RecError: of another kind, if IDs, templates, base model or training fail.
        """
        templates = load_templates(prompts)
        log, catalogue = _read(events, items)
        people = users if users is None or isinstance(users, Users) else load_users(users)
        split = _split(log, hold_out, self.recipe.training.validation_users, seed)
        place = None if folder is None else Path(folder)
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        fitting = Fitting(split, catalogue, templates, people, seed, place, max_minutes)
        self._model, progress = fit_model(self.recipe, fitting, reporter, resume=resume)
        self._kept_answers = None
        self.about = {
            "training": {
                "recipe": self.recipe.name,
                "seed": seed,
                "hold_out": hold_out,
                "events": len(log),
                "events_sha256": fingerprint(log.table),
                "items": len(catalogue),
                "users": len(log.user_ids),
                "steps": progress.step,
                "seconds": progress.seconds,
                "validation ndcg@10": progress.best if progress.best >= 0 else None,
                "curve": progress.curve,
            }
        }
        return self

    @property
    def model(self) -> AssembledModel:
        """The fitted model.

        :raises NotFittedError: before :meth:`fit` or :meth:`from_pretrained`.
        """
        if self._model is None:
            raise NotFittedError(
                "this recommender has not been fitted. Call fit(events, items), or load one "
                "with Recommender.from_pretrained(folder)."
            )
        return self._model

    @property
    def _answers(self) -> Answers:
        if self._kept_answers is None:
            self._kept_answers = Answers(self.model)
        return self._kept_answers

    @property
    def catalogue(self) -> Catalogue:
        """The items that may be recommended."""
        return self.model.catalogue

    # A text is a sequence of texts, so the two overlap; as_histories refuses a bare text.
    @overload
    def recommend(  # type: ignore[overload-overlap]
        self, history: Sequence[History], *, k: int = ..., **wanted: Unpack[Wanted]
    ) -> list[Recommendations]: ...

    @overload
    def recommend(
        self, history: History, *, k: int = ..., **wanted: Unpack[Wanted]
    ) -> Recommendations: ...

    def recommend(
        self, history: History | Sequence[History], *, k: int = 10, **wanted: Unpack[Wanted]
    ) -> Recommendations | list[Recommendations]:
        """What comes next after a history, or after each of several.

        A history is a list of item ids or :class:`Event`, oldest first. Items that the catalogue
        does not know are left out with a notice; a history without any known item gets what is
        popular, with a notice.

        Further keywords say what is wanted; :class:`Wanted` lists them::

            recommender.recommend(history, filter='price <= 20 and brand != "Acme"')
            recommender.recommend(history, strategy="explorer", deny=["i7"], exclude_history=True)
            recommender.recommend(history, steer=Steer(category="Tea", hard=True))

        A list that stays empty says in its notices what left nothing.

        :param k: how many items, 1 to 1000 and at most the size of the catalogue.
        :raises RequestError: if ``k`` or what is wanted cannot be, or a history is none.
        """
        single, several = as_histories(history)
        lists = self._answers.recommend(several, k, wanted)
        return lists[0] if single else lists

    def follow(self, history: History = ()) -> Followed[Recommendations]:
        """One user from event to event: only what is new is encoded for the next list.

        See :class:`Followed`.

        :raises RequestError: if a history is none, or the model reads every prompt anew (T5 kinds).
        """
        _, (first,) = as_histories(history) if history else (True, [()])
        Histories.from_events([first], self.catalogue)
        if not self.model.scorer.backbone.one_pass:
            raise RequestError(
                f"recipe {self.recipe.name} has an encoder-decoder, which reads each history anew, "
                "so there is nothing to go on from. Use recommend, or a recipe of the gpt2 or "
                "llama family."
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

    def add_items(
        self, items: Source | Catalogue, *, vectors: np.ndarray | None = None
    ) -> Recommender:
        """Let new items be recommended from now on, without training; returns itself.

        They get paths beside the items that are like them and start from what is known of these.
        No item that was there changes its path. Saved with everything else.

        :param items: only the new ones, in the forms that :meth:`fit` takes a catalogue.
        :param vectors: theirs, where semantic IDs were made from vectors of yours.
        :raises DataError: listing everything that is wrong with the items.
        :raises RequestError: if one is in the catalogue already.
        """
        more = items if isinstance(items, Catalogue) else load_catalogue(items)
        self._model = grow(self.model, more, vectors=vectors)
        self._kept_answers = None
        return self

    def transfer(
        self,
        items: Source | Catalogue,
        events: Source | Events | None = None,
        *,
        seed: int = 0,
        max_minutes: float | None = None,
        reporter: Reporter = SILENT,
    ) -> Recommender:
        """A recommender for another catalogue, whatever it sells; this one stays as it is.

        Items get semantic IDs from their attributes and words alone. What was learnt of language
        and of histories goes on to hold: without an event, what is alike in words goes together.

        :param events: with the new items, a hundred or thousands, to tune the model on.
        :raises DataError: listing everything that is wrong with items or events.
        :raises P5RecError: of another kind, if IDs or training fail.
        """
        catalogue = items if isinstance(items, Catalogue) else load_catalogue(items)
        made = Recommender(self.recipe)
        if events is None:
            made._model = carry_over(self.model, catalogue, seed=seed)
            return made
        log = check_against(
            events if isinstance(events, Events) else load_events(events), catalogue
        )
        split = _split(log, "nothing", self.recipe.training.validation_users, seed)
        fitting = Fitting(
            split, catalogue, self.model.templates, None, seed, None, max_minutes, self.model
        )
        made._model, progress = fit_model(tuning_recipe(self.recipe), fitting, reporter)
        made.about = {
            "training": {"carried over": True, "events": len(log), "steps": progress.step}
        }
        return made

    def retire_items(self, item_ids: Sequence[str]) -> Recommender:
        """Never recommend some items from now on; returns itself.

        They stay in histories, and :meth:`restore_items` brings them back. Saved with everything
        else.

        :raises RequestError: if one is not in the catalogue.
        """
        retire(self.model, item_ids)
        self._kept_answers = None
        return self

    def restore_items(self, item_ids: Sequence[str]) -> Recommender:
        """Let retired items be recommended again; returns itself.

        :raises RequestError: if one is not in the catalogue.
        """
        restore(self.model, item_ids)
        self._kept_answers = None
        return self

    def explain(self, history: History, item: str, **how: Unpack[HowToExplain]) -> Explanation:
        """Why an item fits a history: sentences whose every fact was checked, and the evidence.

        :param how: ``generate`` (True; False takes plain sentences from the evidence, "freely"
            lets the model use any words and checks them), ``sentences`` (2, at most so many),
            ``language`` (that of the recipe; "en", "de", "es" or "fr") and ``about`` (what is
            known of the person in words, for a model that learnt from reference explanations).
        :raises RequestError: if the item is not in the catalogue, or there is no such language.
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
        check_k(k, len(self.catalogue))
        if wanted.get("steer") is not None:
            raise RequestError("ask takes no steer. Say it in the request, or use recommend.")
        return self._answers.ask(
            Request.parse(request, self._answers.shop_words), history, k, wanted
        )

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
        :raises RequestError: if ``saved`` is none, or ``k`` cannot be.
        """
        settings = Settings(history, k, wanted)
        turns: Sequence[Turn] = ()
        if saved is not None:
            settings, turns = read_saved(saved)
        check_k(settings.k, len(self.catalogue))

        def answer(request: Request, unwanted: Sequence[str]) -> Recommendations:
            own = settings.wanted or {}
            there = self.catalogue.rows_of(unwanted) >= 0
            never = [item for item, known in zip(unwanted, there, strict=True) if known]
            deny = [*own.get("deny", ()), *never]
            return self._answers.ask(request, settings.history, settings.k, {**own, "deny": deny})

        made = Conversation(self.catalogue, self._answers.shop_words, answer, settings=settings)
        made.restore(turns)
        return made

    def save_pretrained(self, path: str | Path) -> None:
        """Write everything to one folder; a reader sees the old one or the new one.

        :raises BundleError: if it cannot be written; what was there stays.
        """
        save_model(self.model, Path(path), self.about)

    @classmethod
    def from_pretrained(cls, path: str | Path) -> Recommender:
        """Load what :meth:`save_pretrained` wrote, after checking every byte of it.

        :raises BundleError: if it is incomplete or changed, naming the file.
        """
        model, manifest = load_model(Path(path))
        recommender = cls(model.recipe)
        recommender._model = model
        recommender.about = {"training": manifest.get("training", {})}
        return recommender

    def save_adapter(self, path: str | Path, *, card: str) -> None:
        """Write what training changed, without catalogue and counts, for :meth:`from_adapter`.

        :param card: the model card: data, licence, training command and figures.
        :raises BundleError: if it cannot be written, or a whole model was trained, not an adapter.
        """
        save_adapter(self.model, Path(path), self.about, card=card)

    @classmethod
    def from_adapter(
        cls,
        adapter: str | Path,
        events: Source | Events,
        items: Source | Catalogue,
        *,
        reporter: Reporter = SILENT,
    ) -> Recommender:
        """A recommender with a trained adapter, on the shop that it was trained on.

        ::

            source = complete_journey()
            shop = Recommender.from_adapter("smollm2-groceries", source.events, source.catalogue)

        :param adapter: the name of one that ships (``p5rec ls adapters``), or a folder that
            :meth:`save_adapter` wrote.
        :param events: the log: what is popular is counted anew, in the part that training saw.
        :param items: the catalogue; it must get the semantic IDs that the adapter knows.
        :raises BundleError: if the adapter is incomplete or changed, or does not fit the catalogue.
        :raises RecipeError: if its base model cannot be found.
        """
        stored = open_adapter(find_adapter(adapter))
        log, catalogue = _read(events, items)
        about = stored.manifest["training"]
        hold_out, seed = about["hold_out"], about["seed"]
        split = _split(log, hold_out, stored.recipe.training.validation_users, seed)
        fitting = Fitting(split, catalogue, stored.templates, seed=seed)
        model = assemble(stored.recipe, fitting, reporter).model
        put_adapter(stored, model)
        recommender = cls(model.recipe)
        recommender._model = model
        recommender.about = {"training": about}
        return recommender

    def held_out(self, events: Source | Events) -> Cases:
        """Each user's last basket (or last event, for ``leave-one-out``) and what came before it.

        :raises RequestError: if training saw these events whole, so that figures would mean
            nothing.
        """
        log = events if isinstance(events, Events) else load_events(events)
        log = check_against(log, self.catalogue)
        training = self.about.get("training", {})
        same = training.get("events_sha256") == fingerprint(log.table)
        if same and training.get("hold_out") not in ("last-basket", "leave-one-out"):
            raise RequestError(
                "training saw these events to the last basket, so figures on them would mean "
                "nothing. Fit with hold_out='last-basket' (--hold-out last-basket), or evaluate "
                "on other events."
            )
        if training.get("hold_out") == "leave-one-out":
            return leave_one_out(log).cases("test", self.catalogue)
        return leave_last_basket(log, validation_users=0).cases("test", self.catalogue)

    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> np.ndarray:
        """Catalogue rows ``int64[U, k]`` for histories as arrays: the contract of baselines."""
        return self._answers.ranker.rank(histories, k=k, exclude_history=exclude_history)


def _read(events: Source | Events, items: Source | Catalogue) -> tuple[Events, Catalogue]:
    """A log and the catalogue that it was checked against."""
    catalogue = items if isinstance(items, Catalogue) else load_catalogue(items)
    log = events if isinstance(events, Events) else load_events(events)
    return check_against(log, catalogue), catalogue


def _split(events: Events, hold_out: HoldOut, validation_users: int, seed: int) -> Split:
    if hold_out == "last-basket":
        return leave_last_basket(events, validation_users=validation_users, seed=seed)
    if hold_out == "leave-one-out":
        return leave_one_out(events)
    if hold_out != "nothing":
        raise RequestError(
            f"hold_out is {hold_out!r}; expected 'nothing', 'last-basket' or 'leave-one-out'. "
            "Choose one of them."
        )
    return validate_last_basket(events, users=validation_users, seed=seed)
