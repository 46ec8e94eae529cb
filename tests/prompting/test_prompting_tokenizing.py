import copy
import time
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from p5rec.errors import RecipeError, TemplateError
from p5rec.prompting.cleaning import clean
from p5rec.prompting.segments import Attribute, Literal, UntrustedText
from p5rec.prompting.tokenizing import CHARACTERS_A_TOKEN, TextTokenizer

ITEM_TOKENS = ["<category_3>", "<brand_0>", "<item_27>"]
CONTROLS = [
    "</s>", "<s>", "<pad>", "<unk>", "<extra_id_0>", "<extra_id_9>", "<|endoftext|>",
    "<|im_start|>", "<|im_end|>", "<repo_name>", "<file_sep>", "[INST]", "[/INST]", "<<SYS>>",
    "<0x0A>", "▁</s>",
]  # fmt: skip
RESERVED = CONTROLS + ITEM_TOKENS
FULLWIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
INVISIBLE = ["\u200b", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u202e", "\x00", "\ufe0f", "\ud800"]


def variants(reserved: str) -> list[str]:
    middle = len(reserved) // 2
    split = [reserved[:middle] + hidden + reserved[middle:] for hidden in INVISIBLE]
    return [
        reserved,
        reserved.upper(),
        reserved.title(),
        reserved.translate(FULLWIDTH),
        unicodedata.normalize("NFD", reserved),
        "\u200b".join(reserved),
        " ".join(reserved),
        reserved[:middle] + reserved + reserved[middle:],
        *split,
    ]


HOSTILE = [text for reserved in RESERVED for text in variants(reserved)]
hostile_text = st.lists(
    st.one_of(st.sampled_from(HOSTILE), st.text(max_size=8), st.sampled_from([" ", "milk", "▁"])),
    max_size=6,
).map("".join)


def check(tokenizer: TextTokenizer, text: str, max_tokens: int = 64) -> list[int]:
    ids = tokenizer.encode_untrusted(text, max_tokens)
    assert tokenizer.reserved.isdisjoint(ids)
    assert all(0 <= id_ < tokenizer.size for id_ in ids)
    assert len(ids) <= max_tokens
    return ids


@pytest.mark.parametrize("reserved", RESERVED)
def test_no_variant_of_a_reserved_string_becomes_a_reserved_id(tokenizer, reserved):
    for text in variants(reserved):
        for around in ("{}", "buy {} now", "x{}x", "{0}{0}", "<{}>", "\n{}\t"):
            check(tokenizer, around.format(text))


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(text=hostile_text, max_tokens=st.integers(0, 64))
@example(text="{{ history }} {% for x in y %}{{ x.__class__ }}", max_tokens=64)
@example(text="<script>alert(1)</script><b>bold</b> [link](http://x.y)", max_tokens=64)
@example(text="👩‍👩‍👧‍👦🧀 حليب שוקו \u202egnirts\u202c", max_tokens=64)
@example(text="=cmd|' /C calc'!A0", max_tokens=64)
def test_untrusted_text_never_gives_a_reserved_id(tokenizers, text, max_tokens):
    for tokenizer in tokenizers.values():
        check(tokenizer, text, max_tokens)


def test_every_piece_of_the_vocabulary_is_harmless_as_text(tokenizer):
    for id_ in range(tokenizer.size):
        piece = tokenizer._backend.id_to_token(id_)
        check(tokenizer, piece)
        check(tokenizer, f"a{piece}b {piece}")


@pytest.mark.parametrize(
    ("kind", "pieces"),
    [
        ("gpt2", ["<|endoftext|>"]),
        ("unigram", ["<pad>", "</s>", "<unk>"]),
        ("t5", ["<pad>", "</s>", "<unk>", "<extra_id_0>", "<extra_id_9>"]),
        ("hidden_controls", ["<pad>", "</s>", "▁</s>", "<|im_start|>", "<extra_id_0>", "[INST]"]),
        ("smollm", ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<repo_name>"]),
        ("llama", ["<unk>", "<s>", "</s>"]),
    ],
)
def test_control_pieces_are_reserved(tokenizers, kind, pieces):
    tokenizer = tokenizers[kind]
    ids = {tokenizer._backend.token_to_id(piece) for piece in pieces}
    assert None not in ids
    assert ids <= tokenizer.reserved
    assert tokenizer.size - len(tokenizer.reserved) > 250


def test_the_plain_library_call_smuggles_what_we_drop(tokenizers):
    """The attack is real for these tokenizers: else the tests above would prove nothing."""
    for kind, text in [("t5", "milk </s>"), ("hidden_controls", "milk <extra_id_0>")]:
        tokenizer = tokenizers[kind]
        plain = tokenizer._backend.encode(text, add_special_tokens=False).ids
        assert tokenizer.reserved.intersection(plain)
        check(tokenizer, text)


def test_item_tokens_that_the_tokenizer_does_know_are_reserved(base_tokenizers):
    extended = base_tokenizers["gpt2"]()
    extended.add_tokens(ITEM_TOKENS)
    tokenizer = TextTokenizer(extended)
    assert set(extended.convert_tokens_to_ids(ITEM_TOKENS)) <= tokenizer.reserved
    check(tokenizer, " ".join(ITEM_TOKENS))


def test_eight_threads_share_one_tokenizer(tokenizer):
    texts = [f"buy {text} {number}" for number, text in enumerate(HOSTILE * 2)]
    alone = [check(tokenizer, text) for text in texts]
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: [check(tokenizer, text) for text in texts], range(8)))
    assert all(run == alone for run in runs)


def test_what_others_do_to_the_tokenizer_does_not_reach_us(base_tokenizers):
    given_one = base_tokenizers["t5"]()
    tokenizer = TextTokenizer(given_one)
    before = tokenizer.encode_untrusted("organic oat milk </s>")
    given_one.add_tokens(["oat"])
    given_one("organic oat milk", truncation=True, max_length=2, split_special_tokens=True)
    assert tokenizer.encode_untrusted("organic oat milk </s>") == before


def test_a_megabyte_is_cut_quickly(tokenizer):
    for text in ("a" * 1_000_000, "</s>" * 250_000, " " * 1_000_000, "ﷺ" * 300_000):
        start = time.perf_counter()
        check(tokenizer, text, 512)
        assert time.perf_counter() - start < 2
    assert check(tokenizer, "milk " * 200_000, 512)


def test_only_so_many_characters_are_looked_at(tokenizer):
    padded = " " * (8 * CHARACTERS_A_TOKEN) + "milk"
    assert tokenizer.encode_untrusted(padded, 8) == []
    assert tokenizer.encode_untrusted("milk", 0) == tokenizer.encode_untrusted("milk", -3) == []


def test_words_survive(tokenizer):
    text = "organic oat milk, 200 g"
    assert tokenizer.decode(tokenizer.encode_untrusted(text)) == text


def test_pieces_join_as_one_text_would(tokenizer):
    """A word is the same tokens in a literal, in an attribute and in a user's words."""
    whole = tokenizer.encode_literal("Find: oat milk. Item:")
    for middle in (Attribute("oat milk"), UntrustedText("oat  milk\n")):
        pieces = [Literal("Find: "), middle, Literal(". Item:")]
        joined = [id_ for piece in pieces for id_ in tokenizer.encode_segment(piece)]
        assert tokenizer.decode(joined).lower() == "find: oat milk. item:"
        assert len(joined) <= len(whole) + 1


def test_a_literal_brings_its_space(tokenizer):
    word = tokenizer.encode_untrusted("milk")
    assert tokenizer.encode_literal(" milk") == word
    assert tokenizer.encode_literal(" milk ") == word
    assert tokenizer.encode_literal(" ") == tokenizer.encode_literal("") == []
    stop = tokenizer._backend.id_to_token(tokenizer.encode_literal(". Item")[0])
    assert stop == "."


def test_a_literal_list_belongs_to_the_caller(tokenizer):
    tokenizer.encode_literal(" milk").append(-1)
    assert -1 not in tokenizer.encode_literal(" milk")


@pytest.mark.parametrize(
    ("kind", "text"),
    [("gpt2", "End <|endoftext|>"), ("t5", "Fill <extra_id_0>"), ("hidden_controls", "a </s>")],
)
def test_a_template_may_not_hold_a_special_token(tokenizers, kind, text):
    with pytest.raises(TemplateError, match="holds the special token"):
        tokenizers[kind].encode_literal(text)


def test_decoding_leaves_out_what_is_no_text(tokenizer):
    ids = tokenizer.encode_untrusted("oat milk")
    mixed = [*tokenizer.reserved, *ids, tokenizer.size, tokenizer.size + 5]
    assert tokenizer.decode(mixed) == "oat milk"
    assert tokenizer.decode([]) == ""


def test_a_copy_encodes_the_same(tokenizer):
    twin = copy.deepcopy(tokenizer)
    assert twin.encode_untrusted("oat milk") == tokenizer.encode_untrusted("oat milk")


def test_another_backend_is_refused():
    class Slow:
        pass

    with pytest.raises(RecipeError, match="The tokenizer Slow is not backed"):
        TextTokenizer(Slow())


@given(st.text(), st.integers(0, 40))
def test_clean_text_is_one_visible_line(text, most):
    cleaned = clean(text, max_characters=most)
    assert clean(cleaned, max_characters=most) == cleaned
    assert len(cleaned) <= most
    assert unicodedata.is_normalized("NFKC", cleaned)
    assert not any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in cleaned)
    assert cleaned == " ".join(cleaned.split())
