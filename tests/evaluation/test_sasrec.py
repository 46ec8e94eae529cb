"""SASRec learns an order, keeps what validates best, and goes on where it stopped."""

import numpy as np
import pytest
from evaluation_worlds import N_ITEMS, all_histories, chains, make_histories, small_sasrec
from hypothesis import given
from hypothesis import strategies as st

from p5rec.data.splits import Cases
from p5rec.evaluation import sasrec_training
from p5rec.evaluation.sasrec_training import LONGER, Batches


def equal(one, two):
    return all(np.array_equal(weights, two[name]) for name, weights in one.items())


def begun(*, figures=(), **settings):
    """SASRec ready to learn; its validations give ``figures``, the last of them for ever."""
    model = small_sasrec(**settings)
    if figures:
        model.validation = Cases(make_histories([3]), [np.array([4])])
        left = list(figures)
        model.seen = []

        def figure_of(weights):
            model.seen.append({name: value.numpy().copy() for name, value in weights.items()})
            return left.pop(0) if len(left) > 1 else left[0]

        model._figure_of = figure_of
    model.begin(chains(), N_ITEMS)
    return model


@given(
    all_histories(),
    st.sampled_from(["every", "prefix"]),
    st.integers(1, 25),
    st.integers(1, 9),
)
def test_an_epoch_has_each_example_once_and_no_padding(drawn, examples, history, size):
    lengths = drawn.lengths.tolist()
    named = make_histories(*np.split(np.arange(sum(lengths)), np.cumsum(lengths)[:-1]))
    batches = Batches(named, examples, history=history, size=size)
    stream = batches.endless(np.random.default_rng(0))
    begins = {}
    for batch in (next(stream).numpy() - 1 for _ in range(len(batches))):
        assert 2 <= batch.shape[1] <= history + 1
        assert len(batch) <= size
        assert (np.diff(batch, axis=1) == 1).all()
        begins |= {int(row[-1]): int(row[0]) for row in batch}
    ends, wanted = 0, {}
    for length in lengths:
        counted = range(2, length + 1) if examples == "prefix" else [length] * (length > 1)
        wanted |= {ends + events - 1: min(events, history + 1) for events in counted}
        ends += length
    assert set(begins) == set(wanted)
    assert all(wanted[end] <= LONGER * (end - begin + 1) for end, begin in begins.items())


def test_each_epoch_has_an_order_of_its_own():
    batches = Batches(chains(), "prefix", history=5, size=16)
    stream = batches.endless(np.random.default_rng(0))
    one, two = ([next(stream).tolist() for _ in range(len(batches))] for _ in range(2))
    assert one != two
    assert sorted(map(len, one)) == sorted(map(len, two))


@pytest.mark.parametrize(("examples", "epochs"), [("every", 40), ("prefix", 10)])
def test_sasrec_learns_an_order(examples, epochs):
    model = small_sasrec(examples=examples, epochs=epochs).fit(chains(), N_ITEMS)
    asked = make_histories([3, 4, 5], [7, 8], [11, 0])
    assert model.rank(asked, k=1)[:, 0].tolist() == [6, 9, 1]


def test_a_prefix_learns_from_its_last_position_alone():
    """What follows the first event is never asked for, where no example ends there."""
    model = small_sasrec(examples="prefix", epochs=20)
    model.begin(make_histories(*([0, 1, 2] for _ in range(32))), N_ITEMS)
    training = model._training
    for rows in (next(training._stream) for _ in range(200)):
        if rows.shape[1] == 3:
            training._learn(rows, 1.0)
    model.go_on(0.0, last=True)
    assert model.rank(make_histories([0, 1]), k=1).tolist() == [[2]]
    assert model.rank(make_histories([0]), k=1).tolist() != [[1]]


@pytest.mark.parametrize("loss", ["softmax", "sampled"])
def test_sasrec_keeps_the_contract(loss):
    model = small_sasrec(epochs=3, loss=loss, negatives=8).fit(chains(), N_ITEMS)
    asked = make_histories([1, 2, 3], [], [4], list(range(12)))
    for exclude_history in (False, True):
        batch = model.rank(asked, k=5, exclude_history=exclude_history)
        for user in range(len(asked)):
            single = model.rank(asked.take(np.array([user])), k=5, exclude_history=exclude_history)
            np.testing.assert_array_equal(single[0], batch[user])
    assert (batch[3] == -1).all()
    assert sorted(model.rank(asked, k=20)[1, :N_ITEMS].tolist()) == list(range(N_ITEMS))


def test_sasrec_keeps_the_weights_that_validate_best():
    model = begun(figures=(0.1, 0.9, 0.2, 0.3), epochs=2, validate_every=0.0)
    model.go_on(None, last=True)
    assert model.best == 0.9
    assert [point["ndcg@10"] for point in model.curve[:3]] == [0.1, 0.9, 0.2]
    arrays = model.arrays()
    assert equal(model.seen[1], arrays)
    assert not equal(model.seen[2], arrays)


def test_validation_is_of_what_ranks():
    model = small_sasrec()
    model.validation = Cases(make_histories([3, 4, 5], [7, 8]), [np.array([6]), np.array([9])])
    assert model.fit(chains(), N_ITEMS).best == 1.0


def test_the_weights_that_count_are_an_average(monkeypatch):
    def last_weights_rank():
        model = begun(epochs=2)
        model.go_on(None, last=False)
        own = {name: value.numpy() for name, value in model._training._network.state_dict().items()}
        return equal(own, model.arrays())

    assert not last_weights_rank()
    monkeypatch.setattr(sasrec_training, "AVERAGED", 0.0)
    assert last_weights_rank()


def test_sasrec_goes_on_where_it_stopped():
    whole, parts = (begun(epochs=2, dropout=0.2, loss="sampled") for _ in range(2))
    whole.go_on(None, last=False)
    for _ in range(2 * len(parts._training._batches)):
        parts.go_on(1e-5, last=False)
    assert equal(whole.arrays(), parts.arrays())


def test_a_last_run_ends_at_a_learning_rate_of_nothing():
    def rate(*, last):
        model = begun(epochs=30)
        model.go_on(None, last=last)
        return model._training._optimizer.param_groups[0]["lr"]

    assert rate(last=False) == 1e-2
    assert rate(last=True) < 1e-5


def test_a_run_that_is_not_the_last_stops_when_nothing_gets_better():
    patient = {"figures": (0.1, 0.3, 0.2), "validate_every": 0.0, "patience": 3}
    model = begun(**patient, patience_seconds=0.0, epochs=20)
    model.go_on(None, last=False)
    assert len(model.curve) == 2 + 3
    own = model._training._network.state_dict()
    assert equal({name: value.numpy() for name, value in own.items()}, model.arrays())
    model.go_on(None, last=True)
    assert model.curve[-1]["epoch"] == 20
    model = begun(**patient, patience_seconds=60.0, epochs=4)
    model.go_on(None, last=False)
    assert model.curve[-1]["epoch"] == 4


def test_validations_are_apart():
    model = begun(figures=(0.1,), epochs=10)
    model.go_on(None, last=True)
    assert len(model.curve) == 1


def test_sasrec_stops_by_the_clock():
    model = small_sasrec(epochs=100_000, minutes=0.005).fit(chains(), N_ITEMS)
    assert model.rank(make_histories([1]), k=3).shape == (1, 3)


def test_sasrec_is_the_same_for_the_same_seed():
    one, two = (
        small_sasrec(epochs=3, dropout=0.2, loss=loss).fit(chains(), N_ITEMS).arrays()
        for loss in ("sampled", "sampled")
    )
    assert equal(one, two)
