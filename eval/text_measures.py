"""Measures of texts: likeness to references, variety, and how many features of items they name."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from p5rec.language.words import words


def likeness(texts: Sequence[str], references: Sequence[str]) -> dict[str, float]:
    """ROUGE-1, -2 and -L (F1) and BLEU-4."""
    import sacrebleu
    from rouge_score.rouge_scorer import RougeScorer

    kinds = ("rouge1", "rouge2", "rougeL")
    scorer = RougeScorer(list(kinds))
    scores = [scorer.score(*pair) for pair in zip(references, texts, strict=True)]
    rouge = {kind: float(np.mean([one[kind].fmeasure for one in scores])) for kind in kinds}
    return {**rouge, "bleu4": sacrebleu.corpus_bleu(list(texts), [list(references)]).score}


def variety(texts: Sequence[str]) -> dict[str, float]:
    """Share of texts that differ, of words and of pairs of words that do, and words a text."""
    said = [text.lower().split() for text in texts]
    pairs = [pair for one in said for pair in itertools.pairwise(one)]
    alone = [word for one in said for word in one]
    return {
        "unique_sentences": len(set(texts)) / len(texts),
        "distinct1": len(set(alone)) / len(alone),
        "distinct2": len(set(pairs)) / len(pairs),
        "words": len(alone) / len(texts),
    }


def features(texts: Sequence[str], of_items: Sequence[set[str]]) -> dict[str, float]:
    """Share of texts that name a feature of their item, and of all features that some text names.

    As in NETE (Li et al., 2020), with several features an item.

    :param of_items: the features of each text's item, as words stand in records.
    """
    named = [
        {feature for feature in own if said_in(feature, text)}
        for text, own in zip(texts, of_items, strict=True)
    ]
    every, shown = set().union(*of_items), set().union(*named)
    return {
        "feature_matching": float(np.mean([bool(one) for one in named])),
        "feature_coverage": len(shown) / max(1, len(every)),
    }


def said_in(feature: str, text: str) -> bool:
    """Whether all the words of a feature stand in a text, in a row.

    >>> said_in("Fluid Milk", "You chose fluid milk."), said_in("Milk, Fluid", "fluid milk")
    (True, False)
    """
    sought, said = words(feature), words(text)
    places = range(len(said) - len(sought) + 1)
    return bool(sought) and any(said[at : at + len(sought)] == sought for at in places)
