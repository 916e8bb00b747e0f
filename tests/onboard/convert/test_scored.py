"""Ids by scores, against what SentencePiece itself gives."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onboard.convert.prescribed import PROBES
from onboard.convert.scored import SPACE, ids, joined
from tests.onboard import ggufs
from tests.onboard.models import ROWS, TEXT


def metadata(**changes: Any) -> dict[str, Any]:
    """What a GGUF says of the tokenizer that `pieces` is."""
    model, rows = ggufs.pieces(), range(ROWS)
    kinds = [2 if model.is_unknown(i) else 6 if model.is_byte(i) else 3 if model.is_control(i) else 1 for i in rows]
    said = {"tokens": list(map(model.id_to_piece, rows)), "scores": list(map(model.get_score, rows)),
            "token_type": kinds, "model": "llama"}  # fmt: skip
    return {f"tokenizer.ggml.{name}": value for name, value in {**said, **changes}.items()}


letters = st.sampled_from([*sorted(set("".join(TEXT))), " ", " ", "  ", "\n", "\t", "é", "ж", "🙂", "<", ">", "0x0A"])


@given(st.lists(letters, max_size=40).map("".join))
def test_any_text_has_the_ids_that_sentencepiece_gives_it(text: str) -> None:
    assert ids(metadata(), text) == ggufs.pieces().encode(text)


def test_the_probes_have_bytes_and_joined_pieces_among_their_ids() -> None:
    wanted = [number for probe in PROBES for number in ids(metadata(), probe)]
    assert any(ggufs.pieces().is_byte(number) for number in wanted)
    assert any(len(ggufs.pieces().id_to_piece(number)) > 3 for number in wanted)


def test_no_space_is_put_before_a_text_where_the_file_says_so() -> None:
    found = ids(metadata(add_space_prefix=False), "order it")
    assert "".join(map(ggufs.pieces().id_to_piece, found)) == f"order{SPACE}it"
    assert "".join(map(ggufs.pieces().id_to_piece, ids(metadata(), "order it"))) == f"{SPACE}order{SPACE}it"


def test_a_token_of_a_user_is_found_as_it_stands_and_the_longest_first() -> None:
    said = metadata(add_space_prefix=False)
    tokens, kinds = said["tokenizer.ggml.tokens"], said["tokenizer.ggml.token_type"]
    for row, token in ((381, "  "), (382, "   "), (383, "<tool>")):
        tokens[row], kinds[row] = token, 4
    assert ids(said, "   ") == [382]
    assert ids(said, "     ") == [382, 381]
    assert [tokens[i] for i in ids(said, "is<tool>  is")] == ["i", "s", "<tool>", "  ", "i", "s"]
    again = {**said, "tokenizer.ggml.add_space_prefix": True}
    assert [tokens[i] for i in ids(again, "is<tool>is")] == [f"{SPACE}is", "<tool>", f"{SPACE}is"]


def test_what_has_no_bytes_is_unknown_once_in_a_row() -> None:
    said = metadata(unknown_token_id=0)
    said["tokenizer.ggml.tokens"] = [re.sub("^<0x", "<no", token) for token in said["tokenizer.ggml.tokens"]]
    assert ids(said, "is🙂🙂is") == [
        *ids(said, "is"),
        0,
        *ids({**said, "tokenizer.ggml.add_space_prefix": False}, "is"),
    ]


@pytest.mark.parametrize(("scores", "wanted"), [
    ({"ab": -2.0, "bc": -1.0}, ["a", "bc"]),
    ({"ab": -1.0, "bc": -2.0}, ["ab", "c"]),
    ({"ab": -1.0, "bc": -1.0}, ["ab", "c"]),
    ({"ab": -2.0, "bc": -1.0, "abc": -9.0}, ["abc"]),
    ({}, ["a", "b", "c"]),
])  # fmt: skip
def test_the_pair_of_the_highest_score_is_joined_first(scores: dict[str, float], wanted: list[str]) -> None:
    assert joined(list("abc"), scores) == wanted
