"""A model whose catalogue changes: items come, go and come back, and nothing is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from p5rec.data.catalogue import Catalogue
from p5rec.data.item_counts import ItemCounts
from p5rec.decoding.alike_words import ItemWords
from p5rec.decoding.assembled import AssembledModel
from p5rec.decoding.cold_items import lend
from p5rec.decoding.companions import Companions
from p5rec.decoding.filter_columns import rows_of
from p5rec.decoding.history_index import LATER
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.decoding.storage import copy_weights, pristine_base
from p5rec.decoding.trie import Trie
from p5rec.errors import RequestError
from p5rec.ids.placing import place_items
from p5rec.model.token_table import TokenTable


def grow(
    model: AssembledModel, items: Catalogue, *, vectors: NDArray[np.float32] | None = None
) -> AssembledModel:
    """A model over a catalogue with more items; the one given stays as it is.

    Items that were there keep their rows, paths and learned weights, and whether they are retired.
    New items come after them. A code that is new starts at the mean of its siblings' learned
    vectors, as far from it as its text is from theirs; the history prior takes a new item for one
    that nobody has chosen.

    :param vectors: of the new items, where the semantic IDs were made from the caller's vectors.
    :raises RequestError: if an item is in the catalogue already, or a column has another type.
    :raises SemanticIDError: if the semantic IDs cannot grow.
    """
    grown = _joined(model.catalogue, items)
    ids = place_items(model.ids, model.catalogue, grown, vectors=vectors)
    known, old = len(model.catalogue), model.scorer
    trie = old.trie.with_items(ids.codes[known:])
    companions = None if old.prior is None else old.prior.companions
    if companions is not None:
        companions = _with_newcomers(companions, grown)
    made = AssembledModel.build(
        model.recipe,
        grown,
        ids,
        model.templates,
        pristine_base(model.recipe, model.base.tokenizer),
        counts=ItemCounts.none(len(grown)),
        companions=companions,
        seed=0,
        trie=trie,
    )
    made.wording = model.wording
    copy_weights(model, made)
    table = made.scorer.backbone.table
    with torch.no_grad():
        rows = _grown_rows(
            _item_rows(old.backbone.table, model.ids.sizes),
            _item_rows(table, ids.sizes),
            trie,
            known,
        )
        _set_rows(table, old.backbone.table.text_rows(), torch.cat(rows))
        if old.prior is not None and made.scorer.prior is not None:
            _grow_prior(old.prior, made.scorer.prior, old.trie, trie)
    made.scorer.eval()
    return made


def retire(model: AssembledModel, item_ids: Sequence[str]) -> None:
    """Never return some items from now on; they keep their rows, paths and weights.

    :raises RequestError: if one is not in the catalogue.
    """
    model.scorer.trie = model.scorer.trie.without_items(rows_of(model.catalogue, item_ids))


def restore(model: AssembledModel, item_ids: Sequence[str]) -> None:
    """Let retired items be returned again.

    :raises RequestError: if one is not in the catalogue.
    """
    model.scorer.trie = model.scorer.trie.with_restored(rows_of(model.catalogue, item_ids))


def _joined(catalogue: Catalogue, items: Catalogue) -> Catalogue:
    taken = catalogue.rows_of(items.item_ids) >= 0
    there = [item for item, known in zip(items.item_ids, taken, strict=True) if known]
    if there:
        shown = ", ".join(map(repr, there[:3])) + (" …" if len(there) > 3 else "")
        raise RequestError(
            f"{len(there)} of the new items are in the catalogue already: {shown}. Leave them out; "
            "restore_items brings retired items back."
        )
    try:
        table = pa.concat_tables([catalogue.table, items.table], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise RequestError(
            f"the new items do not fit the catalogue: {error}. Give each column the type that it "
            "has in the catalogue."
        ) from error
    return Catalogue(table.combine_chunks(), (*catalogue.notes, *items.notes))


def _with_newcomers(companions: Companions, grown: Catalogue) -> Companions:
    """With items that nobody has chosen yet, the last of a catalogue."""
    known = len(companions.lent)
    new = np.arange(known, len(grown))
    offsets = np.append(companions.offsets, np.full(len(new), companions.offsets[-1]))
    cold = np.append(companions.lent, np.ones(len(new), dtype=bool))
    alike = ItemWords(grown).nearest(np.flatnonzero(cold))
    return lend(replace(companions, offsets=offsets, lent=cold), alike, cold)


def _item_rows(table: TokenTable, sizes: Sequence[int]) -> list[Tensor]:
    """The rows of item tokens, level by level, on the CPU."""
    items = table.weight[table.base_size :] if table.items is None else table.items
    return list(torch.split(items.detach().cpu(), list(sizes)))


def _grown_rows(
    learned: Sequence[Tensor], started: Sequence[Tensor], trie: Trie, known: int
) -> list[Tensor]:
    """The rows of all codes, level by level.

    :param learned: rows of the codes that were there, ``float[n, d]`` a level.
    :param started: rows of all codes as their text gives them.
    :param known: how many items were there.
    """
    leaves = trie.leaf_of_item[known:]
    found = []
    for level, (old, start) in enumerate(zip(learned, started, strict=True)):
        rows = torch.cat([old, start[len(old) :]])
        parents = trie.nodes_above(level, leaves)
        codes = trie.code[level][trie.nodes_above(level + 1, leaves)]
        new, first = np.unique(codes, return_index=True)
        for code, item in zip(new.tolist(), first.tolist(), strict=True):
            if code < len(old):
                continue
            begin, end = trie.child_start[level][parents[item] : parents[item] + 2].tolist()
            siblings = trie.code[level][begin:end]
            beside = torch.from_numpy(siblings[siblings < len(old)].astype(np.int64))
            if not len(beside):
                beside = torch.arange(len(old))
            rows[code] = old[beside].mean(0) + start[code] - start[beside].mean(0)
        found.append(rows)
    return found


def _set_rows(table: TokenTable, text: Tensor, items: Tensor) -> None:
    if table.items is not None:
        table.items.copy_(items)
        return
    table.weight[: table.base_size] = text
    table.weight[table.base_size :] = items


def _grow_prior(old: HistoryPrior, new: HistoryPrior, before: Trie, trie: Trie) -> None:
    """What the prior knows of items that were there; the others are like the least chosen."""
    known = before.n_items
    of_leaf = old.get_buffer(f"log_share_{before.depth}").exp().cpu().numpy()
    share = of_leaf.astype(np.float64)[before.leaf_of_item]
    shares = np.append(share, np.full(trie.n_items - known, share.min()))[trie.item_of_leaf]
    under = np.append(0, np.cumsum(shares))
    for depth in range(1, trie.depth + 1):
        of_nodes = np.log(np.diff(under[trie.leaf_start[depth]])).astype(np.float32)
        new.get_buffer(f"log_share_{depth}").copy_(torch.from_numpy(of_nodes))
    for one, other in ((old.again, new.again), (old.near, new.near)):
        if one is not None and other is not None:
            chosen = one.of_item[:, LATER.index("events")]
            other.of_item[:known] = one.of_item
            other.of_item[known:] = one.of_item[chosen.argmin()]
