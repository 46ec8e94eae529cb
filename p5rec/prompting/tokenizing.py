"""Text to token ids and back, with a tokenizer that has never heard of items.

No option of a tokenizer keeps ``</s>`` in a user's words from becoming the token ``</s>``: in some
vocabularies it is an ordinary piece. So ids are filtered after encoding, and item tokens are put
beside them as integers by whoever builds the model's input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from p5rec.errors import RecipeError, TemplateError
from p5rec.prompting.cleaning import clean
from p5rec.prompting.segments import Literal, TextSegment

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

#: A text is looked at up to this many characters a token allowed; longer words are rare.
CHARACTERS_A_TOKEN = 16
MAX_TOKENS = 512

# Pieces that are control in some family of models, such as <extra_id_0>, </s>, <|im_start|> or
# [INST], whatever this vocabulary says of them. Pieces of bytes, such as <0x0A>, spell text.
_CONTROL = re.compile(r"<(?!0x[0-9A-F]{2}>)\S*\w\S*>|\[/?\w+\]")
_BLANKS = "▁Ġ "


class TextTokenizer:
    """Encodes the text segments of a prompt; no id that it gives is reserved.

    Pieces are encoded apart and their ids put one after the other, with item ids between them: a
    piece brings its own space. Ids are the base model's, so its embeddings fit. Any number of
    threads may share one object: it holds a private copy of the tokenizer that nothing changes.

    :param tokenizer: a base tokenizer backed by the tokenizers library, without item tokens.
    :raises RecipeError: if the tokenizer has another kind of backend.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise RecipeError(
                f"The tokenizer {type(tokenizer).__name__} is not backed by the tokenizers "
                "library. Expected one with a tokenizer.json. Choose another base model."
            )
        self._backend = type(backend).from_str(backend.to_str())
        # Truncation and padding are state of the backend that callers switch: not in our copy.
        self._backend.no_truncation()
        self._backend.no_padding()
        vocabulary: Mapping[str, int] = self._backend.get_vocab(with_added_tokens=True)
        self.size = max(vocabulary.values()) + 1
        named = [*self._backend.get_added_tokens_decoder(), *tokenizer.all_special_ids]
        self.reserved = _reserved(vocabulary) | frozenset(id_ for id_ in named if id_ is not None)
        self._unknown: int | None = tokenizer.unk_token_id
        probe = "".join(self._backend.encode("a", add_special_tokens=False).tokens)
        self._adds_space = probe.startswith(tuple(_BLANKS))
        self._literals: dict[str, tuple[int, ...]] = {}

    def encode_untrusted(self, text: str, max_tokens: int = MAX_TOKENS) -> list[int]:
        """Encode what a seller or a user typed, as words that follow a space.

        The text is cleaned, cut to ``CHARACTERS_A_TOKEN`` characters a token, encoded, stripped
        of every reserved id and cut to ``max_tokens``.

        :returns: ids below ``size``, none of them in ``reserved``; empty if no text remains.
        """
        max_tokens = max(max_tokens, 0)
        plain = clean(text, max_characters=max_tokens * CHARACTERS_A_TOKEN)
        ids = [id_ for id_ in self._encode(plain, spaced=True) if id_ not in self.reserved]
        del ids[max_tokens:]
        assert all(0 <= id_ < self.size for id_ in ids), "an id lies outside the base vocabulary"
        assert self.reserved.isdisjoint(ids), "a reserved id came out of untrusted text"
        return ids

    def encode_literal(self, text: str) -> list[int]:
        """Encode text of a template; a space at its start is kept, one at its end dropped.

        The piece that follows brings its space itself, if it is text; items need none.

        :raises TemplateError: if the text holds a special token of this tokenizer.
        """
        if text not in self._literals:
            self._literals[text] = tuple(self._literal(text))
        return list(self._literals[text])

    def encode_segment(self, segment: TextSegment, max_tokens: int = MAX_TOKENS) -> list[int]:
        """Encode a segment that holds text: only a ``Literal`` is trusted."""
        if isinstance(segment, Literal):
            return self.encode_literal(segment.text)
        return self.encode_untrusted(segment.text, max_tokens)

    def decode(self, ids: list[int]) -> str:
        """The text of ids; reserved ids and ids of items are left out."""
        text = [id_ for id_ in ids if 0 <= id_ < self.size and id_ not in self.reserved]
        decoded: str = self._backend.decode(text, skip_special_tokens=True)
        return decoded.strip()

    def _literal(self, text: str) -> list[int]:
        plain = " ".join(text.split())
        ids = self._encode(plain, spaced=text[:1].isspace())
        special = self.reserved.difference([self._unknown]).intersection(ids)
        if special:
            token = self._backend.id_to_token(min(special))
            raise TemplateError(
                f"{text!r} holds the special token {token!r}. "
                "Templates are plain text: write it without."
            )
        return [id_ for id_ in ids if id_ not in self.reserved]

    def _encode(self, text: str, *, spaced: bool) -> list[int]:
        if not text:
            return []
        prefix = " " if spaced and not self._adds_space else ""
        encoding = self._backend.encode(prefix + text, add_special_tokens=False)
        ids: list[int] = encoding.ids
        if spaced or text[0].isalnum() or not (self._adds_space and ids):
            return ids
        # The tokenizer has put a space before a full stop or the like, too: take it off.
        bare = encoding.tokens[0].lstrip(_BLANKS)
        first = self._backend.token_to_id(bare) if bare else None
        if bare and first is None:
            return ids
        return [*([] if first is None else [first]), *ids[1:]]


def _reserved(vocabulary: Mapping[str, int]) -> frozenset[int]:
    return frozenset(
        id_ for piece, id_ in vocabulary.items() if _CONTROL.fullmatch(piece.strip(_BLANKS))
    )
