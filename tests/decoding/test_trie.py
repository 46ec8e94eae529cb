"""The trie against nested dictionaries."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_worlds import catalogues, semantic_ids

from p5rec.decoding.trie import Trie


def nested(ids):
    """The oracle: a dictionary of dictionaries, items at the bottom."""
    root = {}
    for row, path in enumerate(ids.codes.tolist()):
        node = root
        for code in path[:-1]:
            node = node.setdefault(code, {})
        assert path[-1] not in node
        node[path[-1]] = row
    return root


def rows_under(node):
    if not isinstance(node, dict):
        return [node]
    return [row for code in sorted(node) for row in rows_under(node[code])]


def levels(root, depth):
    """The nodes of each depth in the order of their codes, and the code that leads to each."""
    found = [[(None, root)]]
    for _ in range(depth):
        found.append([(code, parent[code]) for _, parent in found[-1] for code in sorted(parent)])
    return found


@given(catalogues())
def test_every_array_says_what_nested_dictionaries_say(ids):
    trie, oracle = Trie.from_semantic_ids(ids), levels(nested(ids), ids.depth)

    assert (trie.depth, trie.n_items) == (ids.depth, len(ids))
    assert trie.item_of_leaf.tolist() == [row for _, row in oracle[-1]]
    assert trie.item_of_leaf[trie.leaf_of_item].tolist() == list(range(len(ids)))
    for depth, nodes in enumerate(oracle):
        assert trie.n_nodes(depth) == len(nodes)
        under = [rows_under(node) for _, node in nodes]
        starts = trie.leaf_start[depth]
        assert [trie.item_of_leaf[low:high].tolist() for low, high in pairwise(starts)] == under
        if depth:
            assert trie.code[depth - 1].tolist() == [code for code, _ in nodes]
        if depth < ids.depth:
            children = [len(node) for _, node in nodes]
            assert np.diff(trie.child_start[depth]).tolist() == children
            assert trie.widths[depth] == max(children)


@given(catalogues(max_items=60))
def test_the_nodes_on_the_way_to_an_item_spell_its_codes(ids):
    trie = Trie.from_semantic_ids(ids)
    nodes = trie.nodes_of_items()

    assert (nodes[:, 0] == 0).all()
    for level in range(ids.depth):
        assert trie.code[level][nodes[:, level + 1]].tolist() == ids.codes[:, level].tolist()
        parents, starts = nodes[:, level], trie.child_start[level]
        assert (starts[parents] <= nodes[:, level + 1]).all()
        assert (nodes[:, level + 1] < starts[parents + 1]).all()
    assert nodes[:, -1].tolist() == trie.leaf_of_item.tolist()


@given(catalogues(max_items=60), st.randoms(use_true_random=False))
def test_the_order_of_rows_renames_items_and_nothing_else(ids, random):
    order = list(range(len(ids)))
    random.shuffle(order)
    trie = Trie.from_semantic_ids(ids)
    shuffled = Trie.from_semantic_ids(semantic_ids(ids.codes[order]))

    for name in ("child_start", "leaf_start", "code"):
        for one, other in zip(getattr(trie, name), getattr(shuffled, name), strict=True):
            assert one.tolist() == other.tolist()
    assert np.array(order)[shuffled.item_of_leaf].tolist() == trie.item_of_leaf.tolist()


@pytest.mark.parametrize("depth", [1, 3])
def test_a_catalogue_of_one_item_is_a_chain(depth):
    trie = Trie.from_semantic_ids(semantic_ids([[0] * depth]))
    assert trie.widths == (1,) * depth
    assert trie.nodes_of_items().tolist() == [[0] * (depth + 1)]
