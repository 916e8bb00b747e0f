"""Tokens of a request: guessed before, read after."""

from __future__ import annotations

import json

import pytest

from serving.gateway.tenants.cost import TAIL, ReplyMeter, estimated


def body(**fields: object) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": "x" * 4000}], **fields}).encode()


@pytest.mark.parametrize(
    ("fields", "reply"),
    [({}, 512), ({"max_tokens": 7}, 7), ({"max_completion_tokens": 9, "max_tokens": 7}, 9), ({"n": 3}, 1536),
     ({"max_tokens": 7, "n": 2}, 14), ({"max_tokens": None}, 512), ({"max_tokens": "7"}, 512),
     ({"max_tokens": -7}, 512),
     ({"n": 0}, 512), ({"max_tokens": 7.0}, 7), ({"max_tokens": 1e300}, 512), ({"n": True}, 512)],
)  # fmt: skip
def test_a_prompt_by_its_bytes_and_a_reply_by_what_is_asked(fields: dict[str, object], reply: int) -> None:
    raw = body(**fields)
    assert estimated(raw, 512) == -(-len(raw) // 4) + reply
    assert estimated(raw, None) == -(-len(raw) // 4)


def test_what_is_no_json_is_guessed_all_the_same() -> None:
    assert estimated(b"x" * 8, 512) == 514
    assert estimated(b'{"max_tokens": ' + b"[" * 5000, 512) > 512


def metered(*parts: bytes) -> int:
    meter = ReplyMeter(b"x" * 400)
    for part in parts:
        meter.feed(part)
    return meter.used()


def test_a_reply_says_what_it_used_however_it_is_cut() -> None:
    usage = {"prompt_tokens": 3, "total_tokens": 17, "details": {"cached": 1}}
    said = 'said: "total_tokens": 5, \\"total_tokens\\": 6'
    reply = json.dumps({"choices": [{"text": said}], "usage": usage}).encode()
    assert metered(reply) == 17
    assert all(metered(reply[:cut], reply[cut:]) == 17 for cut in range(len(reply)))
    assert metered(*(bytes([byte]) for byte in reply)) == 17
    assert metered(b"y" * 100_000, reply) == 17
    assert metered(b"y" * TAIL + reply) == 17


def test_a_stream_says_it_in_its_last_event_that_does() -> None:
    events = b"".join(b'data: {"usage": {"total_tokens": %d}}\n\n' % n for n in (5, 6, 7)) + b"data: [DONE]\n\n"
    assert metered(events) == 7


def test_what_says_nothing_is_guessed_by_what_came() -> None:
    assert metered(*[b'data: {"choices": [{"delta": {"content": "x"}}]}\n\n'] * 50) == 100 + 50
    assert metered(b"z" * 40) == 100 + 10
    assert metered() == 0
