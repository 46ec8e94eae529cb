"""Brands that are spelt at different lengths: which names belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from p5rec.ids.words import comparable

_WORD = re.compile(r"[^\W_]+")
# A shorter beginning ("La", "New") is shared by brands that have nothing to do with each other.
_LEAST_LETTERS = 4


def brand_families(labels: Sequence[str]) -> npt.NDArray[np.int64]:
    """For each label, the shortest label that it begins with, as a number: int64[n].

    >>> brand_families(["Lux", "L'OREAL PARIS", "L'Oreal", "Luxor", "L'Oreal Paris Kids"]).tolist()
    [0, 2, 2, 3, 2]
    """
    names = [tuple(_WORD.findall(comparable(label))) for label in labels]
    place = {name: number for number, name in reversed(list(enumerate(names)))}
    families = np.arange(len(labels))
    for number, name in enumerate(names):
        for length in range(1, len(name)):
            head = name[:length]
            if head in place and len("".join(head)) >= _LEAST_LETTERS:
                families[number] = place[head]
                break
    return families
