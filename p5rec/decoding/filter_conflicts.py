"""Conditions that no item of any catalogue could satisfy together."""

from __future__ import annotations

from dataclasses import dataclass, field

from p5rec.decoding.filter_expression import (
    Comparison,
    Expression,
    Holds,
    Known,
    Member,
    Not,
    Value,
    conjuncts,
)


@dataclass
class _Bounds:
    """What the conditions read so far leave of one attribute."""

    low: tuple[float, bool] = (float("-inf"), False)
    high: tuple[float, bool] = (float("inf"), False)
    only: set[Value] | None = None
    never: set[Value] = field(default_factory=set)
    must_be_known: bool = False
    must_be_unknown: bool = False

    def restrict(self, values: set[Value]) -> None:
        self.only = values if self.only is None else self.only & values
        self.must_be_known = True

    def compare(self, operator: str, value: float) -> None:
        # The second entry tells an open bound, which is the narrower of two at one place.
        if operator in (">", ">="):
            self.low = max(self.low, (value, operator == ">"))
        else:
            high = (value, operator == "<")
            self.high = min(self.high, high, key=lambda bound: (bound[0], not bound[1]))
        self.must_be_known = True

    @property
    def empty(self) -> bool:
        if self.must_be_known and self.must_be_unknown:
            return True
        if self.only is not None:
            return not any(self._allows(value) for value in self.only)
        (low, low_open), (high, high_open) = self.low, self.high
        return low > high or (low == high and (low_open or high_open))

    def _allows(self, value: Value) -> bool:
        if value in self.never:
            return False
        if not isinstance(value, float):
            return True
        (low, low_open), (high, high_open) = self.low, self.high
        above = value > low or (value == low and not low_open)
        return above and (value < high or (value == high and not high_open))


def contradiction(expression: Expression) -> str | None:
    """The conditions that contradict each other, as text, or None where none are seen to.

    Looks at the conditions that must all hold, one attribute at a time.

    >>> from p5rec.decoding.filter_parser import parse_filter
    >>> contradiction(parse_filter('price > 20 and brand == "Acme" and price <= 5'))
    'price > 20 and price <= 5'
    >>> contradiction(parse_filter("price > 20 or price <= 5")) is None
    True
    """
    seen: dict[str, tuple[_Bounds, list[Expression]]] = {}
    conditions = conjuncts(expression)
    for condition in conditions:
        negated = Not(condition)
        if negated in conditions or (isinstance(condition, Not) and condition.condition == negated):
            return f"{condition} and {negated}"
        attribute = _attribute(condition)
        if attribute is None:
            continue
        bounds, read = seen.setdefault(attribute, (_Bounds(), []))
        _narrow(bounds, condition, holds=True)
        read.append(condition)
        if bounds.empty:
            return " and ".join(map(str, read))
    return None


def _attribute(condition: Expression) -> str | None:
    if isinstance(condition, Not):
        return _attribute(condition.condition)
    if isinstance(condition, Comparison | Member | Holds | Known):
        return condition.attribute
    return None


def _narrow(bounds: _Bounds, condition: Expression, *, holds: bool) -> None:
    match condition:
        case Not(inner):
            _narrow(bounds, inner, holds=not holds)
        case Comparison(_, "==", value) | Comparison(_, "!=", value):
            if (condition.operator == "==") == holds:
                bounds.restrict({value})
            else:
                bounds.never.add(value)
        case Comparison(_, operator, float() as value) if holds:
            bounds.compare(operator, value)
        case Member(_, values):
            if holds:
                bounds.restrict(set(values))
            else:
                bounds.never |= set(values)
        case Holds():
            # What is not true may be false or not known.
            if holds:
                bounds.restrict({True})
            else:
                bounds.never.add(True)
        case Known():
            bounds.must_be_known |= holds
            bounds.must_be_unknown |= not holds
        case _:
            pass
