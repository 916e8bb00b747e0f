"""What clients of tenants with limits are told, and what is counted of their requests."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from serving.gateway.access.key_file import hashed
from serving.gateway.access.ring import KeyRing
from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, response, says
from tests.waiting import eventually

Serve = Callable[..., Running]
Make = Callable[..., Engine]


def test_a_tenant_above_its_requests_gets_429_in_the_words_of_openai(serve: Serve, teacher: Engine) -> None:
    running = serve(document({"teacher": teacher}), tenants={"default": {"requests_per_minute": 2}})
    teacher.script = says(response(b"{}", extra="x-ratelimit-limit-requests: 9999\r\nx-engine: 1\r\n"))
    for left in ("1", "0"):
        status, headers, _ = running.client.chat()
        assert (status, headers["x-engine"]) == (200, "1")
        assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", left)
        assert "x-ratelimit-limit-tokens" not in headers
    status, headers, body = running.client.chat()
    assert (status, body["error"]["type"], body["error"]["code"], body["error"]["param"]) == (
        429, "requests", "rate_limit_exceeded", None,
    )  # fmt: skip
    assert 1 <= int(headers["retry-after"]) <= 30
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert len(teacher.seen) == 2
    assert 'understudy_rate_limited_total{limit="requests"} 1' in running.client.send("GET", "/metrics")[2].decode()


def test_without_limits_an_engines_own_pass(gateway: Running, teacher: Engine) -> None:
    teacher.script = says(response(b"{}", extra="x-ratelimit-limit-requests: 9999\r\n"))
    assert gateway.client.chat()[1]["x-ratelimit-limit-requests"] == "9999"


def test_tokens_are_settled_by_the_usage_of_replies_streamed_or_not(serve: Serve, teacher: Engine) -> None:
    running = serve(document({"teacher": teacher}), tenants={"*": {"tokens_per_minute": 1000}})
    used = b'data: {"usage": {"total_tokens": 7}}\n\n'
    for stream in (False, True):
        if stream:
            teacher.script = says(SSE_HEAD, chunk(event("x")), chunk(used), chunk(b"data: [DONE]\n\n"), chunk(b""))
        for _ in range(5):
            status, headers, _ = running.client.chat(max_tokens=800, stream=stream)
            assert status == 200
            assert int(headers["x-ratelimit-remaining-tokens"]) < 200
    teacher.script = says(response(b'{"error": {}}', "400 Bad Request"))
    for _ in range(5):
        assert running.client.chat(max_tokens=800)[0] == 400
    status, headers, _ = running.client.chat(max_tokens=1)
    assert int(headers["x-ratelimit-remaining-tokens"]) > 850


def test_requests_at_once_are_free_again_however_they_end(serve: Serve, teacher: Engine) -> None:
    running = serve(document({"teacher": teacher}), tenants={"default": {"max_concurrent": 1}})
    teacher.script = says(SSE_HEAD, chunk(event("x")), 30.0)
    first = threading.Thread(
        target=lambda: running.client.chat(stream=True, headers={"x-understudy-deadline": "6"}), daemon=True
    )
    first.start()
    eventually(lambda: bool(teacher.seen))
    status, headers, body = running.client.chat()
    assert (status, body["error"]["type"], headers["retry-after"]) == (429, "concurrent", "1")
    first.join()
    for ending in (says("reset"), says(response(b"{}", "500 Internal Server Error")), says(response(b"{}"))):
        teacher.script = ending
        assert running.client.chat()[0] in (200, 500, 502)
    assert running.client.chat(model="nobody")[0] == 404
    teacher.script = None
    assert running.client.chat()[0] == 200


def test_each_tenant_has_its_own_limits_and_prompts(serve: Serve, teacher: Engine) -> None:
    running = serve(
        document({"teacher": teacher}), max_prompt=100,
        tenants={"shop": {"requests_per_minute": 1}, "bank": {"max_prompt": 10}},
    )  # fmt: skip
    keys = {name: {"authorization": f"Bearer {name}-key"} for name in ("shop", "bank", "post")}
    tenants = {hashed(b"s", f"{name}-key"): name for name in keys}
    running.gateway.keys.take(KeyRing(True, b"s", tenants))
    assert [running.client.chat(headers=keys["shop"])[0] for _ in range(2)] == [200, 429]
    assert [running.client.chat(headers=keys["post"])[0] for _ in range(3)] == [200] * 3
    assert running.client.chat("x" * 10, headers=keys["bank"])[0] == 200
    status, _, body = running.client.chat("x" * 11, headers=keys["bank"])
    assert (status, "gateway.tenants, bank: max_prompt" in body["error"]["message"]) == (413, True)
    status, _, body = running.client.chat("x" * 101, headers=keys["post"])
    assert (status, "gateway.max_prompt" in body["error"]["message"]) == (413, True)


def test_what_a_refusal_says_is_json_for_a_stream_too(serve: Serve, teacher: Engine) -> None:
    running = serve(document({"teacher": teacher}), tenants={"default": {"requests_per_minute": 1}})
    running.client.chat()
    status, headers, raw = running.client.chat(stream=True)
    assert (status, headers["content-type"]) == (429, "application/json")
    assert json.loads(raw)["error"]["code"] == "rate_limit_exceeded"
