"""Requests that build on each other: each turn refines the one before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.filter_expression import Member, Not
from p5rec.errors import RequestError
from p5rec.language.bounds import PRICE, Bounds
from p5rec.language.follow_ups import FollowUp, follow_ups
from p5rec.language.request_reading import check_request, read_request
from p5rec.language.request_vocabulary import REQUEST_WORDS, SEARCHED
from p5rec.language.requests import Request, ShopWords
from p5rec.language.required import Requirement
from p5rec.language.revising import allowed_again, revised
from p5rec.language.saved_conversation import MOST_TURNS, Settings, Turn, write_saved
from p5rec.language.waivers import FINE
from p5rec.language.words import words
from p5rec.prompting.cleaning import clean

_REFINES = re.compile(
    r"\s*(?:also|and|but|plus|with|without|only|just|not|no|nothing|make\s+(?:it|that|them)|maybe"
    r"|preferably|in|under|over|below|above|at\s+(?:least|most)|up\s+to|between|from|by|for|ones?"
    r"|(?:it|they|that|which)\s+(?:should|must|has|have|is|are)|(?:the\s+)?same|actually|too"
    r"|i(?:['’]?d|\s+would)?\s+(?:like|want|need|prefer)\s+(?:it|them)\s+to)\b",
    re.IGNORECASE,
)
"""How a turn begins that says more of the thing asked for before."""
_ALLOWING = re.compile(rf"(?<!\w){FINE}", re.IGNORECASE)
"""What stays of "up to $15 is fine" without the bound."""
_ALSO = re.compile(
    r"[^,;.!?]+\s(?:is|are|would\s+be)\s+(?:fine|ok|okay|good|alright)\s+(?:too|also|as\s+well)(?!\w)",
    re.IGNORECASE,
)
_COMPARING = ("cheaper", "dearer", "no dearer", "no cheaper", "brand")

Answer = TypeVar("Answer", bound=Sequence[Any])
"""Items with an ``item_id`` each."""


@dataclass(frozen=True)
class _State:
    """What holds after some turns.

    ``limits`` are those stated; ``compared`` those that came from comparing with what was shown
    ("cheaper"), which a new wish ends. ``unwanted`` are ids of items that are not wanted again.
    """

    wish: str = ""
    limits: Request = field(default_factory=lambda: Request("", ""))
    compared: Request = field(default_factory=lambda: Request("", ""))
    unwanted: tuple[str, ...] = ()


class Conversation(Generic[Answer]):
    """Turns of a person who asks for items, each of which refines what was asked for before.

    A turn that names a new thing asks for that one under the same limits; one that only adds
    ("also vegan", "under $5", "cheaper", "another brand", "more like the second", "not that one",
    "something else") refines. Where two limits contradict each other the newer one holds, a bound
    said again takes the place of the old one, and "any brand" or "chips are fine" ends one. "Start
    over" forgets everything. The limits in force come back as notices of each answer.

    Made by ``Recommender.conversation``.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        shop: ShopWords,
        answer: Callable[[Request, Sequence[str]], Answer],
        *,
        settings: Settings,
    ) -> None:
        """``answer`` is given a request and ids of items that are not wanted.

        :param settings: what holds for every turn; saved with the conversation.
        """
        self._catalogue = catalogue
        self._shop = shop
        self._answer = answer
        self.settings = settings
        self.turns: list[Turn] = []
        self._state = _State()

    @property
    def limits(self) -> list[str]:
        """The limits in force, in words."""
        return self._request("", self._state, ()).describe()

    def ask(self, text: str) -> Answer:
        """The answer to a turn.

        :raises RequestError: if the text is empty or longer than 64 KiB, there is nothing to
            refine, or the conversation has 200 turns.
        """
        if len(self.turns) >= MOST_TURNS:
            raise RequestError(
                f"the conversation has {MOST_TURNS} turns, which is the most. Begin another."
            )
        state, unclear = self._after(self._state, text, self.turns)
        answer = self._answer(self._request(text, state, unclear), state.unwanted)
        self._state = state
        self.turns.append(Turn(text, tuple(one.item_id for one in answer)))
        return answer

    def to_json(self) -> str:
        """The conversation as text, to go on with later."""
        return write_saved(self.settings, self.turns)

    def restore(self, turns: Sequence[Turn]) -> None:
        """Take up turns that were made before; nothing is asked again."""
        for number, turn in enumerate(turns):
            self._state, _ = self._after(self._state, turn.text, turns[:number])
        self.turns = list(turns)

    def _after(
        self, state: _State, text: str, turns: Sequence[Turn]
    ) -> tuple[_State, tuple[str, ...]]:
        """What holds after one more turn, and what of it was not understood."""
        check_request(text)
        said, rest = follow_ups(text[:SEARCHED])
        rest += text[SEARCHED:]
        if any(one.kind == "over" for one in said):
            state, turns = _State(), ()
            said = [one for one in said if one.kind != "over"]
            if not _telling(rest) and not said:
                return state, ()
        # Without a list before it, nothing can be said of one.
        shown = turns[-1].shown if turns else ()
        if not turns:
            said, rest = [], text if not said or not _telling(rest) else rest
        allowed, rest = allowed_again(rest, state.limits)
        # "Oatly is fine too" would widen a limit; nothing here knows how.
        wider = _ALSO.findall(rest) if turns else []
        rest = _ALSO.sub("", rest) if turns else rest
        parsed = read_request(rest, self._shop) if _has_words(rest) else Request(text, "")
        parsed = replace(parsed, waived=(*parsed.waived, *allowed))
        unclear = [*(" ".join(one.split()) for one in wider), *parsed.not_understood]
        refines = bool(said or wider) or bool(_REFINES.match(rest)) or not _telling(parsed.wish)
        state = self._wished(state, parsed, refines=refines and bool(turns))
        for one in _compared_with_what_is_liked(said):
            state, problem = self._followed(state, one, shown)
            unclear += [problem] if problem else []
        return state, tuple(unclear)

    def _wished(self, state: _State, parsed: Request, *, refines: bool) -> _State:
        """What holds with the wish and the limits of a turn."""
        limits = parsed.with_limits_of(revised(state.limits, parsed, self._shop, anew=True))
        limits = replace(limits, text="", wish="", waived=(), not_understood=())
        if not refines:
            return _State(parsed.wish, limits, unwanted=state.unwanted)
        said = _ALLOWING.sub("", parsed.wish)
        wish = " ".join(part for part in (state.wish, said if _telling(said) else "") if part)
        compared = revised(state.compared, parsed, self._shop, anew=False)
        return replace(state, wish=wish, limits=limits, compared=compared)

    def _followed(
        self, state: _State, said: FollowUp, shown: Sequence[str]
    ) -> tuple[_State, str | None]:
        """What holds after something was said of the list before, or why it cannot be."""
        items = _named(said, shown)
        if items is None:
            return state, f"{said.quoted} (the last list has {len(shown)} items)"
        if said.kind in ("without", "else"):
            unwanted = items or shown
            return replace(state, unwanted=(*dict.fromkeys((*state.unwanted, *unwanted)),)), None
        if said.kind == "like":
            liked = items if said.places else items[:1]
            unwanted = (*dict.fromkeys((*state.unwanted, *liked)),)
            rows = self._catalogue.rows_of(liked).tolist()
            wish = ", ".join(self._catalogue.text(row) for row in rows if row >= 0)
            return replace(state, wish=wish or state.wish, unwanted=unwanted), None
        records = [
            self._catalogue.record(int(row))
            for row in self._catalogue.rows_of(list(items or shown))
            if row >= 0
        ]
        compared = _brand(records) if said.kind == "brand" else _price(said, records)
        if compared is None:
            told = "brand" if said.kind == "brand" else "price"
            return state, f"{said.quoted} (the {told} of what was shown is not known)"
        return replace(state, compared=compared.with_limits_of(state.compared)), None

    def _request(self, text: str, state: _State, unclear: Sequence[str]) -> Request:
        """All that holds as one request."""
        whole = state.limits.with_limits_of(state.compared)
        return replace(whole, text=text, wish=state.wish, not_understood=tuple(unclear))


def _has_words(text: str) -> bool:
    return bool(re.search(r"[^\s,;.!?]", clean(text, max_characters=len(text))))


def _telling(wish: str) -> bool:
    """Whether a wish has a word that says something of a thing."""
    return any(word not in REQUEST_WORDS for word in words(wish[:SEARCHED]))


def _named(said: FollowUp, shown: Sequence[str]) -> tuple[str, ...] | None:
    """The ids of the items that are named, () if none is, None if there are none of them."""
    if said.every:
        return tuple(shown) or None
    if any(not -len(shown) <= place < len(shown) for place in said.places):
        return None
    if not shown:
        return None
    return tuple(shown[place] for place in said.places)


def _compared_with_what_is_liked(said: Sequence[FollowUp]) -> list[FollowUp]:
    """What is said, such that "like the second but cheaper" is cheaper than the second."""
    liked = next((one.places for one in said if one.kind == "like"), ())
    return [
        replace(one, places=liked) if one.kind in _COMPARING and not one.places else one
        for one in said
    ]


def _price(said: FollowUp, records: Sequence[dict[str, Any]]) -> Request | None:
    """Beside the prices of the items that are named by place, or of the first that has one."""
    prices = [float(record[PRICE]) for record in records if record.get(PRICE) is not None]
    if not prices:
        return None
    named = prices if said.places else prices[:1]
    bounds = {
        "cheaper": Bounds(high=min(named), high_open=True),
        "dearer": Bounds(low=max(named), low_open=True),
        "no dearer": Bounds(high=max(named)),
        "no cheaper": Bounds(low=min(named)),
    }[said.kind]
    return Request("", "", bounds=(bounds,))


def _brand(records: Sequence[dict[str, Any]]) -> Request | None:
    """Any brand but that of the first item that has one."""
    brands = [record["brand"] for record in records if record.get("brand")]
    if not brands:
        return None
    other = Not(Member("brand", (brands[0],)))
    shown = f"brand: not {brands[0]}"
    return Request("", "", required=(Requirement(shown, other, attribute="brand"),))
