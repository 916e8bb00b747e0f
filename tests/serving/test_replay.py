"""Replay against a real HTTP server: rows good and bad, refusals, truncation, arms and versions."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from feedback.store.server import free_port
from serving.replay import main
from tests.serving.up.server import served

SEEN: list[dict] = []


async def answer(request: Request) -> Response:
    body = await request.json()
    SEEN.append({**body, "session": request.headers.get("x-understudy-session")})
    text = body["messages"][-1]["content"]
    headers = {"x-understudy-arm": "student", "x-understudy-version": "v2"}
    if "too long" in text:
        return JSONResponse({"error": {"message": "too long"}}, 400)
    if "broken" in text:
        return JSONResponse({"error": {"message": "no engine"}}, 503)
    if not body["stream"]:
        return JSONResponse({"choices": [{"message": {"content": "好的"}}]}, headers=headers)

    async def parts():
        yield b'data: {"choices": []}\n\n'
        if "cut" not in text:
            yield b"data: [DONE]\n\n"

    return StreamingResponse(parts(), headers=headers)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served(Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])) as base:
        yield base


def say(*texts: str) -> dict:
    roles = ["user", "assistant"]
    return {"id": "对话-1", "messages": [{"role": roles[i % 2], "content": t} for i, t in enumerate(texts)]}


def replay(url: str, path: Path, capsys, *options: str) -> tuple[int, dict]:
    SEEN.clear()
    code = main([str(path), "--url", url, "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_dialogues_end_at_the_last_user_turn_and_bad_rows_are_named(url: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "rows.jsonl"
    first = json.dumps(say("你好", "您好，请讲", "我的订单呢？", "好的"), ensure_ascii=False)
    rows = [first, "{no json", '{"messages": 3}', ""]
    file.write_text("\n".join([*rows, json.dumps(say("one")), json.dumps({"messages": []})]))
    SEEN.clear()
    code = main([str(file), "--url", url, "--json"])
    printed = capsys.readouterr()
    result = json.loads(printed.out)
    assert code == 0
    assert (result["requests"], result["failures"], result["skipped_rows"]) == (2, 0, 3)
    assert result["arms"] == {"student": 2}
    assert result["versions"] == {"v2": 2}
    assert {"p50", "p90", "p99", "max"} == set(result["latency"])
    for number in (2, 3, 6):
        assert f"{file}:{number}: skipped" in printed.err
    assert main([str(file), "--url", url, "--json", "--strict"]) == 1
    longest = max(SEEN, key=lambda body: len(body["messages"]))
    assert [m["content"] for m in longest["messages"]] == ["你好", "您好，请讲", "我的订单呢？"]


def test_every_user_turn_from_a_packed_file_streamed(url: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "rows.jsonl.gz"
    with gzip.open(file, "wt") as out:
        out.write(json.dumps(say("a", "b", "c", "d", "e")) + "\n")
    code, result = replay(url, file, capsys, "--turns", "all", "--stream", "--concurrency", "2")
    assert (code, result["requests"], result["truncated"]) == (0, 3, 0)
    assert sorted(len(body["messages"]) for body in SEEN) == [1, 3, 5]


def test_refusals_are_counted_apart_and_server_errors_fail(url: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(say(text)) for text in ("too long", "fine")))
    code, result = replay(url, file, capsys)
    assert (code, result["refused"], result["failures"]) == (0, 1, 0)
    file.write_text(json.dumps(say("broken")))
    code, result = replay(url, file, capsys)
    assert (code, result["failures"], result["statuses"]) == (1, 1, {"503": 1})


def test_a_stream_without_its_end_is_truncated_and_fails(url: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(say("cut")))
    code, result = replay(url, file, capsys, "--stream")
    assert (code, result["truncated"]) == (1, 1)


def test_no_server_is_a_failure_with_its_reason(tmp_path: Path, capsys) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(say("x")))
    code, result = replay(f"http://127.0.0.1:{free_port()}", file, capsys)
    assert code == 1
    assert "ConnectError" in result["last_error"]


@pytest.mark.parametrize("rate", ["-1", "nan", "inf", "fast"])
def test_what_is_no_rate_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["rows.jsonl", f"--rate={rate}"])
    assert (refused.value.code, "--rate" in capsys.readouterr().err) == (2, True)


def test_a_rate_spreads_requests(url: str, tmp_path: Path, capsys) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(say(f"question {i}")) for i in range(6)))
    _, result = replay(url, file, capsys, "--rate", "10")
    assert result["requests"] == 6
    assert result["seconds"] >= 0.5


def test_it_says_why_requests_failed_where_nothing_answers_and_how_long_each_arm_took(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(say(text)) for text in ("好", "broken", "broken", "too long")))
    code, result = replay(url, file, capsys)
    assert code == 1
    assert result["reasons"] == {"503: no engine": 2, "400: too long": 1}
    assert set(result["latency_by_arm"]) == {"student"}
    assert result["latency_by_arm"]["student"]["p50"] > 0
    away = f"http://127.0.0.1:{free_port()}"
    _, result = replay(away, file, capsys)
    assert list(result["reasons"].values()) == [4]
    assert f"nothing answers at {away}/v1" in result["last_error"]
