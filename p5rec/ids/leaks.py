"""Whether what is held out reaches the semantic IDs: it is shuffled, and they must stay."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from p5rec.data.events import Events
from p5rec.ids.semantic_ids import SemanticIDs


def leaks(
    fit: Callable[[Events], SemanticIDs],
    train: Events,
    held_out: Events,
    *,
    ids: SemanticIDs | None = None,
    seed: int = 0,
) -> bool:
    """Whether IDs change when the items of held-out events change places among themselves.

    :param fit: makes IDs of all events of a log, the held-out ones included: it splits by itself.
    :param ids: what ``fit`` makes of the log as it is, if that is known already.
    """
    every = pa.concat_tables([train.table, held_out.table])
    kept = np.arange(len(train))
    moved = len(kept) + np.random.default_rng(seed).permutation(len(every) - len(kept))
    items = every["item_id"].take(pa.array(np.concatenate([kept, moved])))
    column = every.column_names.index("item_id")
    shuffled = every.set_column(column, "item_id", items)
    before = ids or fit(Events.from_table(every))
    after = fit(Events.from_table(shuffled))
    return not (
        before.levels == after.levels
        and before.labels == after.labels
        and np.array_equal(before.codes, after.codes)
    )
