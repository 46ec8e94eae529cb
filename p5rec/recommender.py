"""The front door: where a recommender comes from and how it is changed and kept.

What it answers is in :mod:`p5rec.askable`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from p5rec.askable import Askable
from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.data.fingerprint import fingerprint
from p5rec.data.loading import catalogue_of, events_of, load_users
from p5rec.data.splits import Cases, HoldOut, Split, split_for_training
from p5rec.data.tables import Source
from p5rec.data.users import Users
from p5rec.decoding.adapter_files import find_adapter, open_adapter, put_adapter, save_adapter
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.growing import grow, restore, retire
from p5rec.decoding.storage import load_model, save_model
from p5rec.errors import RecipeError, RequestError
from p5rec.model.recipe import Recipe
from p5rec.progress import SILENT, Reporter
from p5rec.prompting.templates import load_templates
from p5rec.training.fitting import Fitting, assemble, fit_model
from p5rec.training.transfer import carry_over, tuning_recipe


class Recommender(Askable):
    """A language model that answers with items of a catalogue.

    Make one with :meth:`from_base` and fit it, or load one with :meth:`from_pretrained`. Whoever
    only asks may do so from several threads.

    :ivar recipe: how it is made.
    :ivar about: what it was trained on and how that went, as plain values.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.about: dict[str, Any] = {}

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
        :param users: what is known of them, in the same forms.
        :param prompts: a folder of templates to use in place of those that ship.
        :param seed: same seed, same model.
        :param folder: where the state of the run is kept, so that it can be resumed.
        :param resume: go on with the run in ``folder``, if there is one.
        :param max_minutes: training ends after so many, if it has not before; how far it came by
            then depends on the machine.
        :raises DataError: listing everything that is wrong with events, items or users.
        :raises P5RecError: of another kind, if IDs, templates, base model or training fail.
        """
        templates = load_templates(prompts)
        catalogue = catalogue_of(items)
        log = events_of(events, catalogue)
        people = users if users is None or isinstance(users, Users) else load_users(users)
        split = self._split(log, hold_out, seed)
        place = None if folder is None else Path(folder)
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        fitting = Fitting(
            split,
            catalogue,
            templates,
            users=people,
            seed=seed,
            folder=place,
            max_minutes=max_minutes,
        )
        model, progress = fit_model(self.recipe, fitting, reporter, resume=resume)
        self._answer_with(model)
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
                "cpu seconds": progress.cpu_seconds,
                "validation ndcg@10": progress.best if progress.best >= 0 else None,
                "curve": progress.curve,
            }
        }
        return self

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
        self._answer_with(grow(self.model, catalogue_of(items), vectors=vectors))
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
        :param max_minutes: as for :meth:`fit`.
        :raises DataError: listing everything that is wrong with items or events.
        :raises P5RecError: of another kind, if IDs or training fail.
        """
        catalogue = catalogue_of(items)
        if events is None:
            return self._of(carry_over(self.model, catalogue, seed=seed))
        log = events_of(events, catalogue)
        split = self._split(log, "nothing", seed)
        fitting = Fitting(
            split,
            catalogue,
            self.model.templates,
            seed=seed,
            max_minutes=max_minutes,
            source=self.model,
        )
        model, progress = fit_model(tuning_recipe(self.recipe), fitting, reporter)
        training = {"carried over": True, "events": len(log), "steps": progress.step}
        return self._of(model, training)

    def retire_items(self, item_ids: Sequence[str]) -> Recommender:
        """Never recommend some items from now on; returns itself.

        They stay in histories, and :meth:`restore_items` brings them back. Saved with everything
        else.

        :raises RequestError: if one is not in the catalogue.
        """
        retire(self.model, item_ids)
        self._answer_with(self.model)
        return self

    def restore_items(self, item_ids: Sequence[str]) -> Recommender:
        """Let retired items be recommended again; returns itself.

        :raises RequestError: if one is not in the catalogue.
        """
        restore(self.model, item_ids)
        self._answer_with(self.model)
        return self

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
        return cls._of(model, manifest.get("training", {}))

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
        catalogue = catalogue_of(items)
        about = stored.manifest["training"]
        split = split_for_training(
            events_of(events, catalogue),
            about["hold_out"],
            validation_users=stored.recipe.training.validation_users,
            seed=about["seed"],
        )
        fitting = Fitting(split, catalogue, stored.templates, seed=about["seed"])
        model = assemble(stored.recipe, fitting, reporter).model
        put_adapter(stored, model)
        return cls._of(model, about)

    def held_out(self, events: Source | Events) -> Cases:
        """Each user's last basket (or last event, for ``leave-one-out``) and what came before it.

        :raises RequestError: if training saw these events whole, so that figures would mean
            nothing.
        """
        log = events_of(events, self.catalogue)
        training = self.about.get("training", {})
        same = training.get("events_sha256") == fingerprint(log.table)
        kept_out = training.get("hold_out")
        if same and kept_out not in ("last-basket", "leave-one-out"):
            raise RequestError(
                "training saw these events to the last basket, so figures on them would mean "
                "nothing. Fit with hold_out='last-basket' (--hold-out last-basket), or evaluate "
                "on other events."
            )
        way: HoldOut = "leave-one-out" if kept_out == "leave-one-out" else "last-basket"
        return split_for_training(log, way, validation_users=0).cases("test", self.catalogue)

    @classmethod
    def _of(cls, model: AssembledModel, training: dict[str, Any] | None = None) -> Recommender:
        """A recommender with a fitted model; ``training`` tells how it was fitted."""
        made = cls(model.recipe)
        made._answer_with(model)
        made.about = {} if training is None else {"training": training}
        return made

    def _split(self, events: Events, hold_out: HoldOut, seed: int) -> Split:
        users = self.recipe.training.validation_users
        return split_for_training(events, hold_out, validation_users=users, seed=seed)
