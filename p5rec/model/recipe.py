"""Recipes: how a recommender is made, as data that is checked before any work starts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

from p5rec import resources
from p5rec.errors import RecipeError, SemanticIDError
from p5rec.hints import did_you_mean
from p5rec.ids.scheme import Kind, Leaves, Scheme, VectorKind
from p5rec.prompting.placeholders import Task as PromptedTask

Family = Literal["bert", "gpt2", "llama", "t5"]
Task = PromptedTask | Literal["prior"]
Share = NonNegativeFloat


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mini(_Section):
    """The size of a model that is made from a configuration and trained whole.

    ``carry``: the state after each code of a walk is added to the one at the prompt's end, which a
    small model copies with difficulty.
    """

    layers: PositiveInt = 2
    heads: PositiveInt = 2
    width: PositiveInt = 64
    feed_forward: PositiveInt = 256
    text_tokens: PositiveInt = 4096
    positions: PositiveInt = 512
    dropout: float = Field(default=0.1, ge=0, lt=1)
    carry: bool = False


class Base(_Section):
    """The language model to begin with.

    ``name`` is a hub name or a local folder; ``package`` a Python package that carries the model
    as a GGUF file, used where the hub cannot be reached; ``mini`` makes a small one instead.
    """

    family: Family
    name: str | None = None
    package: str | None = None
    mini: Mini | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Base:
        if (self.name is None) == (self.mini is None):
            raise ValueError("give either name (a hub name or folder) or mini (a size)")
        if self.family == "bert" and self.mini is None:
            raise ValueError(
                "family 'bert' is for minis alone: a pretrained BERT looks at what comes after, "
                "and cannot be walked with. Give mini (a size), or a model of another family"
            )
        return self


class Adapter(_Section):
    """What is trained: everything (``full``), or LoRA matrices and the item tokens' rows.

    ``layers``: LoRA in the last so many layers alone. Item rows then learn from what they answer,
    not from what they say as part of a prompt, so that nothing is learnt through the layers below
    and a step takes less time.
    """

    method: Literal["full", "lora"] = "lora"
    rank: PositiveInt = 8
    alpha: PositiveFloat = 16
    targets: tuple[str, ...] = ()
    layers: PositiveInt | None = None


class IDs(_Section):
    """How items get their semantic IDs: the fields of :class:`p5rec.ids.scheme.Scheme`."""

    kind: Kind = "attributes"
    levels: tuple[str, ...] = ()
    leaves: Leaves = "unique"
    max_width: PositiveInt = 128
    vectors: VectorKind = "both"
    widths: tuple[PositiveInt, ...] = ()
    encoder: str = ""

    @model_validator(mode="after")
    def _a_scheme(self) -> IDs:
        try:
            self.scheme()
        except SemanticIDError as error:
            raise ValueError(str(error)) from error
        return self

    def scheme(self) -> Scheme:
        """The same, for those who make semantic IDs."""
        return Scheme(**self.model_dump())


class Prompting(_Section):
    """How a history becomes a prompt.

    ``history``: at most so many of the newest events. ``positions``: ``item`` gives each event
    one position (the sum of its tokens' rows), ``code`` one position a code. ``text``: at most so
    many tokens of a piece of text. ``verb``: what people did with the items of their histories,
    as explanations say it. ``language``: that of the explanations, such as ``en`` or ``de``.
    ``names``: explanations are written from the names of items beside their tokens: a pretrained
    model copies them, and tokens that several items share cannot tell them.
    """

    history: PositiveInt = 64
    positions: Literal["item", "code"] = "item"
    text: PositiveInt = 64
    verb: Literal["bought", "chose", "had", "liked", "ordered", "picked", "used", "viewed"] = (
        "chose"
    )
    language: str = "en"
    names: bool = False


MOST_SCORED = 200_000
"""So many items a full softmax scores at most."""


class Prior(_Section):
    """What is known of an item beforehand, from the user's own history.

    ``events``, ``days``: rates of forgetting; ``popularity``: that of the events of all users, in
    days. ``width``: of the networks that weigh own items and
    their companions; 0 for none. ``companions``: at most so many of each item, from co-occurrence
    in the training events; 0 for none. ``newcomers``: where a share ``s`` of the items is new and
    nobody has chosen them yet, they may cost the others ``newcomers * s`` of their hits.
    ``trust``: what the network's logits are multiplied with before the prior is added to them, at
    first: learned, a number a level, or, where the prior learns by itself, chosen on validation;
    without it they count whole. ``joint``: a prior that has steps of its own learns from the steps
    of ``next_item`` as well, and these learn the trust.
    """

    enabled: bool = True
    events: tuple[PositiveFloat, ...] = (1, 5, 15, 50, 150, 500)
    days: tuple[PositiveFloat, ...] = (2, 7, 20, 60, 180)
    popularity: PositiveFloat = 60
    width: NonNegativeInt = 32
    companions: NonNegativeInt = 0
    newcomers: NonNegativeFloat = 0.35
    trust: PositiveFloat | None = None
    joint: bool = False

    @model_validator(mode="after")
    def _networks_for_companions(self) -> Prior:
        if self.companions and not self.width:
            raise ValueError("companions need a network that weighs them: give width above 0")
        return self


class Training(_Section):
    """How the model is fitted.

    - ``start``: item tokens start from the text of their codes alone, or from vectors of which
      items go together in the training events as well.
    - ``sequence``: ``every-event`` learns from each session of a history in one pass (causal
      models only); ``prefix`` makes each an example of its own.
    - ``tasks``: the share of steps that each task gets. Where ``prior`` has one, the history prior
      learns in steps of its own, from its own likelihood, and the network foresees without it:
      many times cheaper a step, and neither leaves to the other what it could learn. Otherwise
      (and with ``prior.joint``) both learn together from each step of ``next_item``.
    - ``targets``: at most so many items of one session are learnt at once.
    - ``newest``: only so many of each user's newest sessions are targets (older ones are history),
      so that heavy users do not drown the others and what is learnt is what comes next now.
    - ``loosely``: in this share of the batches of what comes next, words before the history are
      left out, changed or more, at random, so that it does not hang on how it is asked.
    - ``language_learning_rate``: for the steps of the other tasks; ``learning_rate`` by default.
      ``writing_learning_rate``: for those of them that are answered with text alone.
    - ``precision``: of the network's passes in training; ``bfloat16`` takes half the time where the
      processor knows it. Weights, prior and loss stay in float32.
    - ``average``: how much of a moving average of the weights stays at each step; the average is
      what is validated and kept. 0 keeps the weights as they are.

    The weights that are kept are the latest whose validation is within ``tolerance`` (a share) of
    the best: differences below it are noise, and later weights have learnt more of every task.
    Training ends after ``epochs`` (more of them where that is less than ``least_steps``), or when
    validation has not improved ``patience`` times running.
    """

    start: Literal["text", "co-occurrence"] = "text"
    sequence: Literal["every-event", "prefix"] = "prefix"
    tasks: dict[Task, Share] = {"next_item": 1.0}
    epochs: PositiveFloat = 3
    least_steps: PositiveInt = 100
    batch_tokens: PositiveInt = 8192
    targets: PositiveInt = 16
    newest: PositiveInt | None = None
    loosely: float = Field(default=0.0, ge=0, lt=1)
    learning_rate: PositiveFloat = 1e-3
    language_learning_rate: PositiveFloat | None = None
    writing_learning_rate: PositiveFloat | None = None
    prior_learning_rate: PositiveFloat = 1e-2
    precision: Literal["float32", "bfloat16"] = "float32"
    weight_decay: NonNegativeFloat = 0.01
    warmup: float = Field(default=0.05, ge=0, lt=1)
    clip: PositiveFloat = 1.0
    average: float = Field(default=0.98, ge=0, lt=1)
    validations: PositiveInt = 5
    validation_users: PositiveInt = 500
    patience: PositiveInt = 5
    tolerance: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _some_task(self) -> Training:
        if not self.tasks.get("next_item"):
            raise ValueError("tasks must give next_item a share above 0")
        return self


class Decoding(_Section):
    """Defaults of the search.

    ``compile``: walk with ``torch.compile``; slower on a CPU, where it stays off.
    """

    beams: PositiveInt = 50
    compile: bool = False


class Scoring(_Section):
    """How states become probabilities of items.

    ``softmax``: ``tree`` takes one over the codes that can follow at each level, so that a step
    costs what the children of a node cost, however many items there are. ``full`` takes one over
    all items at the prompt's end: it learns better, costs a product an item, and holds a score for
    each item and prompt, so that it is for catalogues of up to :data:`MOST_SCORED` items. The
    history prior then learns by itself and has ``1 - prior.trust`` of the say.
    """

    softmax: Literal["tree", "full"] = "tree"


class Recipe(_Section):
    """Everything that decides what :meth:`Recommender.fit` makes of events and items.

    >>> Recipe.load("gpt2-mini").base.family
    'gpt2'
    """

    name: str
    base: Base
    adapter: Adapter = Adapter()
    ids: IDs = IDs()
    prompting: Prompting = Prompting()
    prior: Prior = Prior()
    training: Training = Field(default_factory=Training)
    scoring: Scoring = Scoring()
    decoding: Decoding = Decoding()

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.base.family == "t5" and self.training.sequence == "every-event":
            raise ValueError(
                "training.sequence 'every-event' needs a causal model; an encoder-decoder sees "
                "the whole prompt at once. Use 'prefix'"
            )
        if self.training.tasks.get("prior") and not (self.prior.enabled and self.prior.width):
            raise ValueError(
                "training.tasks gives the prior steps of its own, and there is none that learns. "
                "Set prior.enabled to true and prior.width above 0, or leave the task out"
            )
        beside = self.prior_apart and 0 < (self.prior.trust or 0) <= 1
        if self.scoring.softmax == "full" and self.prior.enabled and not beside:
            raise ValueError(
                "scoring.softmax 'full' goes with a history prior that learns by itself. Give "
                "training.tasks.prior a share, leave prior.joint false and set prior.trust to "
                "the network's share of the say, above 0 and at most 1; or switch the prior off"
            )
        if self.base.mini is not None and self.adapter.method == "lora":
            raise ValueError("a mini model has nothing pretrained to adapt: use method 'full'")
        return self

    @property
    def prior_apart(self) -> bool:
        """Whether the history prior learns in steps of its own, and from no others."""
        return bool(self.training.tasks.get("prior")) and not self.prior.joint

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """A recipe that ships with p5rec, by name, or one of your own, by path (``*.toml``).

        :raises RecipeError: if there is no such recipe, or one of its keys or values is wrong.
        """
        shipped = resources.names("adapters")
        if str(name_or_path) in shipped:
            return cls.from_toml(resources.read("adapters", str(name_or_path)), str(name_or_path))
        path = Path(name_or_path)
        if path.suffix != ".toml":
            hint = did_you_mean(str(name_or_path), shipped)
            raise RecipeError(
                f"there is no recipe {str(name_or_path)!r}.{hint} Known: {', '.join(shipped)}; "
                "or give the path of a .toml file."
            )
        try:
            return cls.from_toml(path.read_text(encoding="utf-8"), path.stem)
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"the recipe {path} cannot be read: {error}") from error

    @classmethod
    def from_toml(cls, text: str, name: str) -> Recipe:
        """Parse a recipe; ``name`` is what it is called in messages and bundles.

        :raises RecipeError: naming every key that is wrong.
        """
        try:
            return cls.model_validate({**tomllib.loads(text), "name": name})
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"recipe {name}: not valid TOML: {error}") from error
        except ValidationError as error:
            raise RecipeError(f"recipe {name}: {problems_of(error)}") from error


def problems_of(error: ValidationError) -> str:
    """Every key of a TOML file that is wrong, and why, on one line."""
    return "; ".join(
        f"{'.'.join(map(str, found['loc'])) or 'recipe'}: {found['msg']}"
        for found in error.errors()
    )
