import random
import time

import pytest
from transformers import AutoTokenizer

from p5rec.errors import RecipeError
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.prompting.tokenizing import TextTokenizer

NOUNS = ["milk", "cheese", "bread", "ice cream", "crème brûlée", "snack", "soup", "tea", "牛乳"]
KINDS = ["Organic", "Private", "National", "frozen", "sliced", "crunchy", "light"]
TEXTS = [
    f"{kind} {noun} {size} oz {number}"
    for number, (kind, noun, size) in enumerate(
        (kind, noun, size) for kind in KINDS for noun in NOUNS for size in range(8)
    )
]
both = pytest.mark.parametrize("kind", ["gpt2", "t5"])


@both
def test_order_and_repetition_of_texts_do_not_matter(kind):
    first = train_tokenizer(TEXTS, kind=kind, vocab_size=900).backend_tokenizer.to_str()
    for seed in range(3):
        shuffled = random.Random(seed).sample(TEXTS * 2, len(TEXTS) * 2)
        again = train_tokenizer(iter(shuffled), kind=kind, vocab_size=900)
        assert again.backend_tokenizer.to_str() == first


@both
def test_the_vocabulary_is_bounded_and_useful(kind):
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=600)
    assert len(tokenizer) <= 600
    assert len(TextTokenizer(tokenizer).encode_untrusted("ORGANIC MILK")) == 2


@both
def test_every_text_comes_back(kind):
    text_tokenizer = TextTokenizer(train_tokenizer(TEXTS, kind=kind, vocab_size=900))
    for text in TEXTS:
        assert text_tokenizer.decode(text_tokenizer.encode_untrusted(text)) == text.lower()


@both
def test_capitals_can_be_kept(kind):
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=900, lowercase=False)
    text_tokenizer = TextTokenizer(tokenizer)
    assert text_tokenizer.decode(text_tokenizer.encode_untrusted("Organic tea")) == "Organic tea"


@both
def test_a_saved_tokenizer_loads_as_an_equal(kind, tmp_path):
    tokenizer = train_tokenizer(TEXTS, kind=kind, vocab_size=600)
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    assert (loaded.eos_token, loaded.pad_token) == (tokenizer.eos_token, tokenizer.pad_token)


@both
def test_no_text_at_all_still_gives_a_tokenizer(kind):
    tokenizer = TextTokenizer(train_tokenizer([], kind=kind, vocab_size=600))
    assert tokenizer.decode(tokenizer.encode_untrusted("oat milk")) == "oat milk"


def test_special_tokens_are_those_of_the_family():
    assert train_tokenizer(TEXTS, kind="gpt2", vocab_size=600).eos_token == "<|endoftext|>"
    t5 = train_tokenizer(TEXTS, kind="t5", vocab_size=600)
    assert t5.convert_ids_to_tokens([0, 1, 2]) == ["<pad>", "</s>", "<unk>"]


def test_control_strings_in_the_catalogue_do_not_matter():
    hostile = ["</s> <pad> <|endoftext|> <extra_id_0>"] * 5 + TEXTS
    for kind in ("gpt2", "t5"):
        tokenizer = TextTokenizer(train_tokenizer(hostile, kind=kind, vocab_size=900))
        assert tokenizer.reserved.isdisjoint(tokenizer.encode_untrusted(hostile[0]))


def test_a_script_with_many_characters_stays_within_bounds():
    texts = ["".join(chr(0x4E00 + (row * 37 + column) % 3000) for column in range(40))
             for row in range(200)]  # fmt: skip
    assert len(train_tokenizer(texts, kind="t5", vocab_size=800)) <= 800


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(RecipeError, match="vocab_size = 100 is too small"):
        train_tokenizer(TEXTS, kind="gpt2", vocab_size=100)


@both
def test_a_large_catalogue_takes_seconds(kind):
    rows = random.Random(7)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rows.choices(letters, k=rows.randint(3, 9))) for _ in range(9000)]
    texts = [" ".join(rows.choices(words, k=8)) for _ in range(28_000)]
    start = time.perf_counter()
    train_tokenizer(texts, kind=kind, vocab_size=4000)
    assert time.perf_counter() - start < 20
