"""The light cut as `understudy up` runs it: unfit, taught by rounds, found fit, tried, live, and taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.smollm2 import fetch
from examples.smollm2.dialogues import HERE
from serving.control.client import Admin
from tests.shared_data import smollm2
from tests.waiting import eventually
from trials.system import System, on_free_ports

pytestmark = [
    pytest.mark.skipif(os.environ.get("UNDERSTUDY_FULL") != "1", reason="an hour of all cores: at full counts alone"),
    pytest.mark.timeout(7200),
]
LIVE_SECONDS = 5400
"""For rounds until the cut is fit, and for its canary."""
QUESTION = {"max_tokens": 8, "messages": [{"role": "user", "content": "My parcel has not come. What can I do?"}]}


@pytest.fixture
def up(tmp_path: Path) -> Iterator[System]:
    """The example on free ports, from nothing; what others run on this machine may take its time."""
    file = smollm2(tmp_path / "cache")
    env = {**on_free_ports(), fetch.VARIABLE: str(file), "UNDERSTUDY_ENGINES__FORK_WAIT": "300"}
    system = System(tmp_path / "state", "--config", str(HERE / "light.yaml"), env=env)
    system.gateway = f"http://127.0.0.1:{env['UNDERSTUDY_GATEWAY__PORT']}"
    yield system
    system.stop()


def test_it_becomes_fit_goes_live_under_traffic_and_is_taken_back(up: System) -> None:
    eventually(lambda: up.process.poll() is not None or "ready after" in up.tail(), 1500, "the start")
    assert up.process.poll() is None, up.tail()
    assert asked(up, "student").status_code == 503
    assert status(up)["unfit"]["note"].startswith("unfit: 24 of 30 layers of t1")
    eventually(lambda: status(up)["live"]["student"], LIVE_SECONDS, "a student that is live")
    live = status(up)["live"]["student"]
    rounds = Admin(up.state).get("/rounds")["rounds"]
    assert next(one for one in rounds if one["candidate"] == live)["state"] in ("live", "done")
    assert not [one for one in rounds if one["state"] == "failed"]
    eventually(lambda: asked(up, "student").headers.get("x-understudy-version") == live, 120, "its own answer")
    eventually(lambda: any(row["version"] == live for row in said(up)), 300, "a customer whom it answers")
    Admin(up.state).call("POST", "/rollback", json={})
    found = status(up)
    assert found["live"]["student"] is None
    assert found["unfit"]["version"] == next(one for one in rounds if one["candidate"] == live)["parent"]
    assert asked(up, "student").status_code == 503
    assert asked(up, "auto").headers["x-understudy-arm"] == "teacher"
    assert not [row for row in said(up) if not row["ok"] or row["truncated"] or row["mixed"]]


def status(up: System) -> dict[str, Any]:
    return dict(Admin(up.state).get("/status"))


def asked(up: System, model: str) -> httpx.Response:
    return httpx.post(f"{up.gateway}/v1/chat/completions", json={"model": model, **QUESTION}, timeout=120)


def said(up: System) -> list[dict[str, Any]]:
    """Rows of the example's customers, an exchange each."""
    text = (up.state / "run" / "traffic.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
