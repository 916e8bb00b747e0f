"""Tokens by their bytes, for both kinds of tokenizers."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, normalizers
from tokenizers.models import BPE, WordPiece
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from online_distill.teacher.words import TokenBytes
from tests.online_distill.world import TOKENIZER


@pytest.fixture(scope="module")
def words() -> TokenBytes:
    return TokenBytes(AutoTokenizer.from_pretrained(str(TOKENIZER)))


@given(st.text(max_size=40))
def test_the_tokens_of_a_text_are_its_bytes_in_order(words: TokenBytes, text: str) -> None:
    found = words.split(text)
    assert found is not None
    assert b"".join(found) == text.encode()


def test_a_token_is_found_by_its_bytes_special_ones_by_their_name(words: TokenBytes) -> None:
    tokenizer = AutoTokenizer.from_pretrained(str(TOKENIZER))
    for text in ("Order", " 订单", "\n", "€"):
        for token, raw in zip(tokenizer.encode(text, add_special_tokens=False), words.split(text) or [], strict=True):
            assert words.id(raw) == token
    assert words.id(tokenizer.eos_token.encode()) == tokenizer.eos_token_id
    assert words.id(b"a token that nobody has") is None


def spaced() -> PreTrainedTokenizerFast:
    pieces = ["<unk>", "a", "b", "▁", "▁a", "ab", "▁ab", *(f"<0x{byte:02X}>" for byte in range(256))]
    made = Tokenizer(
        BPE({piece: i for i, piece in enumerate(pieces)}, [("a", "b"), ("▁", "ab"), ("▁", "a")], byte_fallback=True)
    )
    made.normalizer = normalizers.Replace(" ", "▁")
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    return PreTrainedTokenizerFast(tokenizer_object=made)


def test_marked_spaces_and_lone_bytes_are_read_as_what_they_stand_for() -> None:
    words = TokenBytes(spaced())
    assert words.split(" ab é") == [b" ab", b" ", b"\xc3", b"\xa9"]
    assert (words.id(b"a"), words.id(b" a"), words.id(b"\xc3")) == (1, 4, 7 + 0xC3)


def test_of_another_kind_no_token_is_known(tmp_path: Path) -> None:
    made = Tokenizer(WordPiece({"[UNK]": 0, "a": 1, "##b": 2}, unk_token="[UNK]"))
    made.decoder = decoders.WordPiece()
    words = TokenBytes(PreTrainedTokenizerFast(tokenizer_object=made))
    assert words.id(b"a") is None
    assert words.split("a") is None
