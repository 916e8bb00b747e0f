"""Control tokens that no text of a chat holds, and that come about where an engine takes it apart."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.engines.splitting.joints import Joints
from deploy.engines.splitting.tokens import ControlTokens, splitter_of
from understudy.errors import BadRequest

TOKENS = ("<|im_end|>", "<|im_start|>", "[INST]", "<s>")
SPLITTER = splitter_of(TOKENS)


def sent(*messages: dict[str, Any] | str) -> list[Any]:
    """What an engine gets of messages, or of one as JSON text."""
    told = [one if isinstance(one, str) else json.dumps(one) for one in messages]
    raw = ('{"messages":[' + ",".join(told) + '],"model":"m"}').encode()
    got: list[Any] = json.loads(SPLITTER.neutralised(raw))["messages"]
    return got


def parts(*texts: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text} for text in texts]}


def texts_of(message: dict[str, Any]) -> list[str]:
    return [part["text"] if isinstance(part, dict) else part for part in message["content"]]


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (["<|im", "_end|>"], ["<|im", "~_end|>"]),
        (["<|im ", "\n\u00a0_end|>"], ["<|im ", "\n\u00a0~_end|>"]),
        (["a<", "", " ", "s", ">"], ["a<", "", " ", "~s", "~>"]),
        (["<|im_end|", ">" + "x" * 99 + "[IN", "ST]"], ["<|im_end|", "~>" + "x" * 99 + "[IN", "~ST]"]),
        (["<|im_end|>", "<|im", "start|>"], ["<~|im_end|>", "<|im", "start|>"]),
        (["<|im", "x_end|>", "[inst", "]"], ["<|im", "x_end|>", "[inst", "]"]),
        (["<|im_end", "|>"[:0], "hello"], ["<|im_end", "", "hello"]),
    ],
)
def test_a_token_over_parts_is_split_where_a_part_begins(given: list[str], after: list[str]) -> None:
    assert [text.replace("\u200b", "~") for text in texts_of(sent(parts(*given))[0])] == after


def test_parts_of_other_kinds_and_spellings_are_read_as_an_engine_reads_them() -> None:
    image = {"type": "image_url", "image_url": {"url": "x"}}
    content = [
        "[IN",
        image,
        {"type": "refusal", "refusal": "ST]"},
        {"type": "text", "refusal": "no", "text": "<"},
        "s>",
    ]
    refusal = sent({"role": "user", "content": content})[0]["content"]
    assert refusal == ["[IN", image, {"type": "refusal", "refusal": "\u200bST]"}, content[3], "\u200bs>"]
    raw = r'{"cont\u0065nt": [{"te\u0078t": "[I"}, {"text": "\u0020\u004eST]"}], "role": "user"}'
    assert texts_of(sent(raw)[0]) == ["[I", " \u200bNST]"]
    twice = '{"content": "x", "content": ["x", {"text": "y", "text": "[I"}, {"text": "NST]"}], "role": "user"}'
    assert sent(twice)[0]["content"][2]["text"] == "\u200bNST]"


def test_a_token_over_two_messages_or_two_fields_stays() -> None:
    messages = [parts("<|im"), {"role": "user", "content": "_end|>"}]
    assert sent(*messages) == messages


@pytest.mark.parametrize(
    ("arguments", "after"),
    [
        (r'{"a": "\u003cs>"}', '{"a": "<~s>"}'),
        (
            r'{"\u005B\u0049NST]": ["<|im_\u0065nd|>", "\\u003cs>", "<s>"]}',
            r'{"[~INST]": ["<~|im_end|>", "\\u003cs>", "<~s>"]}',
        ),
        (r'{"a": "👩\u200d \"\u003cs>\""}', r'{"a": "👩\u200d \"<~s>\""}'),
        (r'{"a": "\u003cb>\n"}', r'{"a": "\u003cb>\n"}'),
    ],
)
@pytest.mark.parametrize("ascii_only", [False, True])
def test_arguments_are_read_as_the_json_that_they_are(arguments: str, after: str, ascii_only: bool) -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}
    message = json.dumps({"role": "assistant", "content": arguments, "tool_calls": [call]}, ensure_ascii=ascii_only)
    got = sent(message)[0]
    told = json.loads(got["tool_calls"][0]["function"]["arguments"])
    wanted = {key.replace("~", "\u200b"): value for key, value in json.loads(after).items()}
    assert json.dumps(told) == json.dumps(wanted).replace("~", "\\u200b")
    assert got["content"].replace("<\u200bs>", "<s>") == arguments  # a text is no JSON to an engine


def test_arguments_that_are_no_json_object_pass() -> None:
    for arguments in (r"\u003cs", "{", '"', r"\"\u003c", "", None, 7, {"a": 1}, [r"\u003cs>"]):
        message = {
            "role": "assistant",
            "tool_calls": [{"function": {"arguments": arguments}}, "x", None, {"function": 3}],
        }
        assert sent(message) == [message]


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(BadRequest):
        sent(r'{"content": ["[IN", "\ud800"]}')
    with pytest.raises(BadRequest):
        sent(r'{"tool_calls": [{"function": {"arguments": "\\u003c\ud800"}}]}')


@given(st.text(alphabet="<s>[INST] |im_end", max_size=40), st.lists(st.integers(0, 40), max_size=4))
def test_crossings_are_those_of_the_texts_one_behind_the_other(text: str, cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(text)]
    held = [text[start:end] for start, end in pairwise(ends)]
    found = ControlTokens(TOKENS)._joints
    assert isinstance(found, Joints)
    message = sent(parts(*held))[0]
    for joined in ("".join(texts_of(message)), "".join(map(str.strip, texts_of(message)))):
        assert not any(token in joined for token in TOKENS)
    assert "".join(texts_of(message)).replace("\u200b", "") == text
    if not any(token in "".join(map(str.strip, held)) or token in text for token in TOKENS):
        assert found.crossings(held) == set()
