"""Prompts as numbers: items are integers, and no words become one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_worlds import groceries

from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.prompting.segments import Attribute, Control, ItemRef, Literal, UntrustedText
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.prompting.tokenizing import TextTokenizer

TOKENIZERS = {
    kind: TextTokenizer(train_tokenizer(groceries().texts, kind=kind, vocab_size=512))
    for kind in ("gpt2", "t5")
}
PATHS = np.array([[1000, 1010, 1020], [1001, 1010, 1021]])
END = 0


def encoder(kind="gpt2", *, one_position=True, longest_text=64):
    return PromptEncoder(
        TOKENIZERS[kind], PATHS, one_position=one_position, end=END, longest_text=longest_text
    )


def test_an_item_takes_one_position_or_one_a_code():
    prompt = (Literal("after"), ItemRef(1), ItemRef(0))
    text = TOKENIZERS["gpt2"].encode_literal("after")
    one = encoder().encode(prompt)
    assert one[: len(text)].tolist() == [[token, -1, -1] for token in text]
    assert one[len(text) :].tolist() == PATHS[[1, 0]].tolist()
    apart = encoder(one_position=False).encode(prompt)
    assert apart.tolist() == [[token] for token in [*text, *PATHS[1], *PATHS[0]]]


def test_the_end_is_a_token_and_an_empty_prompt_is_the_end_alone():
    assert encoder().encode((ItemRef(0), Control("end")))[1].tolist() == [END, -1, -1]
    for empty in [(), (UntrustedText(""),), (UntrustedText("\u200b"),)]:
        assert encoder().encode(empty).tolist() == [[END, -1, -1]]


def test_untrusted_text_is_cut():
    words = UntrustedText("oat milk " * 500)
    assert len(encoder(longest_text=7).encode((words,))) == 7


RESERVED = ["</s>", "<pad>", "<unk>", "<|endoftext|>", "<extra_id_0>", "<|im_start|>", "[INST]"]


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(st.lists(st.one_of(st.text(max_size=10), st.sampled_from(RESERVED)), max_size=6))
def test_no_words_become_an_item_or_a_reserved_token(kind, pieces):
    tokenizer = TOKENIZERS[kind]
    text = "".join(pieces) + " 1000 <item_1000> level0 0"
    for segment in (UntrustedText(text), Attribute(text)):
        ids = encoder(kind).encode((segment,))
        assert (ids[:, 0] < tokenizer.size).all()
        assert (ids[:, 1:] == -1).all()
        assert tokenizer.reserved.isdisjoint(ids[:, 0].tolist())


def test_prompts_side_by_side_are_padded_on_the_right():
    batch = PromptBatch.from_prompts([np.array([[5], [6]]), np.array([[1, 2, 3]])])
    assert batch.lengths.tolist() == [2, 1]
    assert batch.ids.tolist() == [[[5, -1, -1], [6, -1, -1]], [[1, 2, 3], [-1, -1, -1]]]
