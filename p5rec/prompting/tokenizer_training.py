"""Trains the small tokenizers of the mini models on the shop's own words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from typing import Literal as OneOf

from p5rec.errors import RecipeError
from p5rec.prompting.cleaning import clean

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedTokenizerFast

SMALLEST_VOCABULARY = 512

_MAX_CHARACTERS = 8192
_END = "<|endoftext|>"
_T5_SPECIALS = ("<pad>", "</s>", "<unk>")
_PRINTABLE = [chr(code) for code in range(0x21, 0x7F)]


def train_tokenizer(
    texts: Iterable[str], *, kind: OneOf["gpt2", "t5"], vocab_size: int, lowercase: bool = True
) -> PreTrainedTokenizerFast:
    """Train a tokenizer on texts of the catalogue and of the templates.

    ``gpt2`` gives byte-level BPE with ``<|endoftext|>``; ``t5`` gives Unigram with ``<pad>``,
    ``</s>`` and ``<unk>``, which knows every printable ASCII character and every common one of the
    texts. The same texts in any order give the same tokenizer.

    >>> tokenizer = train_tokenizer(["oat milk", "oat bread"], kind="t5", vocab_size=600)
    >>> tokenizer.tokenize("OAT milk")
    ['▁oat', '▁', 'm', 'i', 'l', 'k']

    :param vocab_size: an upper bound; few texts give fewer pieces.
    :param lowercase: read all text in lower case, so that a request meets a catalogue in capitals
        and a small vocabulary reaches further; what is decoded is then in lower case too.
    :raises RecipeError: if ``vocab_size`` is below ``SMALLEST_VOCABULARY``.
    """
    if vocab_size < SMALLEST_VOCABULARY:
        raise RecipeError(
            f"vocab_size = {vocab_size} is too small for a tokenizer. "
            f"Expected at least {SMALLEST_VOCABULARY}. Raise it in the recipe."
        )
    cleaned = (clean(text, max_characters=_MAX_CHARACTERS) for text in texts)
    lines = sorted({line.lower() if lowercase else line for line in cleaned if line})
    build = _byte_level if kind == "gpt2" else _unigram
    return build(lines, vocab_size, lowercase)


def _byte_level(lines: list[str], vocab_size: int, lowercase: bool) -> PreTrainedTokenizerFast:
    from tokenizers import decoders, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    # Words follow a space, as they do in prompts.
    tokenizer = _bpe(
        [f" {line}" for line in lines],
        split=split,
        vocab_size=vocab_size,
        specials=[_END],
        alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.decoder = decoders.ByteLevel()
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=_END, eos_token=_END, pad_token=_END
    )


def _unigram(lines: list[str], vocab_size: int, lowercase: bool) -> PreTrainedTokenizerFast:
    """Unigram over the pieces that BPE finds, scored by how often it uses them.

    The library's own Unigram training sums floats in an order that changes from run to run, and
    gives another vocabulary each time.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    space: dict[str, Any] = {"replacement": "▁", "prepend_scheme": "always"}
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(**space)]
    )
    lines = _common_characters(lines, most=vocab_size // 2)
    pieces = _bpe(
        lines,
        split=split,
        vocab_size=vocab_size,
        specials=list(_T5_SPECIALS),
        alphabet=["▁", *_PRINTABLE],
    )
    counts: Counter[str] = Counter()
    for encoding in pieces.encode_batch_fast(lines, add_special_tokens=False):
        counts.update(encoding.tokens)
    # Half a count for pieces that only lead to longer ones.
    floor, total = 0.5, sum(counts.values()) + 1
    by_id = sorted(pieces.get_vocab().items(), key=lambda entry: entry[1])
    scored = [
        (piece, 0.0 if piece in _T5_SPECIALS else math.log(max(counts[piece], floor) / total))
        for piece, _ in by_id
    ]
    tokenizer = Tokenizer(models.Unigram(scored, unk_id=_T5_SPECIALS.index("<unk>")))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.Metaspace(**space)
    if lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="</s>", pad_token="<pad>", unk_token="<unk>"
    )


def _bpe(
    lines: Sequence[str],
    *,
    split: PreTokenizer,
    vocab_size: int,
    specials: list[str],
    alphabet: list[str],
) -> Tokenizer:
    from tokenizers import Tokenizer, models, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = split
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=specials,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def _common_characters(lines: list[str], *, most: int) -> list[str]:
    """The lines without their rarest characters, where they use more than ``most`` kinds."""
    counts = Counter("".join(lines))
    ranked = sorted(counts, key=lambda character: (-counts[character], character))
    rare = {ord(character): None for character in ranked[most:]}
    return [line.translate(rare) for line in lines] if rare else lines
