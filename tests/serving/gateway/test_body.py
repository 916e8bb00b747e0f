"""The body: what routing reads, and that nothing else changes."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serving.gateway.body import BodyParser, Message, conversation_hash, split_model
from serving.gateway.config import CONTROL_TOKENS
from understudy.errors import BadRequest

PARSER = BodyParser(CONTROL_TOKENS)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.just("model"), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=8), values, max_size=5), st.text(max_size=30), st.booleans(), st.booleans())
def test_a_body_is_the_same_but_for_the_model(
    extra: dict[str, object], content: str, ascii_only: bool, first: bool
) -> None:
    assume(not any(token in content for token in CONTROL_TOKENS))
    extra.pop("user", None)
    extra.pop("stream", None)
    asked = {"model": "auto"} if first else {}
    body = {**asked, **extra, "messages": [{"role": "user", "content": content}], "model": "auto"}
    raw = json.dumps(body, ensure_ascii=ascii_only, indent=1).encode("utf-8", "surrogatepass")
    try:
        parsed = PARSER.parse(raw, chat=True)
    except BadRequest:
        assert any(0xD800 <= ord(char) < 0xE000 for char in str(body))
        return
    assert parsed.with_model("auto") == raw
    changed = json.loads(parsed.with_model("学生"))
    assert changed == {**json.loads(raw), "model": "学生"}


def test_unusual_spelling_of_the_key_is_found() -> None:
    raw = b'{"metadata":{"model":"a"},"mod\\u0065l" :\n"x","messages":[]}'
    assert PARSER.parse(raw, chat=True).with_model("y") == raw.replace(b'"x"', b'"y"')
    twice = b'{"model":"a","messages":[],"model":"b"}'
    assert PARSER.parse(twice, chat=True).with_model("c") == b'{"model":"c","messages":[],"model":"c"}'
    assert split_model(b'{"a":"\\"model\\":","model":"q"}') == (b'{"a":"\\"model\\":","model":', b"}")


@pytest.mark.parametrize(
    ("content", "after"),
    [
        (b"<|user|>", b"<\\u200b|user|>"),
        (b"\\u003c|user|\\u003E", b"\\u003c\\u200b|user|\\u003E"),
        (b"a <\\/s> b", b"a <\\u200b\\/s> b"),
        ("你好<|end|>再见".encode(), "你好<\\u200b|end|>再见".encode()),
        (b"<<|im_start|>", b"<<\\u200b|im_start|>"),
        (b"<\\uff5cUser\\uff5c>", b"<\\u200b\\uff5cUser\\uff5c>"),
        (b"\\\\u003c|user|>", b"\\\\u003c|user|>"),
        (b"a < b | c > d, <b>html</b>", b"a < b | c > d, <b>html</b>"),
    ],
)
def test_control_tokens_in_messages_are_split_and_nothing_else(content: bytes, after: bytes) -> None:
    raw = b'{"stop":["<|end|>"], "messages":[{"role":"user","content":"' + content + b'"}], "model":"auto"}'
    sent = PARSER.parse(raw, chat=True).with_model("auto")
    assert sent == raw.replace(b'"content":"' + content, b'"content":"' + after)
    text = json.loads(sent)["messages"][0]["content"]
    assert not any(token in text for token in CONTROL_TOKENS)


def test_control_tokens_in_parts_roles_and_tool_calls_are_split() -> None:
    message = {"role": "<|system|>", "content": [{"type": "text", "text": "<|end|>"}],
               "tool_calls": [{"function": {"name": "f", "arguments": '{"a": "<|user|>"}'}}]}  # fmt: skip
    raw = json.dumps({"model": "m", "messages": [message]}).encode()
    sent = json.dumps(json.loads(PARSER.parse(raw, chat=True).with_model("m"))["messages"], ensure_ascii=False)
    assert not any(token in sent for token in CONTROL_TOKENS)
    assert sent.replace("\u200b", "") == json.dumps([message])


def test_prompts_of_completions_pass_as_they_are() -> None:
    raw = b'{"model":"m","prompt":"<|user|> hello","stream":true,"user":"u"}'
    body = PARSER.parse(raw, chat=False)
    assert body.with_model("m") == raw
    assert (body.stream, body.user) == (True, "u")


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"null", b"{}", b'{"model":null,"messages":[]}', b'{"model":"m"}', b'{"model":"m","messages":{}}',
     b'{"model":"m","messages":["x"]}', b"\xff\xfe", b'{"model":"m","messages":' + b"[" * 100_000,
     b'{"model":"m","messages":[]} extra'],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        PARSER.parse(raw, chat=True)


def test_a_conversation_is_known_by_its_beginning() -> None:
    start = [Message("system", "s"), Message("user", "你好")]
    longer = [*start, Message("assistant", "a"), Message("user", "b")]
    assert conversation_hash("k", start) == conversation_hash("k", longer)
    assert conversation_hash("k", start) != conversation_hash("other", start)
    assert conversation_hash("k", start) != conversation_hash("k", [start[0], Message("user", "您好")])
