"""The average of weights: what stays of it at a step, and whose memory it is."""

import pytest
import torch

from p5rec.model.weight_average import WeightAverage, copied


def averaged(decay, *values):
    average = WeightAverage({"w": torch.tensor([values[0]])}, decay)
    for step, value in enumerate(values[1:], start=1):
        average.update({"w": torch.tensor([value])}, step)
    return float(average.weights["w"])


def test_without_decay_the_last_weights_are_the_average():
    assert averaged(0.0, 1.0, 2.0, 3.0) == 3.0


def test_in_the_first_steps_less_stays_than_the_decay_says():
    assert averaged(0.99, 0.0, 1.0) == pytest.approx(1 - 2 / 11)
    assert averaged(0.1, 0.0, 1.0) == pytest.approx(0.9)


def test_later_the_decay_says_what_stays():
    assert averaged(0.9, *[0.0] * 200, 1.0) == pytest.approx(0.1)


def test_weights_that_go_on_changing_leave_the_average_and_copies_alone():
    weights = {"w": torch.zeros(2, requires_grad=True)}
    average, copy = WeightAverage(weights, 0.5), copied(weights)
    with torch.no_grad():
        weights["w"].add_(1)
    assert not average.weights["w"].any()
    assert not copy["w"].any()
    assert not copy["w"].requires_grad
