"""Item tokens: their numbers, and rows that begin near their words."""

import numpy as np
import pytest
import torch
from hypothesis import given
from tiny_worlds import catalogues, groceries, semantic_ids

from p5rec.model.vocabulary import Vocabulary, rows_from_items, rows_from_text
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.prompting.tokenizing import TextTokenizer


@given(catalogues(max_items=50))
def test_each_code_of_each_level_has_a_token_of_its_own(ids):
    vocabulary = Vocabulary.from_semantic_ids(77, ids)
    tokens = [
        token
        for level, size in enumerate(ids.sizes)
        for token in vocabulary.token_ids(level, np.arange(size)).tolist()
    ]
    assert tokens == list(range(77, vocabulary.size))
    assert vocabulary.n_item_tokens == sum(ids.sizes)
    paths = vocabulary.item_tokens(ids)
    assert paths.shape == ids.codes.shape
    assert len(np.unique(paths, axis=0)) == len(ids)


LABELS = (
    ("whole milk", "oat milk", "goat milk", "rye bread", "white bread", "green tea"),
    ("", "whole milk"),
)


@pytest.fixture(scope="module")
def tokenizer():
    return TextTokenizer(train_tokenizer(groceries().texts * 3, kind="t5", vocab_size=512))


@pytest.fixture(scope="module")
def embedding(tokenizer):
    generator = torch.Generator().manual_seed(0)
    return 0.02 * torch.randn(tokenizer.size, 64, generator=generator) + 0.001


@pytest.fixture(scope="module")
def rows(embedding, tokenizer):
    return rows_from_text(embedding, LABELS, tokenizer, seed=0)


def likeness(rows, one, other):
    return float(torch.cosine_similarity(rows[one], rows[other], dim=0))


def test_labels_that_share_words_begin_closer_than_others(rows):
    milks, bread, tea = (0, 1, 2), 3, 5
    for one in milks:
        for other in milks:
            for far in (bread, tea):
                assert likeness(rows, one, other) > likeness(rows, one, far)
    assert likeness(rows, 3, 4) > likeness(rows, 3, 0)


def test_rows_are_as_long_as_those_of_the_base(rows, embedding):
    usual = float(embedding.norm(dim=1).median())
    assert rows.shape == (8, 64)
    assert rows.norm(dim=1).numpy() == pytest.approx(usual, rel=0.05)


def test_equal_labels_begin_alike_but_not_equal(rows):
    assert likeness(rows, 0, 7) > 0.99
    assert not torch.equal(rows[0], rows[7])


def test_a_label_without_words_begins_at_the_mean(rows, embedding):
    mean = embedding.mean(0)
    assert float(torch.cosine_similarity(rows[6], mean, dim=0)) > 0.99


def test_rows_are_a_function_of_the_seed(rows, embedding, tokenizer):
    assert torch.equal(rows, rows_from_text(embedding, LABELS, tokenizer, seed=0))
    assert not torch.equal(rows, rows_from_text(embedding, LABELS, tokenizer, seed=1))


def test_labels_of_numbers_alone_give_finite_rows(embedding, tokenizer):
    ids = semantic_ids([[0, 0], [0, 1], [1, 0]])
    assert torch.isfinite(rows_from_text(embedding, ids.labels, tokenizer, seed=0)).all()


def test_a_token_starts_at_the_weighted_mean_of_its_items():
    """Two levels of two and four codes; no item has the last one."""
    vectors = np.float32([[1, 0], [0, 1], [-1, 0]])
    tokens = np.array([[0, 2], [0, 3], [1, 4]])
    rows = rows_from_items(vectors, np.array([2, 0, 5]), tokens, n_tokens=6)
    leaning = np.array([3, 1]) / np.sqrt(10)
    expected = [leaning, [-1, 0], [1, 0], [0, 1], [-1, 0], [0, 0]]
    assert rows.numpy() == pytest.approx(np.array(expected))
