"""SASRec (Kang and McAuley, 2018) with the network of RecTools: the rival that needs learning.

RecTools' own loop pads every history to the full length, scores the padding too and stops after
a number of epochs. The loop here trains the same network on the same objective (each position
foretells the next item) several times as fast, stops by the clock and keeps the weights that
validate best: what is compared is accuracy at equal time, so the rival gets the faster loop.
"""

from __future__ import annotations

import time
import warnings
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from p5rec.evaluation.metrics import evaluate_ranking
from p5rec.evaluation.scored import Arrays, Floats, ScoringModel, needs_extra

if TYPE_CHECKING:
    from collections.abc import Iterator

    from p5rec.data.events import Histories
    from p5rec.data.splits import Cases

Loss = Literal["softmax", "sampled"]

POSITIONS = 8192
"""Positions of a batch, padding counted."""
PAD = 0


class SASRec(ScoringModel):
    """A causal transformer over item embeddings.

    :param width: of the embeddings; ``blocks`` and ``heads`` of the transformer.
    :param loss: softmax over all items, or over the target and ``negatives`` drawn for the batch.
    :param history: at most so many of the newest events count.
    :param minutes: training stops after so many, or after ``epochs``.
    :param patience: training stops after so many validations without a better one.
    """

    kind = "sasrec"

    def __init__(
        self,
        width: int = 64,
        blocks: int = 1,
        heads: int = 1,
        dropout: float = 0.2,
        loss: Loss = "sampled",
        negatives: int = 1024,
        learning_rate: float = 1e-3,
        users: int = 128,
        history: int = 50,
        epochs: int = 200,
        minutes: float | None = None,
        patience: int = 8,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._settings: dict[str, Any] = {
            "width": width,
            "blocks": blocks,
            "heads": heads,
            "dropout": dropout,
            "loss": loss,
            "negatives": negatives,
            "learning_rate": learning_rate,
            "users": users,
            "history": history,
            "epochs": epochs,
            "minutes": minutes,
            "patience": patience,
            "seed": seed,
        }
        self.validation: Cases | None = None
        self.curve: list[dict[str, float]] = []
        self._network: Any = None

    @property
    def settings(self) -> dict[str, Any]:
        """The keywords that the model was made with."""
        return dict(self._settings)

    @property
    def best(self) -> float:
        """The best validation ndcg@10 of training; 0 where nothing was validated."""
        return max((point["ndcg@10"] for point in self.curve), default=0.0)

    def _fit(self, histories: Histories, n_items: int) -> None:
        chosen = self._settings
        torch.manual_seed(chosen["seed"])
        rng = np.random.default_rng(chosen["seed"])
        self._network = _network(n_items, chosen)
        for weights in self._network.parameters():
            if weights.dim() > 1:
                torch.nn.init.xavier_normal_(weights)
        optimizer = torch.optim.Adam(
            self._network.parameters(), lr=chosen["learning_rate"], betas=(0.9, 0.98)
        )
        begun, self.curve = time.monotonic(), []
        kept, worse = _copied(self._network), 0
        rows = _newest(histories, chosen["history"] + 1)
        for epoch in range(chosen["epochs"]):
            for batch in _batches(rows, chosen["users"], rng):
                self._step(batch, n_items, optimizer)
                if self._out_of_time(begun):
                    break
            if self.validation is None:
                kept = _copied(self._network)
            else:
                better = self._validate(epoch, time.monotonic() - begun)
                worse = 0 if better else worse + 1
                kept = _copied(self._network) if better else kept
            if self._out_of_time(begun) or worse >= chosen["patience"]:
                break
        self._network.load_state_dict(kept)
        self._network.eval()

    def _out_of_time(self, begun: float) -> bool:
        minutes = self._settings["minutes"]
        return minutes is not None and time.monotonic() - begun > 60 * minutes

    def _step(self, rows: list[np.ndarray], n_items: int, optimizer: torch.optim.Adam) -> None:
        """One batch of histories: every event foretells the next."""
        self._network.train()
        seen = _padded([row[:-1] for row in rows])
        wanted = _padded([row[1:] for row in rows])
        table = self._network.item_model.get_all_embeddings()
        hidden = self._network.encode_sessions({"x": seen}, table)
        there = wanted != PAD
        loss = self._loss(hidden[there], wanted[there], table, n_items)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def _loss(self, hidden: Tensor, wanted: Tensor, table: Tensor, n_items: int) -> Tensor:
        if self._settings["loss"] == "softmax":
            return F.cross_entropy(hidden @ table[1:].T, wanted - 1)
        drawn = torch.randint(1, n_items + 1, (self._settings["negatives"],))
        others = hidden @ table[drawn].T
        others = others.masked_fill(drawn[None] == wanted[:, None], -torch.inf)
        target = (hidden * table[wanted]).sum(1, keepdim=True)
        logits = torch.cat([target, others], dim=1)
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.int64))

    def _validate(self, epoch: int, seconds: float) -> bool:
        assert self.validation is not None
        self._network.eval()
        ranked = self.rank(self.validation.histories, k=10)
        figure = float(
            evaluate_ranking(ranked, self.validation.targets, ks=(10,))["ndcg@10"].mean()
        )
        better = figure > self.best
        self.curve.append({"epoch": epoch + 1, "seconds": round(seconds, 1), "ndcg@10": figure})
        return better

    @torch.inference_mode()
    def _scores(self, histories: Histories) -> Floats:
        scores = np.zeros((len(histories), len(self._place)), dtype=np.float32)
        told = np.flatnonzero(histories.lengths)
        rows = _newest(histories.take(told), self._settings["history"])
        if rows:
            table = self._network.item_model.get_all_embeddings()
            hidden = self._network.encode_sessions({"x": _padded(rows)}, table)[:, -1]
            scores[told] = (hidden @ table[1:].T).numpy()
        return scores

    def _learnt(self) -> Arrays:
        return {name: weights.numpy() for name, weights in self._network.state_dict().items()}

    def _restore(self, arrays: Arrays) -> None:
        self._network = _network(len(self._place), self._settings)
        self._network.load_state_dict({name: torch.tensor(a) for name, a in arrays.items()})
        self._network.eval()


def _network(n_items: int, chosen: dict[str, Any]) -> Any:  # noqa: ANN401 (RecTools' own)
    """RecTools' SASRec; row 0 of the embeddings is the padding, item ``i`` has row ``i + 1``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from rectools.models.nn.item_net import IdEmbeddingsItemNet, SumOfEmbeddingsConstructor
            from rectools.models.nn.transformers.net_blocks import (
                LearnableInversePositionalEncoding,
            )
            from rectools.models.nn.transformers.sasrec import SASRecTransformerLayers
            from rectools.models.nn.transformers.similarity import DistanceSimilarityModule
            from rectools.models.nn.transformers.torch_backbone import TransformerTorchBackbone
        except ImportError as error:
            raise needs_extra("rectools", SASRec.kind) from error
    width, dropout, heads = chosen["width"], chosen["dropout"], chosen["heads"]
    ids = IdEmbeddingsItemNet(n_factors=width, n_items=n_items + 1, dropout_rate=dropout)
    return TransformerTorchBackbone(
        n_heads=heads,
        dropout_rate=dropout,
        item_model=SumOfEmbeddingsConstructor(n_items=n_items + 1, item_net_blocks=[ids]),
        pos_encoding_layer=LearnableInversePositionalEncoding(True, chosen["history"], width),
        transformer_layers=SASRecTransformerLayers(chosen["blocks"], width, heads, dropout),
        similarity_module=DistanceSimilarityModule(),
        use_causal_attn=True,
        use_key_padding_mask=True,
    )


def _newest(histories: Histories, length: int) -> list[np.ndarray]:
    """The newest events of each history as rows of the embeddings."""
    items = np.asarray(histories.items, dtype=np.int64) + 1
    return [items[histories.slice(user)][-length:] for user in range(len(histories))]


def _padded(rows: list[np.ndarray]) -> Tensor:
    """Rows of one length, padded on the left: ``int64[len(rows), longest]``."""
    table = np.full((len(rows), max(map(len, rows))), PAD, dtype=np.int64)
    for place, row in zip(table, rows, strict=True):
        place[len(place) - len(row) :] = row
    return torch.from_numpy(table)


def _batches(
    rows: list[np.ndarray], users: int, rng: np.random.Generator
) -> Iterator[list[np.ndarray]]:
    """Histories of like length side by side, at most ``users``, in another order each epoch."""
    lengths = np.array([len(row) for row in rows])
    order = np.lexsort([rng.random(len(rows)), lengths])
    order = order[lengths[order] > 1]
    cuts, start = [], 0
    while start < len(order):
        stop = min(start + users, len(order))
        while stop - start > 1 and (stop - start) * lengths[order[stop - 1]] > POSITIONS:
            stop -= 1
        cuts.append(order[start:stop])
        start = stop
    for turn in rng.permutation(len(cuts)):
        yield [rows[row] for row in cuts[turn]]


def _copied(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: weights.detach().clone() for name, weights in network.state_dict().items()}
