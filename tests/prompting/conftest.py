"""Small tokenizers of the three kinds, trained here: no download."""

from collections.abc import Callable

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, T5Tokenizer

from p5rec.prompting.templates import load_templates
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.prompting.tokenizing import TextTokenizer

WORDS = [
    "organic oat milk one litre",
    "cheddar cheese sliced, 200 g",
    "crunchy peanut snack for a kids' party",
    "</s> <pad> <extra_id_0> <|im_start|>user <|endoftext|> [INST] category_3 <category_3>",
]
TEXTS = WORDS + [template.source for template in load_templates()]


def gpt2() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, kind="gpt2", vocab_size=700)


def unigram() -> PreTrainedTokenizerFast:
    return train_tokenizer(TEXTS, kind="t5", vocab_size=700)


def t5() -> T5Tokenizer:
    """The layout of the real one: control tokens and sentinels are ordinary pieces too."""
    pieces = unigram().backend_tokenizer.get_vocab()
    ordinary = sorted(piece for piece in pieces if piece not in {"<pad>", "</s>", "<unk>"})
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(piece, -5.0 - 1e-3 * number) for number, piece in enumerate(ordinary)]
    vocabulary += [(f"<extra_id_{number}>", 0.0) for number in range(9, -1, -1)]
    return T5Tokenizer(vocab=vocabulary, extra_ids=10)


def hidden_controls() -> PreTrainedTokenizerFast:
    """Unigram whose control tokens are pieces that no setting marks as special."""
    source = unigram().backend_tokenizer.get_vocab()
    controls = ["<pad>", "</s>", "<unk>", "<|endoftext|>", "<|im_start|>", "<extra_id_0>", "[INST]"]
    ordinary = sorted(piece for piece in source if piece not in controls)
    vocabulary = [(piece, 0.0) for piece in controls]
    vocabulary += [("▁</s>", 0.0), *((piece, -6.0) for piece in ordinary)]
    backend = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    backend.decoder = decoders.Metaspace(prepend_scheme="always")
    return PreTrainedTokenizerFast(tokenizer_object=backend)


def smollm() -> PreTrainedTokenizerFast:
    """Byte-level BPE with single digits and chat tokens."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    backend.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>"]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator([f" {text}" for text in TEXTS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token="<|im_start|>", eos_token="<|im_end|>"
    )


def llama() -> PreTrainedTokenizerFast:
    """Sentencepiece BPE with bytes for unknown characters and ▁ put in front."""
    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    backend.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.BpeTrainer(
        vocab_size=700,
        special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    backend.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    backend.train_from_iterator(TEXTS, trainer)
    backend.pre_tokenizer = None
    # Training marks the byte pieces as special; the real ones are ordinary.
    fresh = Tokenizer(backend.model)
    fresh.normalizer, fresh.decoder = backend.normalizer, backend.decoder
    return PreTrainedTokenizerFast(
        tokenizer_object=fresh, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


KINDS = {
    "gpt2": gpt2,
    "unigram": unigram,
    "t5": t5,
    "hidden_controls": hidden_controls,
    "smollm": smollm,
    "llama": llama,
}


@pytest.fixture(scope="session")
def base_tokenizers() -> dict[str, Callable[[], PreTrainedTokenizerFast]]:
    return KINDS


@pytest.fixture(scope="session")
def tokenizers() -> dict[str, TextTokenizer]:
    return {name: TextTokenizer(make()) for name, make in KINDS.items()}


@pytest.fixture(scope="session", params=list(KINDS))
def tokenizer(request, tokenizers) -> TextTokenizer:
    return tokenizers[request.param]
