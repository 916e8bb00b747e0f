"""The length of a prompt in characters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.body.parser import Message
from serving.gateway.body.prompt import of_field, of_messages
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import Engine

Serve = Callable[..., Running]
PART = {"type": "text", "text": "你好"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 9999}}


def chat(*contents: Any) -> int:
    raw = json.dumps([{"role": "user", "content": content} for content in contents]).encode()
    return of_messages(msgspec.json.decode(raw, type=list[Message]))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_a_message_is_as_long_as_its_text_however_it_is_escaped(texts: list[str]) -> None:
    assert chat(*texts) == sum(map(len, texts))


@pytest.mark.parametrize(
    ("content", "length"),
    [([PART, PICTURE, PART], 4), (None, 0), (7, 0), ({"text": "x"}, 0), ([["x"], 1, {"text": 3}], 0), ([], 0)],
)
def test_only_texts_count(content: Any, length: int) -> None:
    assert chat(content) == length


@pytest.mark.parametrize(
    ("given", "length"),
    [
        ("你好", 2),
        (["a", "bc"], 3),
        ([1, 2, 3], 12),
        ([[1], [2, 3]], 12),
        (None, 0),
        ({}, 0),
        (["a", None], 1),
        ([], 0),
    ],
)
def test_a_prompt_or_input_may_have_any_of_its_shapes(given: Any, length: int) -> None:
    assert of_field(json.dumps({"model": "m", "prompt": given}).encode()) == length
    assert of_field(json.dumps({"model": "m", "input": given}).encode()) == length


def test_a_field_that_cannot_be_read_is_left_to_the_engine() -> None:
    assert of_field(b'{"prompt": ' + b"[" * 5000 + b"]" * 5000 + b"}") == 0
    assert of_field(b'{"prompt": 1e999}') == 0
    assert of_messages([Message(content=msgspec.Raw(b"[1e999]")), Message(content=msgspec.Raw(b"1e999"))]) == 0


def test_a_prompt_above_the_limit_is_413_and_one_of_that_length_is_served(serve: Serve, teacher: Engine) -> None:
    running = serve(document({"teacher": teacher}), max_prompt=1000)
    assert running.client.chat("你" * 1000)[0] == 200
    assert running.client.chat([PART] * 500 + [PICTURE])[0] == 200
    status, _, body = running.client.chat("你" * 1001)
    assert (status, body["error"]["code"], body["error"]["param"]) == (413, "prompt_too_large", "messages")
    assert "1001 characters, more than 1000 (gateway.max_prompt)" in body["error"]["message"]
    raw = json.dumps({"model": "auto", "prompt": ["x" * 600, "y" * 401]}).encode()
    status, _, answer = running.client.send("POST", "/v1/completions", raw)
    assert (status, json.loads(answer)["error"]["param"]) == (413, "prompt")
    assert len(teacher.seen) == 2
