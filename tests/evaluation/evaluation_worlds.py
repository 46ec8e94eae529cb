"""Small histories for the tests of this folder, and how hypothesis draws them."""

import numpy as np
import pytest
from hypothesis import strategies as st

from p5rec.data.events import Histories
from p5rec.evaluation.sasrec import SASRec

N_ITEMS = 12


def make_histories(*items, names=None):
    """Histories from one list of catalogue rows a user."""
    lengths = [len(row) for row in items]
    return Histories(
        user_ids=tuple(names or (f"u{user}" for user in range(len(items)))),
        offsets=np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64),
        items=np.array([item for row in items for item in row], dtype=np.int64),
        days=None,
        sessions=np.array([at for length in lengths for at in range(length)], dtype=np.int64),
    )


def chains(users=60, length=6, n_items=N_ITEMS):
    """Whoever had item i has item i + 1 next."""
    return make_histories(
        *([(user + step) % n_items for step in range(length)] for user in range(users))
    )


def small_sasrec(**settings):
    """SASRec for :func:`chains`; the test is skipped where RecTools is missing."""
    pytest.importorskip("rectools", reason="RecTools is not installed")
    small = {"width": 16, "dropout": 0.0, "epochs": 40, "loss": "softmax", "batch": 16}
    return SASRec(**{**small, "learning_rate": 1e-2, **settings})


def item_lists(n_items=N_ITEMS):
    return st.lists(st.integers(0, n_items - 1), max_size=20)


def all_histories(*, min_users=1):
    return st.lists(item_lists(), min_size=min_users, max_size=6).map(
        lambda rows: make_histories(*rows)
    )


@st.composite
def rankings(draw, *, n_items=N_ITEMS, width=10):
    """(ranked, targets): lists without repeats, some shorter than the width, targets not empty."""
    users = draw(st.integers(1, 5))
    ranked = np.full((users, width), -1, dtype=np.int64)
    targets = []
    for user in range(users):
        items = draw(st.lists(st.integers(0, n_items - 1), unique=True, max_size=width))
        ranked[user, : len(items)] = items
        wanted = draw(st.sets(st.integers(0, n_items - 1), min_size=1))
        targets.append(np.array(sorted(wanted), dtype=np.int64))
    return ranked, targets
