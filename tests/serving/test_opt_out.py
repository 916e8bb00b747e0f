"""Who opts out leaves nothing: in no spool, Redis or log, with no worker, and not with the arm that was not asked."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from deploy.engines.findings import FILE as FINDINGS
from feedback.kpis.store import KpiStore
from feedback.store.connection import connect
from feedback.store.server import RedisServer, free_port
from serving.gateway.metrics import Metrics
from tests.leaks import contents
from tests.serving.gateway.conftest import Client
from tests.serving.gateway.upstream import Engine
from tests.serving.test_serve import ENVIRONMENT, ROOT
from tests.waiting import LONG, eventually

ASKED = "the amber canoe waits behind lighthouse seventy"
SAID = "琥珀色的独木舟停在第七十号灯塔后面"
FIRST, LAST = "what else?", "and at last?"
WHO = "somebody-who-opted-out"
PROBES = f"state/registry/{FINDINGS}"
"""What the teacher answers to the controller's own probes, and this one says the same to everybody."""
PIECE = 12
"""Successive characters of which none may lie anywhere."""


@contextmanager
def served(folder: Path, redis: RedisServer, both: tuple[Engine, Engine]) -> Iterator[Client]:
    """Gateway, worker and controller as processes, all that they write under `folder`."""
    port, file = free_port(), folder / "understudy.yaml"
    engines = {
        name: {"url": f"{one.url}/v1", "model": name} for name, one in zip(("teacher", "student"), both, strict=True)
    }
    file.write_text(yaml.safe_dump({
        "engines": engines, "gateway": {"port": port}, "control": {"port": free_port()}, "redis": {"url": redis.url},
        "shadow": {"to_student": 1.0, "to_teacher": 1.0, "default_temperature": 0},
    }))  # fmt: skip
    command = [sys.executable, "-m", "understudy", "serve", "--config", str(file), "--state", str(folder / "state")]
    with (folder / "serve.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        client = Client(port, Metrics())
        eventually(lambda: client.send("GET", "/ready")[0] == 200, 60, "a gateway")
        yield client
    finally:
        process.terminate()
        assert process.wait(LONG) == 0


def traces(folder: Path, texts: tuple[str, ...]) -> list[str]:
    """Files under `folder` with a piece of a text, as it is or as JSON escapes it."""
    pieces = {text[at : at + PIECE] for text in texts for at in range(len(text) - PIECE + 1)}
    wanted = {form for piece in pieces for form in (piece.encode(), json.dumps(piece)[1:-1].encode())}
    files = contents(folder).items()
    return [str(path.relative_to(folder)) for path, raw in files if any(form in raw for form in wanted)]


def counted(kpis: KpiStore) -> int:
    """Requests of all arms; one that was copied to alone has none."""
    return sum(int(arm["requests"]["n"]) for arm in kpis.by("arm").values() if "requests" in arm)


def asked(engine: Engine, text: str) -> int:
    """How often an engine was asked `text`."""
    return sum(text.encode() in one.body for one in engine.seen)


@pytest.mark.parametrize("opted_out", [True, False])
def test_a_request_that_forbids_capture_leaves_no_trace(
    opted_out: bool, loop: asyncio.AbstractEventLoop, own_redis: RedisServer, tmp_path: Path
) -> None:
    """The same requests without the header are counted, so that the test can fail."""
    teacher, student = Engine("teacher", loop, words=(SAID,)), Engine("student", loop, words=(SAID,))
    teacher.start()
    student.start()
    who = {"x-understudy-user": WHO, "x-understudy-session": WHO}
    headers = who | ({"x-understudy-no-capture": "1"} if opted_out else {})
    with served(tmp_path, own_redis, (teacher, student)) as client:
        warm: list[int] = []

        def copied() -> bool:
            warm.append(client.chat(FIRST, "teacher")[0])
            return asked(student, FIRST) > 0

        eventually(copied, 60, "a system that copies")
        for model in ("teacher", "student"):
            for stream in (False, True):
                assert client.chat(ASKED, model, headers, stream=stream)[0] == 200
        assert client.send("POST", "/v1/chat/completions", f'{{"{ASKED}'.encode(), headers)[0] == 400
        assert client.chat(ASKED, ASKED, headers)[0] in (400, 404)
        assert client.chat(LAST, "teacher")[0] == 200
        kpis = KpiStore(connect(own_redis.url))
        sent = len(warm) + 1 + (0 if opted_out else 4)
        eventually(lambda: counted(kpis) >= sent, 60, "counts")
        assert counted(kpis) == sent
        assert not opted_out or asked(teacher, ASKED) + asked(student, ASKED) == 4
    connect(own_redis.url).save()
    if opted_out:
        assert traces(tmp_path, (ASKED, WHO)) == []
        assert set(traces(tmp_path, (SAID,))) <= {PROBES}
    teacher.stop()
    student.stop()
