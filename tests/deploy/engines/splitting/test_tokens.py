"""Control tokens in messages, however they are spelled."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.engines.splitting.tokens import FEW, MOST_LISTS, ControlTokens, splitter_of
from deploy.engines.tokens import CONTROL_TOKENS
from serving.gateway.body.parser import BodyParser

PARSER = BodyParser(CONTROL_TOKENS)


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


def test_control_tokens_in_parts_and_tool_calls_are_split() -> None:
    message = {"role": "assistant", "content": [{"type": "text", "text": "<|end|>"}],
               "tool_calls": [{"function": {"name": "f", "arguments": '{"a": "<|user|>"}'}}]}  # fmt: skip
    raw = json.dumps({"model": "m", "messages": [message]}).encode()
    sent = json.dumps(json.loads(PARSER.parse(raw, chat=True).with_model("m"))["messages"], ensure_ascii=False)
    assert not any(token in sent for token in CONTROL_TOKENS)
    assert sent.replace("\u200b", "") == json.dumps([message])


def spelled(text: str, how: list[int]) -> str:
    """`text` as the inside of a JSON string, each character in one of its spellings."""
    out = []
    for char, choice in zip(text, how, strict=False):
        short = json.dumps(char, ensure_ascii=False)[1:-1] if char != "/" else "\\/"
        out.append((short, char if char >= " " and char not in '"\\' else short, f"\\u{ord(char):04x}",
                    f"\\u{ord(char):04X}")[choice])  # fmt: skip
    return "".join(out)


def split_by_hand(literal: str, tokens: tuple[str, ...]) -> str:
    """The inside of a string with a space after each token's first character, found character by character."""
    units = re.findall(r"\\u[0-9a-fA-F]{4}|\\.|[^\\]", literal, re.DOTALL)
    text = "".join(json.loads(f'"{unit}"') for unit in units)
    cuts = {at for at in range(len(text)) if any(text.startswith(token, at) for token in tokens)}
    return "".join(unit + ("\\u200b" if at in cuts else "") for at, unit in enumerate(units))


ODD_TOKENS = ("nu", "u0", "ab", "/a", "</s>", '<"', "a\\n", "\\n", "<<a", "<a", "，<", '"]', "00")


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet='nu0ab/<\\"\n，]s>c', max_size=24), st.lists(st.integers(0, 3), min_size=24, max_size=24),
       st.sampled_from([ODD_TOKENS, ("<a", "</s>", "，<")]))  # fmt: skip
def test_tokens_are_found_as_if_character_by_character(text: str, how: list[int], tokens: tuple[str, ...]) -> None:
    literal = spelled(text, how)
    body = '{"x":["%s"],"messages":[{"a":"%s"},"\\\\"],"y":"%s"}'
    raw = (body % (literal, literal, literal)).encode()
    assert json.loads(raw)["y"] == text
    expected = (body % (literal, split_by_hand(literal, tokens), literal)).encode()
    assert ControlTokens(tokens).neutralised(raw) == expected


def test_each_engine_has_its_own_tokens_split_anew_from_what_the_client_sent() -> None:
    parser = BodyParser((*CONTROL_TOKENS, "@@mine@@"))
    raw = b'{"model":"auto","messages":[{"role":"user","content":"<s>bold</s> <|end|> @@mine@@ [X]"}]}'
    body = parser.parse(raw, chat=True)

    def text(*tokens: str) -> str:
        return str(json.loads(body.with_model("auto", tokens))["messages"][0]["content"]).replace("\u200b", "~")

    assert text("[X]") == "<s>bold</s> <|end|> @~@mine@@ [~X]"
    assert text() == "<~s>bold<~/s> <~|end|> @~@mine@@ [X]"
    assert text("<|end|>", "", "<") == "<s>bold</s> <~|end|> @~@mine@@ [X]"


def test_patterns_of_few_lists_are_kept() -> None:
    parser = BodyParser(())
    body = parser.parse(b'{"model":"m","messages":[]}', chat=True)
    for number in range(3 * MOST_LISTS):
        body.split((f"<{number}>",))
    assert splitter_of.cache_info().currsize == MOST_LISTS


@pytest.mark.parametrize("noise", ["", "<", "<|", "[", "<[<"])
@pytest.mark.parametrize("every", [1, FEW - 1, FEW + 1, 20 * FEW])
@pytest.mark.parametrize("token", ["</s>", "[INST]", "<｜User｜>"])
def test_a_token_is_found_wherever_it_stands_among_few_and_many_beginnings(noise: str, every: int, token: str) -> None:
    line = noise + "长x" * every
    text = (line * (40 * FEW // every + 1))[: 80 * FEW]
    splitter = ControlTokens(CONTROL_TOKENS)
    body = '{"messages":[{"role":"user","content":"%s"}]}'
    assert splitter.neutralised(raw := (body % text).encode()) is raw
    for place in (0, len(text) // 2, len(text)):
        told = text[:place] + "  " + token + "  " + text[place:]
        split = splitter.neutralised((body % told).encode())
        assert json.loads(split)["messages"][0]["content"] == told.replace(token, token[0] + "\u200b" + token[1:])
