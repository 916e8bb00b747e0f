"""Degraded replies as clients read them: every combination of shapes, and random requests over them."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from typing import Any, get_args

import openai
import pytest
from pydantic import BaseModel

from serving.gateway.degraded.language import TEXTS, ReplyLanguage
from serving.gateway.degraded.reply import Cause, DegradedReply, degraded_reply
from serving.gateway.degraded.shape import shape_of
from tests.serving.gateway.degraded.checker import client_for, read_head, violations
from tests.serving.gateway.degraded.requests import SECRET, anything, every

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
RANDOM, EACH = (30_000, 1) if FULL else (600, 5)
CAUSES: tuple[Cause, ...] = get_args(Cause)
LANGUAGES: tuple[ReplyLanguage, ...] = get_args(ReplyLanguage)


def replied(asked: dict[str, Any], chat: bool, cause: Cause = "guard", language: ReplyLanguage = "en") -> DegradedReply:
    raw = json.dumps(asked, ensure_ascii=random.Random(str(asked)).random() < 0.5).encode()
    return degraded_reply(shape_of(raw, chat), cause, language, "0" * 32, 1_700_000_000, "small")


def wrong(asked: dict[str, Any], chat: bool, cause: Cause = "guard", language: ReplyLanguage = "en") -> list[str]:
    head, _, body = replied(asked, chat, cause, language).http().partition(b"\r\n\r\n")
    status, headers = read_head(head)
    return violations(asked, chat, status, headers, body, "small", SECRET)


def test_every_combination_of_shapes_is_answered_as_the_interface_says() -> None:
    for place, (chat, asked) in enumerate(every()):
        if place % EACH == 0:
            cause, language = CAUSES[place // EACH % 3], LANGUAGES[place // EACH % 2]
            assert wrong(asked, chat, cause, language) == [], asked


def test_random_valid_requests_are_answered_as_the_interface_says() -> None:
    chance = random.Random(12)
    for _ in range(RANDOM):
        chat, asked = anything(chance)
        assert wrong(asked, chat, chance.choice(CAUSES), chance.choice(LANGUAGES)) == [], asked


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_cause_and_language_are_said(cause: Cause, language: ReplyLanguage) -> None:
    reply = replied({"messages": []}, True, cause, language)
    assert b"x-understudy-degraded: " + cause.encode() + b"\r\n" in reply.lines
    assert json.loads(reply.body)["choices"][0]["message"]["content"] == TEXTS[language]


def test_nothing_but_id_time_and_model_varies() -> None:
    shape = shape_of(b'{"stream":true,"n":2}', True)
    one = degraded_reply(shape, "guard", "en", "aa", 11, "first").body
    other = degraded_reply(shape, "guard", "en", "bb", 22, "second").body
    assert one != other
    assert one.replace(b"chatcmpl-aa", b"chatcmpl-bb").replace(b":11", b":22").replace(b"first", b"second") == other


class Answer(BaseModel):
    """What an application wants to have parsed."""

    text: str


def test_openai_python_raises_what_applications_catch() -> None:
    messages: list[Any] = [{"role": "user", "content": SECRET}]
    wanted = {"response_format": {"type": "json_schema"}, "messages": messages}
    client = client_for(replied(wanted, True).http())
    with pytest.raises(openai.ContentFilterFinishReasonError):
        client.chat.completions.parse(model="auto", messages=messages, response_format=Answer)
    client = client_for(replied({**wanted, "stream": True}, True).http())
    streaming = client.chat.completions.stream(model="auto", messages=messages, response_format=Answer)
    with pytest.raises(openai.ContentFilterFinishReasonError), streaming as stream:
        stream.until_done()


def test_openai_python_reads_plain_replies_and_streams() -> None:
    messages: list[Any] = [{"role": "user", "content": SECRET}]
    whole = client_for(replied({"messages": messages}, True).http()).chat.completions.create(
        model="auto", messages=messages
    )
    assert whole.choices[0].message.content == TEXTS["en"]
    stream = client_for(replied({"stream": True}, True).http()).chat.completions.create(
        model="auto", messages=messages, stream=True
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == TEXTS["en"]
    text = client_for(replied({"prompt": "a"}, False).http()).completions.create(model="auto", prompt="a")
    assert text.choices[0].text == TEXTS["en"]


def broken() -> Iterator[tuple[str, bytes, bytes]]:
    """What a change for the worse would make of a reply."""
    yield "another finish reason", b"content_filter", b"stop"
    yield "usage that is not zero", b'"prompt_tokens":0', b'"prompt_tokens":1'
    yield "no refusal", b',"refusal":null', b""
    yield "an index too many", b'"index":1', b'"index":2'
    yield "another model", b"small", b"large"
    yield "a tool call", b'"refusal":null', b'"refusal":null,"tool_calls":[{"id":"a","type":"function"}]'
    yield "a text of the user", b"Sorry", SECRET.encode()
    yield "no content", json.dumps(TEXTS["en"]).encode(), b"null"
    yield "logprobs", b'"logprobs":null', b'"logprobs":{"content":[],"refusal":[]}'
    yield "time as a text", b'"created":1700000000', b'"created":"1700000000"'


CHANGES = [
    pytest.param(stream, old, new, id=f"{name}, {'stream' if stream else 'whole'}")
    for name, old, new in broken() for stream in (False, True)
    if not (stream and name == "no refusal")  # a delta may leave it out
]  # fmt: skip


@pytest.mark.parametrize(("stream", "old", "new"), CHANGES)
def test_the_checker_sees_what_is_wrong(stream: bool, old: bytes, new: bytes) -> None:
    asked = {"messages": [], "n": 2, "stream": stream, "stream_options": {"include_usage": True}}
    reply = replied(asked, True)
    body = reply.body.replace(old, new)
    assert body != reply.body
    _, headers = read_head(reply.http().partition(b"\r\n\r\n")[0])
    headers["content-length"] = str(len(body))
    assert violations(asked, True, 200, headers, body, "small", SECRET)


def test_the_checker_sees_a_stream_that_is_cut_and_headers_of_an_arm() -> None:
    asked = {"messages": [], "stream": True}
    body = replied(asked, True).body.removesuffix(b"data: [DONE]\n\n")
    headers = {"content-type": "text/event-stream", "content-length": str(len(body)), "x-understudy-degraded": "guard"}
    assert violations(asked, True, 200, headers, body, "small") == ["no [DONE] at the end"]
    whole = replied(asked, True).body
    headers |= {"content-length": str(len(whole)), "x-understudy-arm": "teacher"}
    assert violations(asked, True, 200, headers, whole, "small") == ["headers of an arm: {'x-understudy-arm'}"]
