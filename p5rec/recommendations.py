"""What goes into a recommender and comes out of it, and the call that all of them answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast, overload

import numpy as np
from typing_extensions import Unpack

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Event, Histories, History
from p5rec.decoding.beam import Found
from p5rec.decoding.wanted import Plan, Wanted
from p5rec.errors import RequestError

LARGEST_K = 1000


@dataclass(frozen=True)
class Recommendation:
    """An item that fits, at ``rank`` of its list, the best being 1.

    ``score``: its log-probability, in nats; from a fallback one over its rank. ``path``: its
    semantic ID in words, coarse to fine; from a fallback its categories and name.
    """

    item_id: str
    score: float
    rank: int
    path: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class Recommendations(list[Recommendation]):
    """Recommendations, best first; ``notices`` tells what the caller should know about them."""

    def __init__(
        self, items: Iterable[Recommendation] = (), *, notices: Sequence[str] = ()
    ) -> None:
        super().__init__(items)
        self.notices = tuple(notices)


class AnyRecommender(ABC):
    """What recommends items of a catalogue after histories, with a language model or without."""

    @property
    @abstractmethod
    def catalogue(self) -> Catalogue:
        """The items that may be recommended.

        :raises NotFittedError: before anything was fitted or loaded.
        """

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
        :raises NotFittedError: before anything was fitted or loaded.
        """
        single, several = as_histories(history)
        lists = self._lists(several, k, wanted)
        return lists[0] if single else lists

    @abstractmethod
    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> np.ndarray:
        """Catalogue rows ``int64[U, k]`` for histories as arrays: the contract of baselines."""

    @abstractmethod
    def _lists(self, several: Sequence[History], k: int, wanted: Wanted) -> list[Recommendations]:
        """A list for each history."""


def as_histories(history: History | Sequence[History]) -> tuple[bool, list[History]]:
    """Whether one history was given, and all that were given as a list."""
    if isinstance(history, str):
        raise RequestError(
            f"the history is the text {history!r}; expected a list of item ids: [{history!r}]."
        )
    if all(isinstance(event, str | Event) for event in history):
        return True, [cast(History, history)]
    several = cast(Sequence[History], history)
    if any(isinstance(one, str | Event) for one in several):
        raise RequestError(
            "the histories mix item ids and lists. Give one list of item ids, or a list of lists."
        )
    return False, list(several)


def one_history(history: History) -> History:
    """The history, if it is one.

    :raises RequestError: if it is a text or several.
    """
    single, several = as_histories(history)
    if not single:
        raise RequestError(
            f"there are {len(several)} histories where one is expected: a list of item ids. Ask "
            "for each by itself."
        )
    return history


def check_k(k: int, n_items: int) -> None:
    """Refuse to look for no item, or for more than there are.

    :raises RequestError: naming the most that can be asked for.
    """
    most = min(LARGEST_K, n_items)
    if not 1 <= k <= most:
        raise RequestError(
            f"k is {k}; expected 1 to {most} (the catalogue has {n_items} items). Ask for fewer."
        )


def tell_why_empty(found: Found, plan: Plan, notices: Sequence[list[str]]) -> None:
    """Add to the notices of each empty list what left nothing."""
    for user in np.flatnonzero((found.items < 0).all(axis=1)).tolist():
        notices[user].append(plan.why_empty(user))


def left_out_notices(unknown: Sequence[str]) -> list[str]:
    """What to say of items of a history that the catalogue does not know."""
    if not unknown:
        return []
    shown = ", ".join(unknown[:3]) + (" …" if len(unknown) > 3 else "")
    return [f"not in the catalogue and left out: {shown}"]


def history_notices(known: int, unknown: Sequence[str]) -> list[str]:
    """What to say of a history with so many known events and these unknown items."""
    notices = left_out_notices(unknown)
    if not known:
        notices.append("the history holds no known item: these are popular items")
    return notices
