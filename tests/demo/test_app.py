"""The demo application as a process against a real HTTP server: what it sends and what it writes down."""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from demo import app
from demo.app import CustomerPace
from serving.up.show.traffic import TrafficTail
from tests.serving.up.server import served
from tests.waiting import LONG, eventually
from understudy.process.children import ROOT

HEADERS = {"x-understudy-arm": "student", "x-understudy-version": "v2"}
LATE = "no reply when the application ended"
SEEN: list[dict] = []
SAID: list[dict] = []


def chunk(text: str | None, reason: str | None = None, name: str = "r") -> bytes:
    delta = {"content": text} if text is not None else {}
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    body = {"id": name, "object": "chat.completion.chunk", "created": 1, "model": "student", "choices": [choice]}
    return f"data: {json.dumps(body)}\n\n".encode()


async def answer(request: Request) -> Response:
    body = await request.json()
    number = len(SEEN)
    heads = request.headers
    SEEN.append({**body, "session": heads["x-understudy-session"], "user": heads["x-understudy-user"]})
    if number % 5 == 3:
        return JSONResponse({"error": {"message": "no engine", "type": "server_error"}}, 502)
    if not body.get("stream"):
        message = {"role": "assistant", "content": "好的"}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        whole = {"id": "r", "object": "chat.completion", "created": 1, "model": "student", "choices": [choice]}
        return JSONResponse(whole, headers=HEADERS)

    async def parts():
        yield chunk("一")
        await asyncio.sleep(0.05)
        yield chunk("二", None, "other" if number % 7 == 1 else "r")
        if number % 3:
            yield chunk(None, "stop")
        yield b"data: [DONE]\n\n"

    return StreamingResponse(parts(), headers={**HEADERS, "content-type": "text/event-stream"})


async def feedback(request: Request) -> Response:
    SAID.append(await request.json())
    if len(SAID) % 9 == 8:
        return JSONResponse({"error": {"message": "the spool is full", "type": "server_error"}}, 503)
    return JSONResponse({"id": "k"}, 202)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict]:
    """Rows of a short run that ended by SIGTERM."""
    out = tmp_path_factory.mktemp("app") / "traffic.jsonl"
    routes = [
        Route("/v1/chat/completions", answer, methods=["POST"]), Route("/v1/feedback", feedback, methods=["POST"]),
    ]  # fmt: skip
    with served(Starlette(routes=routes)) as url:
        process = subprocess.Popen(
            [sys.executable, "-m", "demo.app", "--url", f"{url}/v1", "--out", str(out), "--rate", "60",
             "--warm-seconds", "0.5", "--users", "3"],
            cwd=ROOT,
        )  # fmt: skip
        try:
            eventually(lambda: len(out.read_text("utf-8").splitlines()) > 120, 60, "120 requests")
            process.terminate()
            assert process.wait(LONG) == 0
        finally:
            process.kill()
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def test_every_request_is_written_down_and_readable_by_the_view(rows: list[dict], tmp_path: Path) -> None:
    told, sent = {row["session"] for row in rows}, {body["session"] for body in SEEN}
    late = {row["session"] for row in rows if row["error"] == LATE}
    assert told - late <= sent <= told
    assert len(rows) == len(told) > 120
    tail = TrafficTail(tmp_path / "none")
    for row in rows:
        tail.take(row)
    assert tail.sent == len(rows)
    assert tail.failed > 0
    assert {tail.family(body["session"]) for body in SEEN} == {"general", "drift"}


def test_customers_say_what_they_made_of_each_reply_and_a_refusal_is_none_of_theirs(rows: list[dict]) -> None:
    good = {row["session"]: row for row in rows if row["ok"]}
    said: dict[str, dict[str, dict]] = {}
    for one in SAID:
        said.setdefault(one["id"].removesuffix(f"-{one['kpi']}"), {})[one["kpi"]] = one
    assert len(said) > 90
    assert said.keys() <= good.keys()
    facts = set()
    for session, told in list(said.items())[:80]:  # the last may have been cut off
        fact = good[session]["fact"]
        facts.add(fact)
        assert set(told) == {"click", "takeover", "session_end"} | (
            {"first_response_correct"} if fact is not None else set()
        )
        assert told["takeover"]["session_id"] == session == told["session_end"]["session_id"]
        assert told["click"]["response_id"] == good[session]["id"]
        if fact is not None:
            assert told["first_response_correct"]["response_id"] == good[session]["id"]
            assert told["first_response_correct"]["value"] is fact
    assert False in facts


def test_failures_truncation_and_changed_ids_are_seen(rows: list[dict]) -> None:
    failed = [row for row in rows if not row["ok"] and row["error"] != LATE]
    assert failed
    assert all("502" in row["error"] or "no engine" in row["error"] for row in failed)
    good = [row for row in rows if row["ok"]]
    assert {row["arm"] for row in good} == {"student"}
    assert {row["version"] for row in good} == {"v2"}
    assert any(row["truncated"] for row in good)
    assert any(row["mixed"] for row in good)
    assert not any(row["truncated"] for row in good if not row["stream"])


def test_the_longest_silence_lies_within_the_request(rows: list[dict]) -> None:
    for row in (row for row in rows if row["ok"]):
        assert 0 < row["gap"] <= row["end"] - row["t"] + 0.01
        assert row["t"] <= row["gap_at"] <= row["end"]
        assert row["ttft"] is not None


def test_half_stream_users_stay_few_and_the_new_kind_comes_late(rows: list[dict]) -> None:
    streamed = sum(bool(body.get("stream")) for body in SEEN) / len(SEEN)
    assert 0.3 < streamed < 0.7
    assert {body["user"] for body in SEEN} == {"user-0", "user-1", "user-2"}
    assert all(body["temperature"] == 0 and body["max_tokens"] == 64 for body in SEEN)
    assert {body["session"].split("-")[0] for body in SEEN} == {"general", "drift"}
    assert rows[0]["family"] == "general"
    assert {row["lang"] for row in rows} == {"en", "zh"}


def test_the_file_of_what_was_seen_is_bounded_while_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "FILE_BYTES", 1000)
    file = tmp_path / "traffic.jsonl"
    for number in range(200):
        app.write(file, {"number": number, "reply": "您的订单明天到。"})
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2200
    assert {path.name for path in tmp_path.iterdir()} == {"traffic.jsonl", "traffic.jsonl.1"}
    assert '"number": 199' in file.read_text("utf-8")


def test_no_more_is_under_way_than_a_slow_machine_bears() -> None:
    pace = CustomerPace(5.0, random.Random(1))
    quick = statistics.fmean(pace.wait() for _ in range(4000))
    for _ in range(100):
        pace.replied(0.1)
    same = statistics.fmean(pace.wait() for _ in range(4000))
    for _ in range(100):
        pace.replied(2.0)
    slow = statistics.fmean(pace.wait() for _ in range(4000))
    assert (quick, same, slow) == pytest.approx((0.2, 0.2, 2.0), rel=0.1)


def test_an_application_may_have_more_under_way() -> None:
    pace = CustomerPace(5.0, random.Random(1), under_way=4.0)
    for _ in range(100):
        pace.replied(2.0)
    assert statistics.fmean(pace.wait() for _ in range(4000)) == pytest.approx(0.5, rel=0.1)


def test_engines_that_have_not_answered_yet_are_not_asked_without_end(tmp_path: Path) -> None:
    asked: list[str] = []

    async def silent(request: Request) -> Response:
        asked.append(request.headers["x-understudy-session"])
        while not await request.is_disconnected():
            await asyncio.sleep(0.05)
        return JSONResponse({}, 502)

    with served(Starlette(routes=[Route("/v1/chat/completions", silent, methods=["POST"])])) as url:
        command = [sys.executable, "-m", "demo.app", "--url", f"{url}/v1", "--out", str(tmp_path / "t.jsonl"), "--rate"]
        process = subprocess.Popen([*command, "40"], cwd=ROOT)
        eventually(lambda: len(asked) >= app.IN_FLIGHT, 60, "its first requests")
        time.sleep(1)  # forty more customers come
        process.terminate()
        process.wait(LONG)
    assert len(asked) == app.IN_FLIGHT
