"""From a catalogue and a scheme to semantic IDs: the one way in for all kinds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Histories
from p5rec.ids.attributes import check_items, fit_attribute_ids
from p5rec.ids.columns import default_levels
from p5rec.ids.learned import fit_hybrid_ids
from p5rec.ids.placing import place_items
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.ids.vectors import fit_item_vectors


def fit_semantic_ids(
    catalogue: Catalogue,
    scheme: Scheme,
    *,
    histories: Histories | None = None,
    vectors: npt.NDArray[np.float32] | None = None,
    keep: tuple[SemanticIDs, Catalogue] | None = None,
    seed: int = 0,
) -> SemanticIDs:
    """Give each item of a catalogue a path, in the way that a scheme says.

    :param histories: the training events, for vectors of what is chosen together; without them
        vectors come from text alone. Held-out events must not be among them.
    :param vectors: a vector an item, float32[N, d], in the catalogue's order, that learned levels
        use in place of those of the words, or of the scheme's encoder.
    :param keep: semantic IDs to keep, and their catalogue: items that they know keep their paths,
        the others are placed beside them, and the scheme and the events are not looked at.
    :raises SemanticIDError: if the scheme and the catalogue do not fit together.
    """
    check_items(catalogue)
    if keep is not None:
        return place_items(*keep, catalogue, vectors=vectors)
    levels = scheme.levels or tuple(default_levels(catalogue))
    if scheme.kind == "hybrid" and not scheme.levels:
        # Clusters need items to gather: one coarse level above them is enough.
        levels = levels[:1]
    if scheme.kind == "attributes":
        return fit_attribute_ids(
            catalogue,
            levels=levels,
            leaves=scheme.leaves,
            max_width=scheme.max_width,
            seed=seed,
        )
    items = fit_item_vectors(
        catalogue,
        scheme.vectors,
        histories=histories,
        vectors=vectors,
        sentences=scheme.encoder,
        seed=seed,
    )
    return fit_hybrid_ids(
        items,
        catalogue,
        levels=() if scheme.kind == "residual" else levels,
        widths=scheme.widths,
        leaves=scheme.leaves,
        max_width=scheme.max_width,
        seed=seed,
    )
