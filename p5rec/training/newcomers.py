"""How much items count that nobody has chosen: by what the others lose to them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from p5rec.data.events import Histories
from p5rec.decoding.alike_words import ItemWords
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.cold_items import lend
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.training.sessions import LIST

SHARE = 0.05
"""So many of the items are taken for new."""

LENDING = 0.25
"""So far an item that nobody has chosen goes by the items that it is like."""

WEIGHTS = np.arange(-3, 3.01, 0.05)
"""What may be added to the logarithms of what new items weigh."""

MOST_CELLS = 2**22
"""So many pairs of a user and an item are held at once."""


def weigh_newcomers(model: AssembledModel, histories: Histories) -> None:
    """Let new items count for as much as the hits that they cost the others allow.

    A prior that has learnt gives them what is theirs, all together; but what single ones have is
    guessed from words, and short lists suffer from it. So two guesses are joined: what the prior
    has learnt, and what it makes of the items that a new one is like. Hits are those that the model
    itself expects of its lists, before and after some items drawn at random are taken for new; the
    recipe says how many of them these may take (``prior.newcomers``).

    :param histories: whole ones, so that what comes next is what nothing was learnt of.
    """
    prior = model.scorer.prior
    if prior is None or prior.cold is None or prior.companions is None:
        return
    chosen = np.flatnonzero(~prior.companions.lent)
    new = np.random.default_rng(0).permutation(chosen)[: int(SHARE * len(chosen))]
    if not len(new):
        return
    prior.lending.fill_(LENDING)
    k = min(LIST, len(model.catalogue))
    scores = model.ranker().search(histories, k=k, excluded=[new] * len(histories)).scores
    listed, rivals = np.exp(scores), _as_new(prior, model, histories, new)
    expected = listed.sum()
    lost = [
        1 - (listed * _kept(listed, rivals * np.exp(weight))).sum() / expected for weight in WEIGHTS
    ]
    allowed = np.array(lost) <= model.recipe.prior.newcomers * SHARE
    # What its own network says of an item is not all that the item weighs.
    prior.cold.add(float(WEIGHTS[allowed].max(initial=WEIGHTS[0])) / (1 - LENDING))


@torch.no_grad()
def _as_new(
    prior: HistoryPrior, model: AssembledModel, histories: Histories, new: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How likely the likeliest of ``new`` would be if nobody had chosen them.

    They are taken beside a probability of one for all others, whatever all of them weigh.

    :return: ``float64[U, LIST]``, descending.
    """
    assert prior.companions is not None
    cold = prior.companions.lent.copy()
    cold[new] = True
    lent = lend(prior.companions, ItemWords(model.catalogue).nearest(np.flatnonzero(cold)), cold)
    index = prior.index(histories, companions=lent)
    leaves = prior.leaf_of_item[torch.from_numpy(new).to(prior.leaf_of_item.device)]
    found = []
    users = np.arange(len(histories))
    for some in np.array_split(users, 1 + len(users) * len(cold) // MOST_CELLS):
        features = index.features(some, histories.lengths[some])
        masses = prior.item_masses(features)
        others = (masses + prior.item_shares).sum(1) - masses[:, leaves].sum(1)
        # Nobody has had an item that is really new.
        masses.view(-1)[torch.from_numpy(features.keys[-1][features.own[-1]])] = 0
        found.append((masses[:, leaves] / others[:, None]).topk(min(LIST, len(new))).values)
    return torch.cat(found).double().cpu().numpy()


def _kept(listed: NDArray[np.float64], rivals: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which of each list's items, best first, stay in a list as long among rivals."""
    above = (rivals[:, None, :] > listed[:, :, None]).sum(2)
    kept: NDArray[np.bool_] = above + np.arange(listed.shape[1]) < listed.shape[1]
    return kept
