import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from p5rec.ids.splitting import split_balanced
from p5rec.ids.text_vectors import fit_text_vectors


@given(
    count=st.integers(1, 120),
    capacity=st.integers(1, 40),
    distinct=st.integers(1, 30),
    slack=st.integers(0, 3),
    seed=st.integers(0, 5),
)
def test_groups_are_never_too_many_nor_too_large(count, capacity, distinct, slack, seed):
    points = np.random.default_rng(seed).normal(size=(distinct, 4)).astype(np.float32)
    most = -(-count // capacity) + slack
    groups = split_balanced(points[np.arange(count) * 7 % distinct], capacity=capacity, most=most)
    sizes = np.bincount(groups)
    assert sizes.min() >= 1
    assert sizes.max() <= capacity
    assert len(sizes) <= most
    _, first = np.unique(groups, return_index=True)
    assert (np.diff(first) > 0).all()


def test_like_things_stay_together():
    near = np.random.default_rng(0).normal(scale=0.05, size=(90, 3))
    cluster = np.arange(90) % 3
    points = (np.eye(3)[cluster] + near).astype(np.float32)
    groups = split_balanced(points, capacity=40, most=3)
    assert (groups == cluster).all()


def test_equal_things_are_cut_by_their_order():
    groups = split_balanced(np.ones((8, 2), np.float32), capacity=4, most=2)
    assert groups.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


def test_vectors_do_not_depend_on_order_or_repetition():
    words = np.array(["oat", "milk", "tofu", "yogurt", "greek", "tea", "green", "rice"])
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(words, 4)) + f" n{i}" for i in range(150)]
    whole = fit_text_vectors(texts, dimensions=8)
    assert whole.vectors.shape == (150, 8)
    order = rng.permutation(150)
    shuffled = fit_text_vectors([texts[i].upper() for i in order] + texts[:9], dimensions=8)
    assert (shuffled.vectors[:150] == whole.vectors[order]).all()
    assert (shuffled.weights[:150] != whole.weights[order]).nnz == 0


def test_words_of_every_script_count_and_texts_without_words_are_zero():
    vectors = fit_text_vectors(["зелёный чай", "чай 茶", "!!!", ""])
    assert {"зелёный", "чай", "茶"} == set(vectors.terms)
    assert not vectors.vectors[2:].any()
    assert np.allclose(np.linalg.norm(vectors.vectors[:2], axis=1), 1)


def test_texts_without_a_single_word():
    vectors = fit_text_vectors(["", "!"])
    assert vectors.terms == ()
    assert vectors.weights.shape == (2, 0)
    assert not vectors.vectors.any()
