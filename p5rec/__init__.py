"""Turn a pretrained language model into a recommender.

The names below are loaded on first use, so ``import p5rec`` is quick and brings in no torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from p5rec.errors import (
    BundleError,
    DataError,
    DecodingError,
    NotFittedError,
    P5RecError,
    Problem,
    RecipeError,
    RequestError,
    SemanticIDError,
    TemplateError,
    TrainingError,
)

if TYPE_CHECKING:
    from p5rec.data.catalogue import Catalogue
    from p5rec.data.events import Event, Events
    from p5rec.language.explanation import Explanation
    from p5rec.recommendations import Recommendation
    from p5rec.recommender import Recommender

__all__ = [
    "BundleError",
    "Catalogue",
    "DataError",
    "DecodingError",
    "Event",
    "Events",
    "Explanation",
    "NotFittedError",
    "P5RecError",
    "Problem",
    "RecipeError",
    "Recommendation",
    "Recommender",
    "RequestError",
    "SemanticIDError",
    "TemplateError",
    "TrainingError",
    "__version__",
]

_LOADED_ON_FIRST_USE = {
    "Catalogue": "p5rec.data.catalogue",
    "Event": "p5rec.data.events",
    "Events": "p5rec.data.events",
    "Explanation": "p5rec.language.explanation",
    "Recommendation": "p5rec.recommendations",
    "Recommender": "p5rec.recommender",
}

try:
    __version__ = version("p5rec")
except PackageNotFoundError:  # a checkout that nobody installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> object:
    if name not in _LOADED_ON_FIRST_USE:
        raise AttributeError(f"module 'p5rec' has no attribute {name!r}")
    value: object = getattr(import_module(_LOADED_ON_FIRST_USE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
