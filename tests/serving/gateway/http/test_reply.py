"""The reply on its way to the client, and how it says that it ended."""

from __future__ import annotations

import json
from collections.abc import Callable

import openai
import pytest

from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.raw import STREAM, request, talk
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, says
from tests.waiting import eventually


def test_a_stream_is_passed_event_by_event(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(SSE_HEAD, chunk(event("一")), 60.0, chunk(event("二")))
    got, _ = talk(gateway.port, [request(STREAM)], until="一".encode())
    assert "一".encode() in got
    assert "二".encode() not in got


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_stream_that_breaks_off_ends_by_an_error_event(gateway: Running, teacher: Engine, how: str) -> None:
    half = event("cut off")[:30]
    teacher.script = says(SSE_HEAD, chunk(event("whole")), chunk(half), 0.1, how)
    got, end = talk(gateway.port, [request(STREAM)], until=None)
    body = got.partition(b"\r\n\r\n")[2]
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: ")]
    assert b"whole" in lines[0]
    assert json.loads(lines[-1][6:])["error"]["code"] == "upstream_broken"
    assert len(lines) == 2
    assert got.endswith(b"0\r\n\r\n")
    assert end == "eof"
    assert gateway.spool.exchanges[0].finish_reason == "error"


def test_a_stream_that_just_ends_without_its_last_event_is_an_error(gateway: Running, teacher: Engine) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
    teacher.script = says(head + event("so far"), 0.05, "close")
    assert b'"upstream_broken"' in talk(gateway.port, [request(STREAM)], until=None)[0]


def test_a_sized_reply_that_breaks_off_is_cut_not_completed(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhel", 0.05, "close")
    got, end = talk(gateway.port, [request()], until=None)
    assert end in ("eof", "reset")
    assert len(got.partition(b"\r\n\r\n")[2]) < 50


Serve = Callable[..., Running]


Make = Callable[..., Engine]


def test_the_engines_own_refusal_passes_unchanged(serve: Serve, engine: Make) -> None:
    engines = both(engine)
    refusal = b'{"error": {"message": "too long", "type": "BadRequestError", "param": null, "code": 400}}'
    engines["teacher"].script = says(response(refusal, "400 Bad Request"))
    running = serve(document(engines))
    status, _, raw = running.client.send(
        "POST", "/v1/chat/completions", b'{"model":"auto","messages":[{"role":"user","content":"x"}]}'
    )
    assert (status, raw) == (400, refusal)
    assert running.spool.exchanges[0].finish_reason == "refused"


@pytest.mark.parametrize(
    "said",
    ["This model's maximum context length is 2048 tokens. However, you requested 1 output tokens",
     "The decoder prompt (length 9) is longer than the maximum model length of 8."],
)  # fmt: skip
def test_a_prompt_that_is_too_long_gets_the_code_that_clients_look_for(serve: Serve, engine: Make, said: str) -> None:
    engines = both(engine)
    error = {"message": said, "type": "BadRequestError", "param": "input_text", "code": 400}
    engines["teacher"].script = says(response(json.dumps({"error": error}).encode(), "400 Bad Request"))
    running = serve(document(engines))
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key="any", max_retries=0) as client,
        pytest.raises(openai.BadRequestError) as refused,
    ):
        client.chat.completions.create(model="teacher", messages=[{"role": "user", "content": "x"}])
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.body == {**error, "code": "context_length_exceeded"}
    eventually(lambda: running.spool.raw)
    assert running.spool.exchanges[0].finish_reason == "refused"
