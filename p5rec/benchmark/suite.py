"""Suites as data: where the events come from, what is held out, and who is compared."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from p5rec import resources
from p5rec.data.events import Events
from p5rec.data.sources import Source, complete_journey, folder
from p5rec.data.splits import Split, split_for_training
from p5rec.errors import RecipeError, RequestError
from p5rec.hints import did_you_mean
from p5rec.model.recipe import Recipe, problems_of

Rival = Literal["popularity", "own-frequency", "own-recent", "item-knn", "ials", "sasrec"]
Metric = Literal["recall@5", "recall@10", "ndcg@5", "ndcg@10"]


class Reference(BaseModel):
    """A published figure, protocol plain: how much training until a model reaches it?"""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    metric: Metric
    value: float


class Suite(BaseModel):
    """One benchmark.

    ``recipe``: name or path of the one to measure unless another is asked for. ``ids``, ``prior``,
    ``prompting`` and ``decoding`` say what the catalogue needs and take the place of what the
    recipe says there.

    >>> Suite.load("amazon-beauty").split
    'leave-one-out'
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    source: Literal["folder", "complete-journey"]
    split: Literal["leave-one-out", "last-basket"]
    metrics: tuple[Metric, ...]
    recipe: str = "bert-mini-ranking"
    baselines: tuple[Rival, ...] = ("popularity",)
    reference: Reference | None = None
    ids: Mapping[str, Any] = {}
    prior: Mapping[str, Any] = {}
    prompting: Mapping[str, Any] = {}
    decoding: Mapping[str, Any] = {}

    @classmethod
    def load(cls, name_or_path: str | Path) -> Suite:
        """A suite that ships, by name, or one of your own, by path (``*.toml``).

        :raises RequestError: if there is no such suite, or one of its keys or values is wrong.
        """
        shipped, path = resources.names("suites"), Path(name_or_path)
        if str(name_or_path) in shipped:
            text, name = resources.read("suites", str(name_or_path)), str(name_or_path)
        elif path.suffix == ".toml" and path.is_file():
            text, name = path.read_text(encoding="utf-8"), path.stem
        else:
            hint = did_you_mean(str(name_or_path), shipped)
            raise RequestError(
                f"there is no suite {str(name_or_path)!r}.{hint} Known: {', '.join(shipped)}; or "
                "give the path of a .toml file."
            )
        try:
            return cls.model_validate({**tomllib.loads(text), "name": name})
        except tomllib.TOMLDecodeError as error:
            raise RequestError(f"suite {name}: not valid TOML: {error}") from error
        except ValidationError as error:
            raise RequestError(f"suite {name}: {problems_of(error)}. Mend its TOML.") from error

    def read(self, data: Path | None) -> Source:
        """Events, items and users.

        :param data: the folder, for a suite whose source is one.
        :raises RequestError: if a folder is needed and was not given.
        :raises DataError: if the data cannot be read.
        """
        if self.source == "complete-journey":
            return complete_journey(data)
        if data is None:
            raise RequestError(
                f"suite {self.name} reads interactions.parquet and items.parquet from a folder, "
                "and none was given. Name it with --data."
            )
        return folder(data)

    def parts(self, events: Events, *, validation_users: int) -> Split:
        """The events as training, validation and test.

        :param validation_users: how many households validate, where the last basket tests;
            leave-one-out validates on every user.
        """
        return split_for_training(events, self.split, validation_users=validation_users)

    def adapt(self, recipe: Recipe) -> Recipe:
        """The recipe with what the suite says for its catalogue.

        :raises RecipeError: if the suite names a setting that recipes do not have.
        """
        given = recipe.model_dump()
        for section in ("ids", "prior", "prompting", "decoding"):
            given[section] |= getattr(self, section)
        try:
            return Recipe.model_validate(given)
        except ValidationError as error:
            raise RecipeError(
                f"suite {self.name} with recipe {recipe.name}: {problems_of(error)}. Take another "
                "recipe, or mend the TOML of the suite."
            ) from error
