"""From histories to what comes next: prompts, contexts and the walk put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.data.events import Histories
from p5rec.decoding.beam import Found, begin, walk_on
from p5rec.decoding.contexts import Contexts, Together
from p5rec.decoding.diversity import most_marginal
from p5rec.decoding.excluded import Excluded
from p5rec.decoding.history_index import HistoryFeatures
from p5rec.decoding.leaning import Lean, Leaning
from p5rec.decoding.node_mask import NodeMask
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.strategies import POOL, Strategy
from p5rec.model.backbone import Version
from p5rec.model.key_value_cache import Prefix
from p5rec.model.prompt_batch import EncodedPrompt, PromptBatch
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.model.walk_state import WalkState

IntArray = NDArray[np.int64]

BATCH = 64
"""Histories walked side by side."""
MOST_NODES = 4096
"""So many nodes of a level are looked at for those of whom nothing is known."""
BEAM = Strategy()
_NONE = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Selection:
    """What each of several requests may get and how it is searched for; one entry a request.

    ``denied`` and ``allowed`` are catalogue rows (None: all are allowed), ``masks`` compiled
    filters, ``prompts`` encoded prompts that stand in for that of the history, ``leans`` what
    each walk leans to (empty: none leans).
    """

    denied: Sequence[IntArray]
    allowed: Sequence[IntArray | None]
    masks: Sequence[NodeMask | None]
    strategies: Sequence[Strategy]
    prompts: Sequence[EncodedPrompt | None]
    seed: int = 0
    leans: Sequence[Lean | None] = ()

    @classmethod
    def of(cls, excluded: Sequence[IntArray] | None, n_requests: int) -> Selection:
        """The best items but for the excluded ones."""
        nothing = [None] * n_requests
        denied = [_NONE] * n_requests if excluded is None else excluded
        return cls(denied, nothing, nothing, [BEAM] * n_requests, nothing)


@dataclass
class NextItemRanker:
    """Ranks and scores items as the next of each history.

    :param head: the encoded template up to where the history begins.
    :param history: how many of the newest events the prompt shows; the history prior sees all.
    :param beams: width of the search, at least the ``k`` asked for.
    """

    scorer: ItemScorer
    encoder: PromptEncoder
    head: EncodedPrompt
    history: int
    beams: int
    _prefix: tuple[Version | None, Prefix | None] = field(
        default=(None, None), init=False, repr=False
    )

    def search(
        self,
        histories: Histories,
        *,
        k: int,
        beams: int | None = None,
        excluded: Sequence[IntArray] | None = None,
        selection: Selection | None = None,
        prior: bool = True,
    ) -> Found:
        """The best ``k`` items for each history, or those that a selection asks for.

        :param excluded: catalogue rows that each history may not get.
        :param selection: takes the place of ``excluded``.
        :param prior: whether the history prior counts.
        """
        chosen = selection or Selection.of(excluded, len(histories))
        found = Found(
            np.full((len(histories), k), -1, dtype=np.int64), np.full((len(histories), k), -np.inf)
        )
        for users in self._batches(histories, chosen.strategies):
            own = histories.take(users)
            part = self._walk(own, users, k, beams or self.beams, chosen, prior=prior)
            found.items[users], found.scores[users] = part.items, part.scores
        return found

    def rank(self, histories: Histories, *, k: int, exclude_history: bool = False) -> IntArray:
        """Catalogue rows ``int64[U, k]``, best first, -1 where nothing is left."""
        excluded = None
        if exclude_history:
            items = np.asarray(histories.items)
            excluded = [items[histories.slice(user)] for user in range(len(histories))]
        return self.search(histories, k=k, excluded=excluded).items

    @torch.inference_mode()
    def score(
        self, histories: Histories, items: IntArray, *, of: IntArray | None = None
    ) -> NDArray[np.float64]:
        """Log-probability of ``items[n]`` as the next item of history ``of[n]``, ``float64[N]``.

        Prompts that are equal are encoded once.

        :param of: by default there is one item a history, in order.
        """
        owner = np.arange(len(histories)) if of is None else of
        scores = np.empty(len(items))
        for users in self._batches(histories):
            place = np.full(len(histories), -1)
            place[users] = np.arange(len(users))
            asked = np.flatnonzero(place[owner] >= 0)
            context = torch.from_numpy(place[owner[asked]])
            part = histories.take(users)
            found = self._score(part, torch.from_numpy(items[asked]), context)
            scores[asked] = found.cpu().numpy()
        return scores

    def _score(self, histories: Histories, items: Tensor, context: Tensor) -> Tensor:
        scorer, device = self.scorer, self.scorer.backbone.device
        texts, same = _distinct(self.prompts(histories))
        prompts = PromptBatch.from_prompts(texts).to(device)
        rows, items, context = (at.to(device) for at in (torch.from_numpy(same), items, context))
        unknown = not len(histories.items)
        if not scorer.full:
            contexts = self.contexts(histories, prior_alone=unknown)
            return scorer.score(prompts, rows[context], items, context=context, contexts=contexts)
        _, hidden = begin(scorer, prompts)
        known = scorer.foresee(hidden[rows, 0], self._features(histories), prior_alone=unknown)
        return known.log_probs(context, scorer.leaf_of_item[items])

    def prompts(self, histories: Histories) -> list[EncodedPrompt]:
        """The encoded prompt of each history: the head and the newest events."""
        items = np.asarray(histories.items, dtype=np.int64)
        newest = [items[histories.slice(user)][-self.history :] for user in range(len(histories))]
        return [np.concatenate([self.head, self.encoder.items(rows)]) for rows in newest]

    def contexts(self, histories: Histories, *, prior_alone: bool = False) -> Contexts | None:
        """What the history prior makes of each history; None without a prior."""
        prior, features = self.scorer.prior, self._features(histories)
        if prior is None or features is None:
            return None
        return replace(prior.contexts(features), whole=prior_alone)

    def _features(self, histories: Histories) -> HistoryFeatures | None:
        prior = self.scorer.prior
        if prior is None:
            return None
        return prior.index(histories).features(np.arange(len(histories)), histories.lengths)

    def _conditions(
        self,
        histories: Histories | None,
        hidden: Tensor,
        users: IntArray,
        chosen: Selection,
        *,
        unknown: bool,
    ) -> Contexts | None:
        """What walks from ``hidden`` know beforehand: of histories (None: nothing) and leanings."""
        found: list[Contexts] = []
        if self.scorer.full:
            features = None if histories is None else self._features(histories)
            found.append(self.scorer.foresee(hidden, features, prior_alone=unknown))
        elif histories is not None:
            known = self.contexts(histories, prior_alone=unknown)
            found += [] if known is None else [known]
        if chosen.leans:
            leans = [chosen.leans[user] for user in users.tolist()]
            found.append(Leaning.of(self.scorer.trie, leans, self.scorer.backbone.device))
        return Together(found) if len(found) > 1 else found[0] if found else None

    def _walk(
        self,
        histories: Histories,
        users: IntArray,
        k: int,
        beams: int,
        chosen: Selection,
        *,
        prior: bool,
    ) -> Found:
        """One batch, all of the same strategy."""
        strategy = chosen.strategies[users[0]]
        wanted = min(k * POOL, self.scorer.trie.n_items) if strategy.diversity else k
        at = users.tolist()
        given = [chosen.prompts[user] for user in at]
        own = self.prompts(histories)
        prompts = [mine if one is None else one for one, mine in zip(given, own, strict=True)]
        with torch.inference_mode():
            state, hidden = self._begin(prompts, own=all(prompt is None for prompt in given))
            known = histories if prior else None
            # Of somebody who is not known and asks for nothing, the network knows less than what is
            # popular tells; and what is popular lies in small nodes as in large ones.
            unknown = prior and not len(histories.items) and all(one is None for one in given)
            if unknown and self.scorer.prior is not None:
                beams = max(beams, min(self.scorer.trie.n_nodes(self.scorer.depth - 1), MOST_NODES))
            found = walk_on(
                self.scorer,
                state,
                hidden,
                strategy.chooser(wanted, beams=beams, seeds=_seeds(histories, chosen.seed)),
                k=wanted,
                contexts=self._conditions(known, hidden[:, 0], users, chosen, unknown=unknown),
                excluded=self._excluded(at, chosen),
            )
        return self._spread(found, k, strategy.diversity) if strategy.diversity else found

    def _begin(self, prompts: Sequence[EncodedPrompt], *, own: bool) -> tuple[WalkState, Tensor]:
        """Encode prompts; ``own`` says that all are those of histories, which share their head."""
        batch = PromptBatch.from_prompts(prompts).to(self.scorer.backbone.device)
        return begin(self.scorer, batch, self._shared_prefix() if own else None)

    def _excluded(self, users: list[int], chosen: Selection) -> Excluded | None:
        denied = [chosen.denied[user] for user in users]
        allowed = [chosen.allowed[user] for user in users]
        masks = [chosen.masks[user] for user in users]
        if not any(map(len, denied)) and all(one is None for one in (*allowed, *masks)):
            return None
        return Excluded(self.scorer.trie, denied, allowed=allowed, masks=masks)

    def _spread(self, found: Found, k: int, diversity: float) -> Found:
        items, scores = np.full((len(found.items), k), -1), np.full((len(found.items), k), -np.inf)
        for user, (own, score) in enumerate(zip(found.items, found.scores, strict=True)):
            picked = most_marginal(self.scorer.trie, own, score, k=k, diversity=diversity)
            items[user, : len(picked)], scores[user, : len(picked)] = own[picked], score[picked]
        return Found(items, scores)

    def _shared_prefix(self) -> Prefix | None:
        """The head, encoded once for a model: all but its last position."""
        backbone = self.scorer.backbone
        if self._prefix[0] != backbone.version:
            prefix = None
            if len(self.head) > 1:
                prompts = PromptBatch.from_prompts([self.head]).to(backbone.device)
                with torch.inference_mode():
                    state, _ = backbone.begin(prompts)
                    encoded = backbone.remember(self.head, state)
                    prefix = None if encoded is None else encoded.shared(self.head)
            self._prefix = (backbone.version, prefix)
        return self._prefix[1]

    def _batches(
        self, histories: Histories, strategies: Sequence[Strategy] | None = None
    ) -> Iterator[IntArray]:
        """Histories of one strategy and of like length side by side, so that little is padded.

        Those that hold nothing are among themselves.
        """
        kinds = list(dict.fromkeys(strategies or ()))
        kind = np.array([kinds.index(one) for one in strategies or ()], dtype=np.int64)
        if strategies is None:
            kind = np.zeros(len(histories), dtype=np.int64)
        kind = 2 * kind + (histories.lengths == 0)
        order = np.lexsort([np.minimum(histories.lengths, self.history), kind])
        for same in np.split(order, np.flatnonzero(np.diff(kind[order])) + 1):
            for start in range(0, len(same), BATCH):
                yield same[start : start + BATCH]


def _distinct(prompts: Sequence[EncodedPrompt]) -> tuple[list[EncodedPrompt], IntArray]:
    """The prompts that differ, and which of them each one is."""
    numbers: dict[bytes, int] = {}
    same = [numbers.setdefault(prompt.tobytes(), len(numbers)) for prompt in prompts]
    _, first = np.unique(same, return_index=True)
    return [prompts[at] for at in first.tolist()], np.array(same, dtype=np.int64)


def _seeds(histories: Histories, seed: int) -> NDArray[np.uint64]:
    """A seed for each history, a function of ``seed`` and its items alone."""
    key = seed.to_bytes(8, "little", signed=True)
    items = np.asarray(histories.items, dtype=np.int64)
    digests = [
        blake2b(items[histories.slice(user)].tobytes(), key=key, digest_size=8).digest()
        for user in range(len(histories))
    ]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)
