"""Conversations as text: what is kept, and how it is read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from p5rec.data.events import Event, History
from p5rec.decoding.filter_expression import Expression
from p5rec.decoding.wanted import Wanted
from p5rec.errors import RequestError

FORMAT = 1
MOST_TURNS = 200
LARGEST_SAVED = 16 * 2**20
"""Characters."""


@dataclass(frozen=True)
class Turn:
    """What was said and which items were answered with, by id."""

    text: str
    shown: tuple[str, ...]


@dataclass(frozen=True)
class Settings:
    """What holds for every turn: the history, how many items, and what else is wanted."""

    history: History = ()
    k: int = 10
    wanted: Wanted | None = None


class _SavedEvent(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    item_id: str
    timestamp: float | None = None
    session_id: str | None = None


class _SavedTurn(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    shown: list[str]


class _Saved(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    format: int = Field(ge=FORMAT, le=FORMAT)
    history: list[_SavedEvent]
    k: int
    wanted: dict[str, str | int | bool | list[str | None] | None]
    turns: list[_SavedTurn] = Field(max_length=MOST_TURNS)


def write_saved(settings: Settings, turns: Sequence[Turn]) -> str:
    """A conversation as JSON.

    :raises RequestError: if what is wanted cannot be written, such as a strategy that is not
        given by its name.
    """
    events = [Event(one) if isinstance(one, str) else one for one in settings.history]
    wanted = {name: _plain(name, value) for name, value in (settings.wanted or {}).items()}
    plain = {
        "format": FORMAT,
        "history": [
            {
                "item_id": event.item_id,
                "timestamp": None if event.timestamp is None else float(event.timestamp),
                "session_id": None if event.session_id is None else str(event.session_id),
            }
            for event in events
        ],
        "k": int(settings.k),
        "wanted": wanted,
        "turns": [{"text": turn.text, "shown": list(turn.shown)} for turn in turns],
    }
    return json.dumps(plain, ensure_ascii=False)


def _plain(name: str, value: object) -> object:
    """What is wanted as JSON knows it."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Expression):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if isinstance(value, Sequence):
        return [_plain(name, one) for one in value]
    raise RequestError(f"{name} is {value!r}, which cannot be written down. Give its name or text.")


def read_saved(text: str) -> tuple[Settings, list[Turn]]:
    """What :func:`write_saved` wrote.

    :raises RequestError: if the text is no saved conversation.
    """
    if len(text) > LARGEST_SAVED:
        raise RequestError(
            f"the saved conversation has {len(text):,} characters. The limit is "
            f"{LARGEST_SAVED:,}. Begin another."
        )
    try:
        saved = _Saved.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "its beginning"
        raise RequestError(
            f"the text is no saved conversation: {first['msg']} at {place}. Give what to_json "
            "wrote."
        ) from error
    events = [Event(**event.model_dump()) for event in saved.history]
    turns = [Turn(turn.text, tuple(turn.shown)) for turn in saved.turns]
    return Settings(events, saved.k, cast(Wanted, saved.wanted)), turns
