"""What an explanation is: evidence measured on the model, a text, and the checks of its claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from p5rec.data.catalogue import Catalogue

Row = Callable[[int], str | int]
Source = Literal["generated", "evidence"]


@dataclass(frozen=True, slots=True)
class EvidenceEvent:
    """An item of the history that carried the suggestion.

    ``position`` counts the history from 0 (oldest) and is that of the item's newest event;
    ``item`` is its row in the catalogue; ``weight`` is by how many nats the log-probability of
    the suggested item drops when all ``count`` events of this item are taken out of the history;
    ``ago`` counts back from the end of the history, the newest event being 1.
    """

    position: int
    item: int
    weight: float
    count: int = 1
    ago: int = 1


@dataclass(frozen=True, slots=True)
class Shared:
    """What the suggested item has in common with items (catalogue rows) of the history.

    ``attribute`` is ``brand``, ``category``, ``variant`` or another column in words. It is
    ``again`` where the person chose the suggested item itself before; ``value`` is then how often.
    """

    attribute: str
    value: str
    items: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EvidenceGroup:
    """Items of the history that share an attribute with the suggested one, taken together.

    ``weight`` is by how many nats the log-probability of the suggested item drops when the
    ``count`` events of all these ``items`` (catalogue rows) are taken out at once.
    """

    attribute: str
    value: str
    items: tuple[int, ...]
    weight: float
    count: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Which events and groups of a history carried an item, heaviest first, and what is shared.

    ``log_probability`` is the item's own, in nats, with the whole history. Without a history, or
    where no event helped the item, there are no events. ``tried`` holds every item of the history
    that was taken out, in the order of their newest events, those that did not help as well.
    """

    item: int
    log_probability: float
    events: tuple[EvidenceEvent, ...] = ()
    shared: tuple[Shared, ...] = ()
    groups: tuple[EvidenceGroup, ...] = ()
    tried: tuple[EvidenceEvent, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One statement of a text: its words, what it is about, and whether a record supports it."""

    text: str
    kind: str
    supported: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an item is suggested, in sentences of which each one was checked.

    ``claims`` are those of ``text``; ``refused`` are the sentences that were generated and
    dropped or rewritten. ``source`` is ``generated`` where the model chose the words of the text
    and ``evidence`` where it is made of plain sentences from the evidence.
    """

    item_id: str
    text: str
    evidence: Evidence
    claims: tuple[Claim, ...] = ()
    refused: tuple[str, ...] = ()
    source: Source = "evidence"

    def __str__(self) -> str:
        return self.text

    def to_dict(self, catalogue: Catalogue | None = None) -> dict[str, Any]:
        """The same as plain values that JSON can hold.

        :param catalogue: where given, items of the evidence are named by their ids, not rows.
        """
        name: Row = int if catalogue is None else catalogue.item_ids.__getitem__
        return {
            "item_id": self.item_id,
            "text": self.text,
            "source": self.source,
            "evidence": _evidence(self.evidence, name),
            "claims": [
                {"text": claim.text, "kind": claim.kind, "supported": claim.supported}
                for claim in self.claims
            ],
            "refused": list(self.refused),
        }


def _evidence(evidence: Evidence, name: Row) -> dict[str, Any]:
    return {
        "item": name(evidence.item),
        "log_probability": evidence.log_probability,
        "events": [_named(event, name) for event in evidence.events],
        "shared": [_named(shared, name) for shared in evidence.shared],
        "groups": [_named(group, name) for group in evidence.groups],
        "tried": [_named(event, name) for event in evidence.tried],
    }


def _named(part: EvidenceEvent | EvidenceGroup | Shared, name: Row) -> dict[str, Any]:
    """A part of the evidence as plain values, with its items by name."""
    told = asdict(part)
    if "item" in told:
        told["item"] = name(told["item"])
    if "items" in told:
        told["items"] = [name(row) for row in told["items"]]
    return told
