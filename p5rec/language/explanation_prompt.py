"""What the prompt of an explanation shows, in training and after."""

from __future__ import annotations

from collections.abc import Sequence

from p5rec.errors import TemplateError
from p5rec.language.facts import ItemFacts
from p5rec.prompting.placeholders import Value
from p5rec.prompting.segments import Attribute, ItemRef
from p5rec.prompting.template import Template
from p5rec.prompting.templates import TemplateSet

GIVEN = frozenset({"item", "evidence", "shared"})
NAMES = frozenset({"words", "earlier"})
MOST_NAMED = 3


def explanation_templates(templates: TemplateSet, *, names: bool) -> tuple[Template, ...]:
    """The templates of training for an item with its evidence and what they share.

    :param names: those that tell what the items are called as well, instead of those that do not.
    :raises TemplateError: if there is none.
    """
    given = GIVEN | NAMES if names else GIVEN
    found = templates.of("explanation", seen=True, given=given)
    fitting = tuple(template for template in found if names <= bool(template.needs & NAMES))
    if not fitting:
        wanted = ", ".join(f"{{{name}}}" for name in sorted(given))
        raise TemplateError(
            f"explanation has no template with seen = true that needs only {wanted}. "
            "Add one to prompts/explanation.toml."
        )
    return fitting


def explanation_values(
    facts: ItemFacts, item: int, evidence: Sequence[int], shared: str
) -> dict[str, Value]:
    """The values of an explanation's prompt.

    :param item: catalogue row of what is explained; ``evidence``: those of what carried it.
    :param shared: what they have in common, in words.
    """
    named = [label for row in evidence[:MOST_NAMED] if (label := facts.label(row))]
    return {
        "item": ItemRef(item),
        "evidence": [ItemRef(row) for row in evidence],
        "shared": Attribute(shared),
        "words": Attribute(facts.label(item) or "unnamed"),
        "earlier": Attribute("; ".join(named) or "unnamed"),
    }
