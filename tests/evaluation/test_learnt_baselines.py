"""The learnt baselines learn what is there, equal their libraries, and save no code."""

import builtins

import numpy as np
import pytest
from evaluation_worlds import N_ITEMS, all_histories, chains, make_histories, small_sasrec
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from p5rec.errors import RequestError
from p5rec.evaluation.collaborative import Factors, ItemNeighbours
from p5rec.evaluation.sasrec import SASRec
from p5rec.evaluation.scored import MostPopular

pytest.importorskip("implicit", reason="the extra baselines is not installed")

LEARNT = {
    "popularity": MostPopular,
    "item-knn": lambda: ItemNeighbours(neighbours=5),
    "ials": lambda: Factors(factors=4, iterations=2),
}


@given(all_histories(), all_histories(), st.integers(1, N_ITEMS), st.booleans())
def test_scoring_nothing_is_popularity(train, asked, k, exclude_history):
    from p5rec.evaluation.baselines import Popularity

    ranked = [
        model.fit(train, N_ITEMS).rank(asked, k=k, exclude_history=exclude_history)
        for model in (MostPopular(), Popularity())
    ]
    np.testing.assert_array_equal(*ranked)


@pytest.mark.parametrize("name", ["item-knn", "ials"])
def test_neighbours_of_the_history_come_first(name):
    pairs = make_histories(*([2 * (user % 6), 2 * (user % 6) + 1] for user in range(60)))
    ranked = (
        LEARNT[name]().fit(pairs, N_ITEMS).rank(make_histories([4], [9]), k=1, exclude_history=True)
    )
    assert ranked.tolist() == [[5], [8]]


def test_newer_events_weigh_more():
    pairs = make_histories([0, 1], [0, 1], [2, 3], [2, 3])
    model = ItemNeighbours(neighbours=3, decay=0.5).fit(pairs, 4)
    asked = make_histories([0, 2], [2, 0])
    assert model.rank(asked, k=1, exclude_history=True).tolist() == [[3], [1]]


@settings(max_examples=20)
@given(all_histories(), all_histories())
def test_factors_of_a_history_are_those_of_implicit(train, asked):
    from implicit.als import AlternatingLeastSquares

    from p5rec.evaluation.collaborative import _counts

    model = Factors(factors=4, iterations=2).fit(train, N_ITEMS)
    theirs = AlternatingLeastSquares(
        factors=4, regularization=model.regularisation, alpha=model.alpha, use_gpu=False
    )
    theirs.item_factors = model.arrays()["items"]
    users = np.flatnonzero(asked.lengths)
    if len(users) and len(train.items):
        own = theirs.recalculate_user(users, _counts(asked, N_ITEMS)[users])
        expected = np.atleast_2d(own) @ theirs.item_factors.T
        np.testing.assert_allclose(model._scores(asked)[users], expected, atol=1e-3)


@pytest.mark.parametrize("name", [*LEARNT, "sasrec"])
def test_a_saved_model_ranks_alike(name, tmp_path):
    model = LEARNT[name]() if name in LEARNT else small_sasrec(epochs=2)
    model.fit(chains(), N_ITEMS)
    save_file(
        {key: np.ascontiguousarray(a) for key, a in model.arrays().items()},
        tmp_path / "model.safetensors",
    )
    loaded = type(model).from_arrays(model.settings, load_file(tmp_path / "model.safetensors"))
    asked = make_histories([1, 2], [], [5])
    np.testing.assert_array_equal(loaded.rank(asked, k=7), model.rank(asked, k=7))


@pytest.mark.parametrize(
    ("model", "package"),
    [(ItemNeighbours, "implicit"), (Factors, "implicit"), (SASRec, "rectools")],
)
def test_a_missing_package_is_told(model, package, monkeypatch):
    found = builtins.__import__

    def without(name, *rest):
        if name.partition(".")[0] == package:
            raise ImportError(name)
        return found(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RequestError, match=rf"{package}.*p5rec\[baselines\]"):
        model().fit(chains(), N_ITEMS)
