"""Customers of the example ask turns of a file through a real client."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from examples.smollm2.app import drawing
from serving.up.show.traffic import TrafficTail
from tests.serving.up.server import served
from tests.waiting import eventually
from understudy.process.children import ROOT

DIALOGUE = [
    {"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "What?"},
    {"role": "user", "content": "My order."},
]  # fmt: skip


async def answer(request: Request) -> Response:
    asked = (await request.json())["messages"]
    message = {"role": "assistant", "content": str(len(asked))}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    whole = {"id": "r", "object": "chat.completion", "created": 1, "model": "teacher", "choices": [choice]}
    return JSONResponse(whole, headers={"x-understudy-arm": "student", "x-understudy-version": "v1"})


def test_its_turns_are_sent_and_nothing_is_said_of_facts(tmp_path: Path) -> None:
    out, prompts = tmp_path / "traffic.jsonl", tmp_path / "mine.jsonl"
    prompts.write_text(json.dumps({"messages": DIALOGUE}))
    with served(Starlette(routes=[Route("/v1/chat/completions", answer, methods=["POST"])])) as url:
        command = [sys.executable, "-m", "examples.smollm2.app", "--url", f"{url}/v1", "--out", str(out), "--rate",
                   "40", "--stream-share", "0", "--layers", "8", "--prompts", str(prompts)]  # fmt: skip
        process = subprocess.Popen(command, cwd=ROOT)
        try:
            eventually(lambda: len(out.read_text("utf-8").splitlines()) > 12, 60, "12 requests")
            process.terminate()
            assert process.wait(90) == 0
        finally:
            process.kill()
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert {row["reply"] for row in rows} == {"1", "3"}
    tail = TrafficTail(out)
    tail.read()
    assert tail.sent == len(rows)
    assert tail.failed == 0
    assert tail.right("dialogue") is None


def test_every_turn_is_drawn() -> None:
    known = [(str(n), ({"role": "user", "content": str(n)},)) for n in range(5)]
    draw = drawing(known)
    assert {draw(random.Random(seed), 0.0).id for seed in range(60)} == {"0", "1", "2", "3", "4"}
