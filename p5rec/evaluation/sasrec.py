"""SASRec (Kang and McAuley, 2018) with the network of RecTools: the rival that needs learning.

RecTools' own loop pads every history to the full length, scores the padding too and stops after
a number of epochs. The loop here (:mod:`p5rec.evaluation.sasrec_training`) trains the same
network several times as fast, stops by the clock and keeps the weights that validate best: what
is compared is accuracy at equal time, so the rival gets the faster loop.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from p5rec.evaluation.protocol import validation_figure
from p5rec.evaluation.sasrec_training import Examples, Loss, Training
from p5rec.evaluation.scored import Arrays, Floats, ScoringModel, needs_extra
from p5rec.model.dropout import use_cheap_dropout
from p5rec.model.weight_average import Weights

if TYPE_CHECKING:
    from p5rec.data.events import Histories
    from p5rec.data.splits import Cases

INITIAL = 0.02
"""The spread of the first weights. With RecTools' own (Xavier's), positions drown items."""


class SASRec(ScoringModel):
    """A causal transformer over item embeddings.

    :param width: of the embeddings; ``blocks`` and ``heads`` of the transformer.
    :param examples: ``every`` position of a history foretells the next event, or each ``prefix``
        is an example of its own, whose last position alone foretells: slower to go through, but
        more is learnt in the same time.
    :param loss: softmax over all items, or over the target and ``negatives`` drawn for the batch.
    :param batch: at most so many examples in a step.
    :param history: at most so many of the newest events count.
    :param minutes: training stops after so many, or after ``epochs``.
    :param validate_every: seconds from one validation to the next, at least.
    :param patience: training that is to go on later stops after so many validations without a
        better one, if these took ``patience_seconds``.
    """

    kind = "sasrec"

    def __init__(
        self,
        width: int = 64,
        blocks: int = 1,
        heads: int = 1,
        dropout: float = 0.2,
        examples: Examples = "every",
        loss: Loss = "sampled",
        negatives: int = 1024,
        learning_rate: float = 1e-3,
        batch: int = 128,
        history: int = 50,
        epochs: int = 200,
        minutes: float | None = None,
        validate_every: float = 20.0,
        patience: int = 8,
        patience_seconds: float = 240.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self._settings: dict[str, Any] = {
            "width": width,
            "blocks": blocks,
            "heads": heads,
            "dropout": dropout,
            "examples": examples,
            "loss": loss,
            "negatives": negatives,
            "learning_rate": learning_rate,
            "batch": batch,
            "history": history,
            "epochs": epochs,
            "minutes": minutes,
            "validate_every": validate_every,
            "patience": patience,
            "patience_seconds": patience_seconds,
            "seed": seed,
        }
        self.validation: Cases | None = None
        self._network: Any = None
        self._training: Training | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The keywords that the model was made with."""
        return dict(self._settings)

    @property
    def curve(self) -> list[dict[str, float]]:
        """Each validation: epochs and seconds of training until then, and ndcg@10."""
        return [] if self._training is None else self._training.curve

    @property
    def best(self) -> float:
        """The best validation ndcg@10 of training; 0 where nothing was validated."""
        return 0.0 if self._training is None else self._training.best

    def begin(self, histories: Histories, n_items: int) -> None:
        """Get ready to learn from the training histories, with :meth:`go_on`.

        :raises RequestError: as :meth:`fit` does.
        """
        super(ScoringModel, self).fit(histories, n_items)
        chosen = self._settings
        torch.manual_seed(chosen["seed"])
        learner = _network(n_items, chosen)
        for weights in learner.parameters():
            if weights.dim() > 1:
                torch.nn.init.normal_(weights, std=INITIAL)
        self._network = _network(n_items, chosen).eval()
        self._training = Training(
            learner,
            histories,
            n_items,
            settings=chosen,
            source=use_cheap_dropout(learner),
            validate=None if self.validation is None else self._figure_of,
        )

    def go_on(self, minutes: float | None, *, last: bool) -> None:
        """Train for so many minutes more; the weights that validated best so far rank.

        :param last: training ends with this, so that the learning rate falls to nothing.
        """
        assert self._training is not None, "begin(...) comes first"
        self._training.go_on(minutes, last=last)
        self._network.load_state_dict(self._training.kept)

    def _fit(self, histories: Histories, n_items: int) -> None:
        self.begin(histories, n_items)
        self.go_on(self._settings["minutes"], last=True)

    def _figure_of(self, weights: Weights) -> float:
        assert self.validation is not None
        self._network.load_state_dict(weights)
        return validation_figure(self, self.validation)

    @torch.inference_mode()
    def _scores(self, histories: Histories) -> Floats:
        scores = np.zeros((len(histories), len(self._place)), dtype=np.float32)
        lengths = np.minimum(histories.lengths, self._settings["history"])
        ends = np.asarray(histories.offsets[1:], dtype=np.int64)
        rows = np.asarray(histories.items, dtype=np.int64) + 1
        table = self._network.item_model.get_all_embeddings()
        for length in np.unique(lengths[lengths > 0]):
            users = np.flatnonzero(lengths == length)
            seen = torch.from_numpy(rows[ends[users][:, None] - np.arange(length, 0, -1)])
            hidden = self._network.encode_sessions({"x": seen}, table)[:, -1]
            scores[users] = (hidden @ table[1:].T).numpy()
        return scores

    def _learnt(self) -> Arrays:
        return {name: weights.numpy() for name, weights in self._network.state_dict().items()}

    def _restore(self, arrays: Arrays) -> None:
        self._network = _network(len(self._place), self._settings).eval()
        self._network.load_state_dict({name: torch.tensor(a) for name, a in arrays.items()})


def _network(n_items: int, chosen: dict[str, Any]) -> Any:  # noqa: ANN401 (RecTools' own)
    """RecTools' SASRec; item ``i`` has row ``i + 1`` of the embeddings, row 0 is never used."""
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
        pos_encoding_layer=LearnableInversePositionalEncoding(
            True, chosen["history"], width, use_scale_factor=True
        ),
        transformer_layers=SASRecTransformerLayers(chosen["blocks"], width, heads, dropout),
        similarity_module=DistanceSimilarityModule(),
        use_causal_attn=True,
        use_key_padding_mask=False,
    )
