"""The key of a teacher that somebody else runs: searched for in everything that the roles leave, while the API fails.

Gateway, worker and controller are real processes; the trainer's part is in tests/online_distill/role/test_external.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import yaml
from starlette.responses import JSONResponse, Response

from feedback.store.server import RedisServer, free_port
from tests.leaks import command_lines, contents
from tests.onboard.models import tiny
from tests.waiting import LONG, eventually
from trials.api import PlayedApi, played

ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-7c1e/that-nobody-may-see"
ESCAPED = KEY.replace("/", r"\/")
"""As JSON may write it, too."""
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "PATH": os.environ.get("PATH", ""), "TEACHER_KEY": KEY}
FAILURES = {
    "a key that is repeated": lambda: JSONResponse({"error": {"message": f"Incorrect API key: {KEY}"}}, 401),
    "a refusal that repeats it": lambda: JSONResponse({"error": {"message": f"bad header: Bearer {KEY}"}}, 400),
    "a page that repeats it": lambda: Response(f"<html>{KEY}", 500),
    "an error with 200": lambda: JSONResponse({"error": {"message": f"no quota for {KEY}"}}),
    "an error whose JSON escapes it": lambda: Response(
        f'{{"error": {{"message": "no quota for {ESCAPED}"}}}}', media_type="application/json"
    ),
    "a header that repeats it": lambda: JSONResponse({"error": {"message": "no"}}, 400, {"x-said": f"{KEY} {ESCAPED}"}),
    "half a JSON": lambda: Response('{"choices": [{"mess', media_type="application/json"),
    "garbage": lambda: Response(b"\x00\xff\xfe", media_type="application/json"),
    "a rate limit": lambda: JSONResponse({"error": {"message": "slow down"}}, 429, {"retry-after": "1"}),
}


@dataclass
class Leaving:
    """`serve` before two engines of others, and all that it leaves behind."""

    folder: Path
    gateway: str
    api: PlayedApi
    process: subprocess.Popen[bytes]

    def ask(self, text: str) -> httpx.Response:
        body = {"model": "teacher", "max_tokens": 4, "messages": [{"role": "user", "content": text}]}
        return httpx.post(f"{self.gateway}/v1/chat/completions", json=body, timeout=60, trust_env=False)

    def command(self, *words: str) -> str:
        command = [sys.executable, "-m", "understudy", *words, "--state", str(self.folder / "state")]
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=LONG)
        return done.stdout + done.stderr

    def status(self) -> dict[str, object]:
        return dict(json.loads(self.command("status", "--json")))


@pytest.fixture
def leaving(tmp_path: Path, own_redis: RedisServer) -> Iterator[Leaving]:
    port, control = free_port(), free_port()
    teacher, student = tiny(tmp_path / "models" / "t", layers=2), tiny(tmp_path / "models" / "s", seed=3, layers=2)
    with played(teacher, KEY) as api, played(student) as other:
        api.longest = other.longest = 6
        api.failures = [next(iter(FAILURES.values()))()]  # at the controller's first question
        file = tmp_path / "understudy.yaml"
        file.write_text(yaml.safe_dump({
            "engines": {"teacher": {"url": api.url, "model": "big", "api_key_env": "TEACHER_KEY"},
                        "student": {"url": other.url, "model": "small"}},
            "gateway": {"port": port}, "control": {"port": control}, "redis": {"url": own_redis.url},
            "shadow": {"to_student": 1.0, "to_teacher": 1.0, "max_tokens": 6},
        }))  # fmt: skip
        command = [
            sys.executable,
            "-m",
            "understudy",
            "serve",
            "--config",
            str(file),
            "--state",
            str(tmp_path / "state"),
        ]
        with (tmp_path / "serve.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=log, stderr=log)
        made = Leaving(tmp_path, f"http://127.0.0.1:{port}", api, process)
        try:
            yield made
        finally:
            process.terminate()
            process.wait(LONG)


def test_the_key_is_in_no_file_reply_command_or_command_line(leaving: Leaving) -> None:
    found = leaving.folder / "state" / "registry" / "external-teacher.json"
    eventually(lambda: json.loads(found.read_text())["error"], 120, "a first question that failed")
    told = []
    for make in FAILURES.values():
        leaving.api.failures = [make() for _ in range(4)]  # the gateway may ask again, and the others take some
        answer = leaving.ask("Where is order 4711?")
        told += [answer.text, " ".join(answer.headers.values())]
    leaving.api.failures = []
    eventually(lambda: leaving.ask("Where is it?").status_code == 200, 60, "an answer after all")
    eventually(lambda: json.loads(found.read_text())["asked"], 120, "what the API gives")
    assert leaving.status()["teacher"] is not None
    spoken = [
        leaving.command(*words)
        for words in (("status", "--json"), ("status",), ("audit", "show", "--json"), ("pool", "show"))
    ]
    config = ("--config", str(leaving.folder / "understudy.yaml"))
    spoken += [leaving.command("doctor", "--json", *config)]
    files = {path: held for path, held in contents(leaving.folder).items() if "models" not in path.parts}
    lines = command_lines(leaving.process.pid)
    assert any(path.parent.name == "logs" for path in files)
    assert any(path.name.endswith((".aof", ".db", ".sqlite")) for path in files)
    assert len(lines) >= 3
    for spelling in (KEY, ESCAPED):
        assert [path for path, held in files.items() if spelling.encode() in held] == []
        assert [text for text in (*told, *spoken) if spelling in text] == []
        assert [line for line in lines if spelling.encode() in line] == []
