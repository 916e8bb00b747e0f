"""A line on every request, and nothing that anybody wrote."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.gateway.observing.access_log import AccessLog
from serving.gateway.observing.ledger import Finished
from serving.gateway.observing.opening import observed
from tests.serving.gateway.conftest import Running, both, document
from tests.serving.gateway.upstream import Engine
from understudy.config import Config
from understudy.state import StateDir

Serve = Callable[..., Running]
Make = Callable[..., Engine]
SECRETS = ("geheim", "name-of-a-user", "name-of-a-session", "words of a model", "sk-secret", "id-of-a-client")


def test_every_request_is_a_line_without_a_word_of_anybody(
    serve: Serve, engine: Make, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    running = serve(document(both(engine)))
    headers = {
        "x-understudy-user": "name-of-a-user", "x-understudy-session": "name-of-a-session",
        "authorization": "Bearer sk-secret", "x-request-id": "id-of-a-client",
    }  # fmt: skip
    with observed(running.gateway, Config({}), state_dir, "gateway-1"):
        client = running.client
        client.chat("geheim", model="teacher", headers=headers)
        client.chat("geheim", model="student", headers={**headers, "x-understudy-no-capture": "1"}, stream=True)
        client.chat("geheim", model="words of a model")
        client.send("POST", "/v1/chat/completions", b'{"geheim": ', headers)
    text = (state_dir.logs / "gateway-1.access.jsonl").read_text()
    assert [secret for secret in SECRETS if secret in text] == []
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(one["status"], one.get("arm"), one.get("model")) for one in lines] == [
        (200, "teacher", "teacher"), (200, "student", "student"), (404, None, None), (400, None, None),
    ]  # fmt: skip
    assert lines[0]["completion_tokens"] > 0
    assert 0 < lines[0]["ttft"] <= lines[0]["seconds"]
    assert [one["stream"] for one in lines[:2]] == [False, True]
    assert running.gateway.ledger is not None
    assert running.gateway.ledger.counts == {"told": 4, "dropped": 0}


def test_it_can_be_left_out(serve: Serve, engine: Make, state_dir: StateDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    running = serve(document(both(engine)))
    with observed(running.gateway, Config({"telemetry": {"access_log": False}}), state_dir, "gateway-1"):
        running.client.chat(model="teacher")
    assert not state_dir.logs.exists()


def test_the_file_is_its_owners_alone_and_stays_short(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "g.access.jsonl"
    log = AccessLog(path, most=1000)
    for number in range(30):
        log([Finished(1.0, 1.0, 0.5, str(number), "/v1/completions", 200, "complete", "default")])
    files = sorted(path.parent.iterdir())
    assert [one.name for one in files] == ["g.access.jsonl", "g.access.jsonl.1"]
    assert all(stat.S_IMODE(one.stat().st_mode) == 0o600 for one in files)
    assert all(one.stat().st_size < 1300 for one in files)
    last = (files[0].read_text() or files[1].read_text()).splitlines()[-1]
    assert json.loads(last)["request"] == "29"
