"""What of a body decides the form of its degraded reply, whatever else it holds."""

from __future__ import annotations

import json

import pytest

from serving.gateway.degraded.shape import MAX_CHOICES, ReplyShape, shape_of


@pytest.mark.parametrize(
    ("prompt", "choices"),
    [
        ("a", 1), (["a"], 1), (["a", 'b"c', "\\", '\\"'], 4), ([1, 2, 3], 1), ([[1, 2], [3]], 2), ([], 1), (None, 1),
        (["[[", "]"], 2), ("[1", 1),
    ],
)  # fmt: skip
def test_each_prompt_has_its_choices(prompt: object, choices: int) -> None:
    for indent in (None, 2):
        assert shape_of(json.dumps({"prompt": prompt, "n": 3}, indent=indent).encode(), False).choices == 3 * choices


def test_the_choices_are_bounded() -> None:
    raw = json.dumps({"prompt": ["a"] * 100_000, "n": 128}).encode()
    assert shape_of(raw, False).choices == MAX_CHOICES
    assert shape_of(b'{"n":1e300}', True).choices == MAX_CHOICES


@pytest.mark.parametrize("n", [b"null", b"0", b"-3", b'"5"', b"[]", b"0.5"])
def test_an_n_that_no_engine_would_take_is_one(n: bytes) -> None:
    assert shape_of(b'{"n":' + n + b"}", True).choices == 1


@pytest.mark.parametrize(
    "raw",
    [b"[]", b"{", b'{"stream":"true"}', b'{"stream":1}', b'{"response_format":7}', b'{"stream_options":[true]}',
     b'{"messages":[{"stream":true,"n":4}]}'],
)  # fmt: skip
def test_what_is_not_said_as_it_should_be_counts_as_not_said(raw: bytes) -> None:
    assert shape_of(raw, True) == ReplyShape(True)


def test_usage_is_for_streams_and_json_for_chats() -> None:
    asked = b'{"stream_options":{"include_usage":true},"response_format":{"type":"json_object"}}'
    assert shape_of(asked, True) == ReplyShape(True, structured=True)
    assert shape_of(asked, False) == ReplyShape(False)
    assert shape_of(asked[:-1] + b',"stream":true}', True) == ReplyShape(True, stream=True, usage=True, structured=True)
