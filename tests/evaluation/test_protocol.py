import numpy as np
import pytest
from evaluation_worlds import N_ITEMS, all_histories, make_histories
from hypothesis import given
from hypothesis import strategies as st

from p5rec.data.splits import Cases
from p5rec.errors import RequestError
from p5rec.evaluation.baselines import OwnFrequency, Popularity, Random
from p5rec.evaluation.metrics import evaluate_ranking
from p5rec.evaluation.protocol import PLAIN, UNSEEN, compare, first_time_targets

BASELINES = {"popularity": Popularity(), "own_frequency": OwnFrequency(), "random": Random(seed=0)}


@st.composite
def all_cases(draw):
    histories = draw(all_histories())
    targets = [
        np.array(sorted(draw(st.sets(st.integers(0, N_ITEMS - 1), min_size=1))))
        for _ in range(len(histories))
    ]
    return Cases(histories=histories, targets=targets)


def world():
    histories = make_histories([0, 1, 0], [2], [3, 4])
    return Cases(histories=histories, targets=[np.array([0, 5]), np.array([2]), np.array([4, 1])])


def fitted(cases):
    return {name: model.fit(cases.histories, N_ITEMS) for name, model in BASELINES.items()}


@given(all_cases())
def test_first_time_targets_are_new_and_complete(cases):
    new = first_time_targets(cases)
    kept = dict(zip(new.histories.user_ids, new.targets, strict=True))
    for user, name in enumerate(cases.histories.user_ids):
        history = set(cases.histories.items[cases.histories.slice(user)].tolist())
        expected = set(cases.targets[user].tolist()) - history
        assert set(kept.get(name, np.array([])).tolist()) == expected
        assert (name in kept) == bool(expected)


def test_first_time_targets_of_a_known_world():
    new = first_time_targets(world())
    assert new.histories.user_ids == ("u0", "u2")
    assert [target.tolist() for target in new.targets] == [[5], [1]]


@given(all_cases(), st.integers(1, 4))
def test_batches_give_what_one_call_gives(cases, batch):
    rankers = PLAIN.rankers(fitted(cases))
    for result in compare(cases, rankers, n_items=N_ITEMS, batch=batch):
        ranked = rankers[result.name](cases.histories, 10)
        for metric, values in evaluate_ranking(ranked, cases.targets).items():
            np.testing.assert_array_equal(result.per_user[metric], values)
        assert result.invalid_items == 0


@given(all_cases())
def test_the_unseen_protocol_measures_first_time_items_alone(cases):
    results = compare(cases, UNSEEN.rankers(fitted(cases)), n_items=N_ITEMS, protocol=UNSEEN)
    assert {result.protocol for result in results} == {"unseen"}
    users = len(first_time_targets(cases).histories)
    assert {len(value) for result in results for value in result.per_user.values()} == {users}


def test_results_name_their_protocol_and_their_means():
    models = PLAIN.rankers({"own": OwnFrequency().fit(world().histories, 6)})
    (result,) = compare(world(), models, ks=[2], n_items=6)
    assert (result.name, result.protocol) == ("own", "plain")
    assert result.means["recall@2"] == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert result.coverage == 5 / 6


def test_invalid_items_are_counted():
    result = compare(
        world(), {"broken": lambda histories, k: np.full((len(histories), k), 7)}, n_items=6
    )[0]
    assert result.invalid_items == 30


def test_a_ranker_that_breaks_the_protocol_is_named():
    models = PLAIN.rankers({"own": OwnFrequency().fit(world().histories, 6)})
    with pytest.raises(RequestError, match=r"'own' recommends row 0 to user 'u0'"):
        compare(world(), models, n_items=6, protocol=UNSEEN)
    with pytest.raises(RequestError, match=r"'short' gave an array of shape \(3, 2\)"):
        compare(world(), {"short": lambda histories, k: np.zeros((3, 2), int)}, n_items=6)


def test_progress_counts_users():
    seen = []
    compare(
        world(),
        PLAIN.rankers({"popularity": Popularity().fit(world().histories, 6)}),
        n_items=6,
        batch=2,
        progress=lambda *step: seen.append(step),
    )
    assert seen == [("popularity", 2, 3), ("popularity", 3, 3)]


def test_no_case_under_a_protocol_gives_empty_results():
    cases = Cases(histories=make_histories([1]), targets=[np.array([1])])
    models = UNSEEN.rankers({"popularity": Popularity().fit(cases.histories, 6)})
    (result,) = compare(cases, models, n_items=6, protocol=UNSEEN)
    assert result.means["recall@10"] == 0
