"""Successive halving: even shares, the better half goes on, and no minute is left over."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p5rec.benchmark import halving


class Clocked:
    """Learns by a clock of its own making; ``rate`` of figure a minute."""

    def __init__(self, clock, rate, uses=1.0):
        self.clock, self.rate, self.uses = clock, rate, uses
        self.best, self.given, self.lasts = 0.0, [], []

    def go_on(self, minutes, *, last):
        self.given.append(minutes)
        self.lasts.append(last)
        used = minutes * (1.0 if last else self.uses)
        self.clock.seconds += 60 * used
        self.best += self.rate * used


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(halving, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    return clock


def halved(clock, rates, minutes, uses=1.0):
    clock.seconds = 0.0
    models = [Clocked(clock, rate, uses) for rate in rates]
    told = []
    candidates = [({"rate": rate}, model) for rate, model in zip(rates, models, strict=True)]
    won, trials = halving.halve(candidates, minutes=minutes, tell=told.append)
    assert trials == told
    return models, won, trials


def test_the_better_half_goes_on(clock):
    models, won, trials = halved(clock, (1.0, 4.0, 2.0, 3.0), minutes=8.0)
    given = [pytest.approx([1.0]), pytest.approx([1.0, 1.0, 2.0]), pytest.approx([1.0])]
    assert [model.given for model in models] == [*given, pytest.approx([1.0, 1.0])]
    assert won is models[1]
    assert won.lasts == [False, False, True]
    assert [(trial["rung"], trial["settings"]["rate"]) for trial in trials] == [
        *((1, 1.0), (1, 4.0), (1, 2.0), (1, 3.0)),
        *((2, 4.0), (2, 3.0)),
        (3, 4.0),
    ]
    assert trials[-1]["validation ndcg@10"] == pytest.approx(16.0)
    assert trials[-1]["seconds"] == pytest.approx(120.0)


@given(
    st.lists(st.integers(1, 1000), unique=True, min_size=1, max_size=9),
    st.floats(0.2, 1.0),
)
def test_the_budget_is_used_up_and_the_best_wins(rates, uses):
    with pytest.MonkeyPatch.context() as patch:
        clock = SimpleNamespace(seconds=0.0)
        patch.setattr(halving, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
        _, won, trials = halved(clock, rates, minutes=10.0, uses=uses)
    assert won.rate == max(rates)
    assert clock.seconds == pytest.approx(600.0)
    assert sum(trial["rung"] == 1 for trial in trials) == len(rates)


def test_a_single_candidate_has_all_the_time(clock):
    models, won, _ = halved(clock, (1.0,), minutes=6.0)
    assert won is models[0]
    assert (won.given, won.lasts) == ([6.0], [True])
