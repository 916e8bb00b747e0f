"""The body: what routing reads, and that nothing else changes."""

from __future__ import annotations

import contextlib
import json
import re
import time

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from deploy.engines.tokens import CONTROL_TOKENS
from serving.gateway.body.parser import (
    MAX_MESSAGES,
    BodyParser,
    Message,
    conversation_hash,
    model_of,
    split_model,
)
from understudy.errors import BadRequest, TooLarge

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
    extra = {key: value for key, value in extra.items() if key not in ("user", "stream", "n", "priority")}
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


def filled(unit: bytes, around: bytes = b'{"model":"auto","messages":[{"content":"%s"}]}') -> bytes:
    return around.replace(b"%s", unit * ((8 << 20) // len(unit)))


@pytest.mark.parametrize(
    "raw",
    [filled(b"<s>"), filled(b"<"), filled(b"\\u003c"), filled(b"\\u4f60\\/"), filled(b"<s>" + b"\\n" * (4 << 20)),
     filled(b"0,", b'{"model":"a","model":"b","messages":[],"x":[%s0]}'),
     filled(b'"k":1,', b'{"model":"a","messages":[],"y":"\\u0061",%s"z":0}'),
     filled(b"[],", b'{"model":"a","messages":[{"content":[%s0]}],"mod\\u0065l":"b"}'),
     filled(b"{},", b'{"model":"a","messages":[%s{}]}')],
    ids=["tokens", "starts", "escapes", "slashes", "newlines", "numbers", "fields", "brackets", "messages"],
)  # fmt: skip
def test_no_body_takes_long_to_read(raw: bytes) -> None:
    """Each of them took from one to ten seconds when read piece by piece."""
    began = time.thread_time()
    with contextlib.suppress(TooLarge):
        PARSER.parse(raw, chat=True).split()
    assert time.thread_time() - began < 3.0


@pytest.mark.parametrize("given", [b"-1000", b"-0.5", b"10"])
def test_a_priority_beyond_all_others_is_refused(given: bytes) -> None:
    raw = b'{"model":"m", "x":{"priority":-7}, "priority" : %s ,"messages":[]}'
    for body in (raw, raw.replace(b'priority" :', b'prior\\u0069ty" :')):
        for chat in (True, False):
            with pytest.raises(BadRequest, match="between 0 and 9"):
                PARSER.parse(body % given, chat=chat)
            assert PARSER.parse(body % b"9", chat=chat).with_model("m") == body % b"9"


def test_the_number_of_choices_is_bounded() -> None:
    for right in (b"1", b"128", b"1.0e0", b"null"):
        assert PARSER.parse(b'{"model":"m","messages":[],"n":%s}' % right, chat=True).model == "m"
    for wrong in (b"129", b"500", b'"500"', b"1e9", b"[1]"):
        with pytest.raises(BadRequest, match=r"`n`|\$\.n") as refused:
            PARSER.parse(b'{"model":"m","prompt":"x","n":%s}' % wrong, chat=False)
        assert refused.value.param == "n"


def test_prompts_of_completions_pass_as_they_are() -> None:
    raw = b'{"model":"m","prompt":"<|user|> hello","stream":true,"user":"u"}'
    body = PARSER.parse(raw, chat=False)
    assert body.with_model("m") == raw
    assert body.user == "u"


@pytest.mark.parametrize(
    "raw",
    [b"", b"[]", b"null", b"{}", b'{"model":null,"messages":[]}', b'{"model":"m"}', b'{"model":"m","messages":{}}',
     b'{"model":"m","messages":["x"]}', b"\xff\xfe", b'{"model":"m","messages":' + b"[" * 100_000,
     b'{"model":"m","messages":[]} extra', b'{"model":"m","messages":[{"content":"\xff"}]}',
     b'{"model":"m","messages":[],"x":"\xff"}', b'{"model":"m","messages":[{"content":"\\ud800"}]}',
     b'{"model":"m","messages":[],"priority":"-5"}'],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(raw: bytes) -> None:
    with pytest.raises(BadRequest):
        PARSER.parse(raw, chat=True)


@pytest.mark.parametrize("text", ["{" * 110_000, "{}" * 60_000, '{\\"a\\":' * 110_000, "<p>" * 110_000])
def test_what_looks_like_too_much_within_a_text_is_text(text: str) -> None:
    raw = b'{"model":"m","messages":[{"role":"user","content":"%s"}]}' % text.encode()
    assert PARSER.parse(raw, chat=True).with_model("m") == raw


def test_messages_are_counted_as_they_are_parsed() -> None:
    raw = b'{"model":"m","messages":[%s{}],"tools":[%s{}]}'
    within = raw % (b"{}," * (MAX_MESSAGES - 1), b"{}," * MAX_MESSAGES)
    for _ in range(2):  # one body's messages do not count against another's
        assert len(PARSER.parse(within, chat=True).messages) == MAX_MESSAGES
        with pytest.raises(TooLarge, match="messages"):
            PARSER.parse(raw % (b"{}," * MAX_MESSAGES, b""), chat=True)


@pytest.mark.parametrize(
    "field", [b'"stream":"yes"', b'"temperature":"hot"', b'"user":7', b'"tools":{}', b'"messages":[{"role":7}]'],
)  # fmt: skip
def test_a_field_that_routing_does_not_need_is_the_engines_to_judge(field: bytes) -> None:
    messages = b"" if b"messages" in field else b',"messages":[]'
    raw = b'{"model":"m",%s%s}' % (field, messages)
    assert PARSER.parse(raw, chat=True).with_model("m") == raw


@pytest.mark.parametrize(
    ("raw", "param", "code"),
    [(b'{"messages":[]}', "model", "missing_required_parameter"),
     (b'{"model":"m"}', "messages", "missing_required_parameter"), (b'{"model":7}', "model", "invalid_request"),
     (b'{"model":"m","messages":7}', "messages", "invalid_request"),
     (b'{"model":"m","messages":[7]}', "messages", "invalid_request"), (b"{", None, "invalid_request"),
     (b"[]", None, "invalid_request"), (b'{"model":"\xff","messages":[]}', None, "invalid_request"),
     (b'{"model":"m","x":' + b"[" * 100_000, None, "invalid_request")],
)  # fmt: skip
def test_a_refusal_names_the_parameter_and_never_quotes_the_parser(raw: bytes, param: str | None, code: str) -> None:
    with pytest.raises(BadRequest) as refused:
        PARSER.parse(raw, chat=True)
    assert (refused.value.param, refused.value.code) == (param, code)
    assert not re.search(r"\$|byte|malformed|Expected|Object|decode|codec|recurs|nested", refused.value.message)


def test_a_model_is_known_of_a_body_that_lacks_another_field() -> None:
    assert model_of(b'{"model":"m","messages":7}') == "m"
    assert model_of(b'{"model":7}') is None
    assert model_of(b"{") is None


def test_a_conversation_is_known_by_its_beginning() -> None:
    def said(role: str, content: str) -> Message:
        return Message(msgspec.Raw(f'"{role}"'.encode()), msgspec.Raw(content.encode()))

    start = [said("system", '"s"'), said("user", '"你好"')]
    longer = [*start, said("assistant", '"a"'), said("user", '"b"')]
    escaped = [start[0], said("us\\u0065r", r'"\u4f60\u597d"')]
    assert conversation_hash("k", start) == conversation_hash("k", longer) == conversation_hash("k", escaped)
    assert conversation_hash("k", start) != conversation_hash("other", start)
    assert conversation_hash("k", start) != conversation_hash("k", [start[0], said("user", '"您好"')])
