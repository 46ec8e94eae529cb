"""Items as vectors of a sentence encoder, for texts that say more than their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from p5rec.errors import SemanticIDError
from p5rec.progress import quiet_transformers

Floats = npt.NDArray[np.float32]


def encode_sentences(encoder: str, texts: Sequence[str]) -> Floats:
    """Vectors of texts by a sentence-transformers model: float32[n, d], rows of length 1.

    A text of nothing gets zeros. Each distinct text is read once, in an order of its own, so that
    the vectors do not depend on that of the rows.

    :param encoder: a hub name or a local folder.
    :raises SemanticIDError: if the library is missing, or there is no such model.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise SemanticIDError(
            f"the encoder {encoder!r} needs sentence-transformers, which is not installed. Install "
            "it with pip install 'p5rec[sentences]', or leave encoder out."
        ) from error
    try:
        with quiet_transformers():
            model = SentenceTransformer(encoder)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise SemanticIDError(
            f"the encoder {encoder!r} cannot be loaded: {reason}. Give the hub name or the folder "
            "of a sentence-transformers model."
        ) from error
    distinct = sorted(set(texts))
    vectors = np.asarray(
        model.encode(distinct, normalize_embeddings=True, show_progress_bar=False),
        dtype=np.float32,
    )
    place = {text: number for number, text in enumerate(distinct)}
    found: Floats = vectors[[place[text] for text in texts]]
    found[[not text for text in texts]] = 0
    return found
