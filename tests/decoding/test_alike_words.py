"""What items' words say of how near they are."""

import numpy as np
import pytest
from test_changing_catalogue import NEW
from test_cold_items import made_of, table_of
from tiny_worlds import groceries

from p5rec.data.catalogue import Catalogue
from p5rec.decoding.alike_words import ItemWords, with_alike_words
from p5rec.decoding.companions import CrossFitted


def test_items_are_alike_by_the_words_that_they_share():
    alike = ItemWords(groceries()).nearest(np.array([1, 6])).toarray()
    assert alike[1].argmax() in (3, 5, 0, 2)
    assert alike[1, 2] > alike[1, 6] > 0
    assert alike[1, 1] == alike[6, 6] == 0
    assert not alike[[0, 2, 3, 4, 5]].any()


def test_items_without_words_are_like_nothing():
    alike = ItemWords(Catalogue.from_table(NEW.select(["item_id"]))).nearest(np.arange(3))
    assert alike.nnz == 0


def test_pairs_know_their_words_and_neighbours_in_words_join():
    catalogue = groceries()
    companions = made_of(12, {(0, 1): 0.4, (0, 6): 0.2, (3, 1): 0.1})
    fitted = CrossFitted(companions, (companions,), np.zeros(1, dtype=np.int64))
    words = ItemWords(catalogue)
    nearest = words.nearest(np.arange(12))
    found, alike = with_alike_words(fitted, words, nearest), nearest.toarray()
    pairs = table_of(found.everyone)
    assert table_of(found.without[0]) == pairs
    for (first, second), values in pairs.items():
        assert values["alike words"] == pytest.approx(alike[first, second], abs=1e-6)
    assert pairs[0, 1]["next"] == pytest.approx(0.4)
    assert pairs[0, 2]["next"] == 0 < pairs[0, 2]["alike words"], "whole milk and goat milk"
    assert {first for first, _ in pairs} == {0, 3}, "the lonely inherit, they are not given words"
    assert set(pairs) >= {(0, second) for second in np.flatnonzero(alike[0])}
