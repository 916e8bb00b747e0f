"""Scoring over HTTP: what is asked, what is understood, and what happens when the teacher is busy, other or away."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.routing.document import EXTERNAL, SlotView
from online_distill.data.encoding import Encoded
from online_distill.teacher.scorer import EngineScorer, Politeness, targets
from understudy.errors import BadRequest, Conflict, Unavailable

TEXT = Encoded([0, 7, 8, 9, 4], start=3)


def position(own: int, k: int) -> dict[str, Any]:
    """k likely tokens, and the prompt's own one, which is none of them."""
    likely = {str(100 + i): {"logprob": -1.0 - i, "rank": i + 1} for i in range(k)}
    return {str(own): {"logprob": -12.0, "rank": 900}, **likely}


class Teacher:
    """An HTTP server that answers as vLLM does; `answers` are statuses to give before 200."""

    def __init__(self, port: int = 0) -> None:
        self.answers: list[int] = []
        self.seen: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.running = self.waiting = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                running, waiting = (f'vllm:num_requests_{name}{{engine="0"}}' for name in ("running", "waiting"))
                self._send(200, f"{running} {outer.running}\n{waiting} {outer.waiting}\n".encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.seen.append((body, {name.lower(): value for name, value in self.headers.items()}))
                status = outer.answers.pop(0) if outer.answers else 200
                choices = [
                    {"index": i, "prompt_logprobs": [None, *(position(t, body["prompt_logprobs"]) for t in ids[1:])]}
                    for i, ids in enumerate(body["prompt"])
                ]
                self._send(status, json.dumps({"choices": choices[::-1]}).encode())

            def _send(self, status: int, raw: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.slot = SlotView(
            desired="t1", version="t1", ready=True, model="teacher",
            url=f"http://127.0.0.1:{self.server.server_address[1]}",
        )  # fmt: skip
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def teacher() -> Iterator[Teacher]:
    made = Teacher()
    yield made
    made.stop()


def scorer(teacher: Teacher, key_file: Path | None = None, deadline: float = 5.0, **more: Any) -> EngineScorer:
    more.setdefault("sleep", lambda seconds: None)
    return EngineScorer(lambda: teacher.slot, key_file, "t1", top_k=3, deadline=deadline, **more)


def test_it_asks_by_token_ids_at_low_priority_and_names_the_version(teacher: Teacher, tmp_path: Path) -> None:
    key = tmp_path / "engine.key"
    key.write_text("secret\n")
    first, second = scorer(teacher, key).score([TEXT, Encoded([0, 5, 6, 4], start=1)])
    body, headers = teacher.seen[0]
    assert body["prompt"] == [[0, 7, 8, 9, 4], [0, 5, 6, 4]]
    assert (body["model"], body["prompt_logprobs"], body["priority"], body["max_tokens"]) == ("teacher", 3, 10, 1)
    assert headers["authorization"] == "Bearer secret"
    assert headers["x-understudy-version"] == "t1"
    assert first.ids.tolist() == [[100, 101, 102]] * 2
    np.testing.assert_allclose(first.logprobs, [[-1, -2, -3]] * 2)
    assert second.ids.shape == (3, 3)


def test_somebody_elses_teacher_is_asked_by_its_own_key_without_version_and_priority(
    teacher: Teacher, tmp_path: Path
) -> None:
    key = tmp_path / "engine.key"
    key.write_text("secret of ours\n")
    told = {"desired": EXTERNAL, "version": EXTERNAL, "api_key": "theirs"}
    slot = teacher.slot.model_copy(update=told)
    EngineScorer(lambda: slot, key, EXTERNAL, top_k=3, sleep=lambda _: None).score([TEXT])
    body, headers = teacher.seen[0]
    assert headers["authorization"] == "Bearer theirs"
    assert "priority" not in body
    assert "x-understudy-version" not in headers


def test_a_teacher_that_fails_or_serves_another_version_for_a_moment_is_asked_again(teacher: Teacher) -> None:
    teacher.answers = [503, 409, 500]
    assert len(scorer(teacher).score([TEXT])) == 1
    assert len(teacher.seen) == 4


def test_a_teacher_that_comes_back_is_used_and_one_that_does_not_is_unavailable() -> None:
    teacher = Teacher()
    port = int(teacher.server.server_address[1])
    teacher.stop()
    with pytest.raises(Unavailable, match="t1 gave no targets"):
        scorer(teacher, deadline=0.1).score([TEXT])
    back: list[Teacher] = []

    def come_back(seconds: float) -> None:
        if not back:
            back.append(Teacher(port))

    assert len(scorer(teacher, sleep=come_back).score([TEXT])) == 1
    back[0].stop()


def test_a_new_teacher_ends_the_scoring(teacher: Teacher) -> None:
    teacher.slot = teacher.slot.model_copy(update={"desired": "t2"})
    with pytest.raises(Conflict, match="t2"):
        scorer(teacher).score([TEXT])
    assert teacher.seen == []


def test_what_the_teacher_refuses_is_not_sent_again(teacher: Teacher) -> None:
    teacher.answers = [400]
    with pytest.raises(BadRequest, match="refused"):
        scorer(teacher).score([TEXT])
    assert len(teacher.seen) == 1


def test_it_waits_while_the_engine_is_busy_with_what_runs_and_what_waits(teacher: Teacher) -> None:
    teacher.running, teacher.waiting = 1.0, 9.0
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        teacher.waiting = 0.0

    scorer(teacher, sleep=nap, busy_running=2).score([TEXT])
    assert len(naps) == 1


def test_waiting_never_takes_more_than_its_share() -> None:
    now = 0.0
    polite = Politeness(0.5, clock=lambda: now)
    naps = 0
    for _ in range(100):
        while polite.may_wait():
            polite.waited, naps, now = polite.waited + 0.5, naps + 1, now + 0.5
            if naps > 1000:
                break
        now += 0.25
    assert polite.waited <= 0.5 * now + 0.5
    assert naps > 0


def test_answers_are_read_strictly() -> None:
    with pytest.raises(ValueError, match="positions"):
        targets([{}], TEXT, 3)
    with pytest.raises(ValueError, match="max-logprobs"):
        targets([{}, *({1: -1.0, 2: -2.0} for _ in range(4))], TEXT, 5)
