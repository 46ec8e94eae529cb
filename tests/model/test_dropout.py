"""Dropout from random bytes: its rate and scale, and that a step can be drawn again."""

import pytest
import torch
from tiny_worlds import FAMILIES, mini_base
from torch import nn

from p5rec.model.dropout import CheapDropout, RandomBytes, use_cheap_dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_rate_is_kept_and_the_mean_with_it(rate):
    dropped = CheapDropout(rate, RandomBytes())(torch.ones(1000, 1000))
    zero = dropped == 0
    assert float(zero.float().mean()) == pytest.approx(rate, abs=0.005)
    assert float(dropped.mean()) == pytest.approx(1, abs=0.005 / (1 - rate))
    assert len(dropped[~zero].unique()) == 1


def test_asking_is_not_touched():
    x = torch.randn(50, 50)
    assert CheapDropout(0.5, RandomBytes()).eval()(x) is x
    assert CheapDropout(0.0, RandomBytes())(x) is x


def test_a_step_can_be_drawn_again():
    source = RandomBytes()
    dropout, x = CheapDropout(0.3, source), torch.ones(30, 30)

    def draw(seed, step):
        source.reseed(seed, step)
        return torch.stack([dropout(x), dropout(x)])

    first = draw(1, 5)
    assert torch.equal(first, draw(1, 5))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, draw(1, 6))
    assert not torch.equal(first, draw(2, 5))


def test_what_was_dropped_gets_no_gradient():
    x = torch.ones(100, requires_grad=True)
    dropped = CheapDropout(0.5, RandomBytes())(x)
    dropped.sum().backward()
    assert torch.equal(x.grad == 0, dropped == 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_dropout_of_torch_is_left_in_a_model(family):
    model = mini_base(family, dropout=0.25)
    use_cheap_dropout(model.eval())
    assert not [module for module in model.modules() if isinstance(module, nn.Dropout)]
    cheap = [module for module in model.modules() if isinstance(module, CheapDropout)]
    assert bool(cheap) == (family != "llama")
    assert len({id(module.source) for module in cheap}) <= 1
    assert not any(module.training for module in cheap)
    for module in model.modules():
        for name in ("dropout", "attention_dropout"):
            assert not isinstance(getattr(module, name, None), float) or getattr(module, name) == 0


@pytest.mark.parametrize("family", ["gpt2", "t5"])
def test_a_model_in_training_is_a_function_of_seed_and_step(family):
    model = mini_base(family, dropout=0.25)
    source = use_cheap_dropout(model)
    model.train()
    tokens = torch.arange(6)[None]
    inputs = {"input_ids": tokens} | ({"decoder_input_ids": tokens} if family == "t5" else {})

    def logits(step):
        source.reseed(0, step)
        torch.rand(3)
        return model(**inputs).logits

    assert torch.equal(logits(1), logits(1))
    assert not torch.equal(logits(1), logits(2))
