"""How much items count that nobody has chosen: by what the others lose to them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from p5rec.data.events import Histories
from p5rec.decoding.companions import CrossFitted
from p5rec.decoding.history_index import HistoryIndex
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.training.sessions import LIST

USERS = 1000
"""The moment after the last event of so many users is looked at."""

WEIGHTS = np.arange(-4, 4.01, 0.05)
"""What may be added to the log-weights of new items."""

MOST_CELLS = 2**22
"""So many pairs of a user and an item are held at once."""


@torch.no_grad()
def weigh_newcomers(
    prior: HistoryPrior,
    index: HistoryIndex,
    histories: Histories,
    fitted: CrossFitted,
    *,
    cost: float,
    seed: int,
) -> None:
    """Let new items count for as much as the hits that they cost the others allow.

    A prior that has learnt gives them what is theirs, all together; but what single ones have is
    guessed from words, and short lists suffer from it. Hits are those that the prior itself expects
    of its lists, with the items in them that it was taught to take for new.

    :param index: of ``histories``, with the companions of ``fitted``.
    :param cost: where a share ``s`` of all items is new, the others may lose ``cost * s`` of their
        hits.
    """
    lent = torch.from_numpy(np.stack([part.lent for part in fitted.without]))
    new = lent[:, prior.item_of_leaf.cpu()].to(prior.item_of_leaf.device)
    if prior.cold is None or not new.any():
        return
    users = np.random.default_rng(seed).permutation(len(histories))[:USERS]
    hits = []
    for some in np.array_split(users, 1 + len(users) * new.shape[1] // MOST_CELLS):
        features = index.features(some, histories.lengths[some])
        masses = prior.item_masses(features)
        own = torch.from_numpy(features.keys[-1][features.own[-1]]).to(masses.device)
        taken_for_new = new[torch.from_numpy(fitted.part[some])]
        # Nobody has had an item that is really new.
        masses.view(-1)[own] *= ~taken_for_new.view(-1)[own]
        hits.append(_hits(prior.item_shares, masses, taken_for_new))
    without, *at_weights = torch.cat(hits).mean(0).tolist()
    allowed = 1 - np.array(at_weights) / without <= cost * float(new.float().mean())
    prior.cold.add(float(WEIGHTS[allowed].max(initial=WEIGHTS[0])))


def _hits(shares: Tensor, masses: Tensor, new: Tensor) -> Tensor:
    """How probable the known items of each list are, with no new ones and at each weight of these.

    :param new: which items are taken for new in each context, ``bool[C, N]``.
    :return: ``float[C, 1 + len(WEIGHTS)]``.
    """
    known = (masses + shares).masked_fill(new, 0)
    total = known.sum(1, keepdim=True)
    length = min(LIST, known.shape[1])
    listed = (known / total).topk(length).values
    rivals = (masses.masked_fill(~new, 0) / total).topk(length).values
    raised = rivals[:, None] * torch.from_numpy(np.exp(WEIGHTS)).to(rivals)[:, None]
    above = (raised[:, :, None] > listed[:, None, :, None]).sum(3)
    kept = above + torch.arange(length, device=above.device) < length
    after = (listed[:, None] * kept).sum(2)
    return torch.cat([listed.sum(1, keepdim=True), after], dim=1)
