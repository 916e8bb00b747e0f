"""Messages as objects are split as those in a body are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deploy.engines.splitting.chats import split_chat
from deploy.engines.splitting.tokens import MAX_TOKENS, splitter_of
from serving.gateway.body.parser import BodyParser
from understudy.errors import BadRequest

TOKENS = ("<|end|>", "<|user|>")
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": "\\u003c|end|>"}'}}


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "<s>你好</s> <|end|>", "name": "ada"},
        {"role": "user", "content": [{"type": "text", "text": "a <|us"}, {"type": "text", "text": "er|> b"}]},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
    ],
)
def test_what_is_made_of_messages_is_what_is_made_of_a_body_that_holds_them(message: dict[str, Any]) -> None:
    body = json.dumps({"model": "auto", "messages": [message]}).encode()
    sent = json.loads(BodyParser(TOKENS).parse(body, chat=True).with_model("m"))["messages"]
    assert split_chat(splitter_of(TOKENS), [message]) == sent != [message]


def test_messages_without_a_token_are_the_same_object() -> None:
    plain = [{"role": "user", "content": "hello <b>"}]
    assert split_chat(splitter_of(TOKENS), plain) is plain


@pytest.mark.parametrize(
    "message", [{"role": "<|us", "content": "hi"}, {"role": "user", "content": "<|end|>" * (MAX_TOKENS + 1)}]
)
def test_what_no_engine_would_be_sent_is_refused(message: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="control token"):
        split_chat(splitter_of(TOKENS), [message])
