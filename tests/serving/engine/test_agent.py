"""The agents: swaps under streams, bad versions, deaths of everything that can die."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from tests.engines import EARLIER, LATER, TEACHER, Engines, register
from tests.serving.engine import models
from tests.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]
STREAM = {"model": "student", "prompt": [5, 6, 7], "max_tokens": 800, "ignore_eos": True, "stream": True}


class Stream(threading.Thread):
    """A long streamed completion of student-b's version, read in a thread."""

    def __init__(self, engines: Engines, version: str) -> None:
        super().__init__()
        self.engines, self.version = engines, version
        self.began, self.cut = threading.Event(), threading.Event()
        self.chunks: list[str] = []
        self.status = 0

    def run(self) -> None:
        url, headers = self.engines.url("student-b") + "/v1/completions", self.engines.headers(self.version)
        with httpx.stream("POST", url, json=STREAM, headers=headers, timeout=60) as response:
            self.status = response.status_code
            for line in response.iter_lines():
                self.began.set()
                self.chunks.append(line)
                if self.cut.is_set():
                    return


def in_flight(engines: Engines) -> int:
    return int(engines.control("student-b", "GET", "/understudy/state").json()["in_flight"])


def test_a_swap_waits_for_the_stream_and_the_stream_keeps_its_version(settled: Engines) -> None:
    stream = Stream(settled, LATER)
    stream.start()
    assert stream.began.wait(60)
    assert in_flight(settled) == 1
    before = settled.pid("student-b")
    settled.want(student_b=EARLIER)
    beats = settled.wait(student_b=EARLIER)
    stream.join(60)
    assert (stream.status, stream.chunks[-2]) == (200, "data: [DONE]")
    texts = [json.loads(c[6:]) for c in stream.chunks if c.startswith("data: {")]
    assert not [t for t in texts if "error" in t]
    assert texts[-1]["choices"][0]["finish_reason"] == "length"
    assert (beats["student-b"].pid, beats["student-b"].load_seconds is None) == (before, False), "a load in place"
    assert (beats["student-b"].fingerprint or 0) < 0.02


def test_a_client_that_goes_away_is_no_longer_counted(settled: Engines) -> None:
    stream = Stream(settled, LATER)
    stream.start()
    assert stream.began.wait(60)
    stream.cut.set()
    stream.join(60)
    eventually(lambda: in_flight(settled) == 0, what="an idle engine")


def test_a_slot_that_carries_traffic_is_not_loaded(settled: Engines) -> None:
    before = settled.pid("student-a")
    settled.want(student_a=LATER, stable=EARLIER)
    published = time.time()
    settled.until(lambda b: b["student-a"].at > published + 1.5)
    state = settled.control("student-a", "GET", "/understudy/state").json()
    assert (state["version"], state["open"]) == (EARLIER, True)
    assert settled.pid("student-a") == before


def test_a_bit_flipped_version_is_bad_and_the_engine_serves_on(settled: Engines, tmp_path: Path) -> None:
    folder = register(settled.registry, settled.registry.path(EARLIER), "v7", tmp_path)
    raw = bytearray((folder / "model.safetensors").read_bytes())
    raw[-5] ^= 1
    (folder / "model.safetensors").write_bytes(raw)
    settled.want(student_b="v7")
    beats = settled.until(lambda b: "v7" in b["student-b"].bad)
    assert "model.safetensors" in beats["student-b"].bad["v7"]
    assert (beats["student-b"].version, beats["student-b"].ready) == (LATER, True)


def test_nan_weights_are_never_open_and_the_slot_returns_to_the_last_good_version(
    settled: Engines, tmp_path: Path
) -> None:
    good = settled.registry.path(EARLIER)

    def spoil(tensors: dict[str, object]) -> None:
        tensors["lm_head.weight"][3, 3] = float("nan")  # type: ignore[index]

    folder = models.variant(good, tmp_path / "nan", spoil)
    (folder / "fingerprint.json").write_bytes((good / "fingerprint.json").read_bytes())
    settled.registry.register(
        folder, kind="student", parent=None, teacher=None, round=None, lineage={}, metrics={}, version="v8"
    )
    settled.want(student_b="v8")
    beats = settled.until(lambda b: "v8" in b["student-b"].bad and b["student-b"].ready)
    assert beats["student-b"].version == LATER
    assert "finite" in beats["student-b"].bad["v8"]


def test_a_version_whose_fingerprint_is_not_met_is_bad(settled: Engines, tmp_path: Path) -> None:
    folder = models.variant(settled.registry.path(EARLIER), tmp_path / "wrong", lambda tensors: None)
    (folder / "fingerprint.json").write_bytes((settled.registry.path(LATER) / "fingerprint.json").read_bytes())
    settled.registry.register(
        folder, kind="student", parent=None, teacher=None, round=None, lineage={}, metrics={}, version="v9"
    )
    settled.want(student_b="v9")
    beats = settled.until(lambda b: "v9" in b["student-b"].bad and b["student-b"].ready)
    assert "nats" in beats["student-b"].bad["v9"]
    assert beats["student-b"].version == LATER


def test_another_chat_template_is_served_by_a_restart_of_the_idle_engine(settled: Engines, tmp_path: Path) -> None:
    source = models.variant(settled.registry.path(EARLIER), tmp_path / "template", lambda tensors: None)
    template = source / "chat_template.jinja"
    template.write_text(template.read_text("utf-8") + "{# 另一个模板 #}", "utf-8")
    register(settled.registry, source, "v10", tmp_path / "models")
    before = settled.pid("student-b")
    settled.want(student_b="v10")
    assert settled.wait(student_b="v10")["student-b"].pid != before


@pytest.mark.parametrize("victim", ["API server", "engine core"])
def test_a_killed_engine_is_back_in_service(settled: Engines, victim: str) -> None:
    pid = settled.pid("student-b")
    core = psutil.Process(pid).children()[0]
    os.kill(pid if victim == "API server" else core.pid, signal.SIGKILL)
    settled.until(lambda b: not b["student-b"].ready)
    beats = settled.wait(student_b=LATER)
    assert beats["student-b"].pid != pid
    assert not psutil.pid_exists(pid)
    assert not core.is_running()


def test_a_new_agent_adopts_the_engine_of_a_killed_one(settled: Engines) -> None:
    pid = settled.pid("student-b")
    settled.kill("agent-student-b")
    response = httpx.post(
        settled.url("student-b") + "/v1/completions", json={"model": "student", "prompt": [5], "max_tokens": 1},
        headers=settled.headers(LATER), timeout=60,
    )  # fmt: skip
    assert response.status_code == 200
    settled.until(lambda b: "student-b" not in b)
    settled.start_agent("student-b")
    assert settled.wait(student_b=LATER)["student-b"].pid == pid


def test_engines_die_with_the_fork_server_and_return_with_the_next(settled: Engines) -> None:
    pids = [settled.pid(slot) for slot in ("teacher", "student-a", "student-b")]
    families = [p for pid in pids for p in (psutil.Process(pid), *psutil.Process(pid).children())]
    settled.kill("forkserver")
    _, alive = psutil.wait_procs(families, timeout=60)
    assert not [p for p in alive if p.status() != psutil.STATUS_ZOMBIE]
    settled.start_fork_server()
    beats = settled.wait(teacher=TEACHER, student_a=EARLIER, student_b=LATER)
    assert not set(pids) & {beat.pid for beat in beats.values()}
