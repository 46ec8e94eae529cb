"""The walk over the prefix trie: items with their log-probabilities, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.decoding.choosing import TIE, Best, Chooser, Step
from p5rec.decoding.contexts import Contexts
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.scorer import NOT_FINITE, ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.errors import DecodingError
from p5rec.model.key_value_cache import Prefix
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.walk_state import WalkState


@dataclass(frozen=True)
class Found:
    """What a search found: ``items`` ``int64[B, k]`` (-1 is no item) and ``scores`` ``[B, k]``."""

    items: NDArray[np.int64]
    scores: NDArray[np.float64]


@torch.inference_mode()
def beam_search(
    scorer: ItemScorer,
    prompts: PromptBatch,
    *,
    k: int,
    beams: int,
    contexts: Contexts | None = None,
    excluded: Excluded | None = None,
) -> Found:
    """The ``k`` most probable items after each prompt.

    Every level keeps the ``beams`` best nodes that still have an eligible item under them, so no
    walk ends nowhere. Scores are log-probabilities over the whole catalogue. With ``beams`` at
    least the widest level of the trie the result is exact; ties are in the order of the leaves.
    Fewer eligible items than ``k`` leave -1 in ``items`` and ``-inf`` in ``scores``.

    :param contexts: the histories, one a prompt; without them the history prior is left out.
    :raises DecodingError: if the model gives a score that is not finite.
    """
    chooser = Best(k, beams)
    return walk(scorer, prompts, chooser, k=k, contexts=contexts, excluded=excluded)


@torch.inference_mode()
def walk(
    scorer: ItemScorer,
    prompts: PromptBatch,
    chooser: Chooser,
    *,
    k: int,
    contexts: Contexts | None = None,
    excluded: Excluded | None = None,
    prefix: Prefix | None = None,
) -> Found:
    """The ``k`` items after each prompt that a chooser leads to, best first.

    :param prefix: an encoded beginning that all prompts share.
    :raises DecodingError: if the model gives a score that is not finite.
    """
    state, hidden = begin(scorer, prompts, prefix)
    return walk_on(scorer, state, hidden, chooser, k=k, contexts=contexts, excluded=excluded)


def begin(
    scorer: ItemScorer, prompts: PromptBatch, prefix: Prefix | None = None
) -> tuple[WalkState, Tensor]:
    """Encode prompts, and with a single short one the first steps of its walks as well."""
    n_prompts, longest, _ = prompts.ids.shape
    n_new = n_prompts * (longest - (0 if prefix is None else len(prefix.ids)))
    n_first, ahead = scorer.trie.n_nodes(1), None
    walks = scorer.depth > 1 and not scorer.full
    if n_prompts == 1 and walks and scorer.backbone.makes_ahead(n_new, n_first):
        ahead = scorer.tokens_of_nodes(0, torch.arange(n_first, device=prompts.ids.device))
    return scorer.backbone.begin(prompts, prefix, ahead)


@torch.inference_mode()
def walk_on(
    scorer: ItemScorer,
    state: WalkState,
    hidden: Tensor,
    chooser: Chooser,
    *,
    k: int,
    contexts: Contexts | None = None,
    excluded: Excluded | None = None,
) -> Found:
    """:func:`walk` from prompts that are encoded already; uses ``state`` up.

    With a full softmax, contexts have to be whole; without any the network has all the say.
    """
    n_prompts, trie = len(hidden), scorer.trie
    if excluded is None and trie.live is not None:
        excluded = Excluded(trie, [np.empty(0, dtype=np.int64)] * n_prompts)
    if scorer.full and contexts is None:
        contexts = scorer.foresee(hidden[:, 0], None)
    whole = contexts is not None and contexts.whole
    nodes = torch.zeros(n_prompts, 1, dtype=torch.int64, device=hidden.device)
    scores = torch.zeros(n_prompts, 1, dtype=torch.float64, device=hidden.device)
    span = scorer.children_of(0, nodes)
    for level in range(trie.depth):
        step = _step(scorer, level, nodes, span, hidden, scores, contexts, excluded)
        places, scores = chooser.choose(step)
        parents = places // step.children.shape[2]
        nodes = step.children.flatten(1).gather(1, places)
        if level < trie.depth - 1:
            span = scorer.children_of(level + 1, nodes)
            if not whole:
                hidden = _extend(scorer, state, level, parents, nodes, span[1])
    return _found(trie, nodes, scores, k)


def _extend(
    scorer: ItemScorer, state: WalkState, level: int, parents: Tensor, nodes: Tensor, width: Tensor
) -> Tensor:
    """Hidden states of walks that have just come to ``nodes`` at depth ``level + 1``."""
    if state.ahead is not None:
        # The children of the root are the nodes below it, in the same order.
        return state.take_ahead(nodes)
    tokens = scorer.tokens_of_nodes(level, nodes)
    n_prompts, slots = nodes.shape
    n_open = slots
    if level == scorer.depth - 2:
        # An only child has probability 1 whatever the model says, and no walk goes on from it.
        n_open = int((width > 1).sum(1).max())
    if n_open == slots:
        return scorer.backbone.extend(state, parents, tokens)
    hidden = torch.zeros(
        n_prompts, slots, scorer.backbone.table.weight.shape[1], device=nodes.device
    )
    if n_open:
        order = (width > 1).to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :n_open]
        found = scorer.backbone.extend(state, parents.gather(1, order), tokens.gather(1, order))
        hidden.scatter_(1, order[..., None].expand_as(found), found)
    return hidden


def _step(
    scorer: ItemScorer,
    level: int,
    nodes: Tensor,
    span: tuple[Tensor, Tensor],
    hidden: Tensor,
    scores: Tensor,
    contexts: Contexts | None,
    excluded: Excluded | None,
) -> Step:
    """The children of all open walks and their scores."""
    n_prompts, slots = nodes.shape
    prompt = torch.arange(n_prompts, device=nodes.device).repeat_interleave(slots)
    first, width = span
    children = children_side_by_side(first, int(width.max()), scorer.trie.n_nodes(level + 1))
    log_probs = scorer.child_log_probs(
        level,
        nodes.flatten(),
        hidden.flatten(0, 1),
        context=prompt,
        contexts=contexts,
        span=(first.flatten(), width.flatten()),
        children=children.flatten(0, 1),
    ).view(n_prompts, slots, -1)
    # Logarithms of probabilities are at most 0; the largest of some with NaN is NaN.
    if not log_probs.max() <= 0:
        raise DecodingError(NOT_FINITE)
    log_probs = log_probs.to(torch.float64)
    if excluded is not None:
        closed = excluded.closed(level, first, width, children)
        log_probs = log_probs if closed is None else log_probs.masked_fill_(closed, -torch.inf)
    last = level == scorer.depth - 1
    return Step(level, last, children, scores[..., None] + log_probs, log_probs)


def children_side_by_side(first: Tensor, width: int, n_nodes: int) -> Tensor:
    """The numbers of ``width`` children from each first one, within the nodes that there are."""
    columns = torch.arange(width, dtype=first.dtype, device=first.device)
    children = first[..., None] + columns
    beyond = int(first.max()) + width > n_nodes
    return children.clamp_(max=n_nodes - 1) if beyond else children


def _found(trie: Trie, leaves: Tensor, scores: Tensor, k: int) -> Found:
    """Best first; ties in the order of the leaves."""
    best = (scores - TIE * leaves).argsort(dim=1, descending=True)
    items = trie.item_of_leaf[leaves.gather(1, best).cpu().numpy()].astype(np.int64)
    found = scores.gather(1, best).cpu().numpy()
    items[np.isneginf(found)] = -1
    missing = ((0, 0), (0, k - items.shape[1]))
    return Found(
        np.pad(items, missing, constant_values=-1),
        np.pad(found, missing, constant_values=-np.inf),
    )
