"""Faults on a running system with real engines: nothing wrong is ever served, and what dies comes back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from bench.system import ROOT, System
from deploy.audit import verify_chain
from deploy.registry import Registry
from feedback.redis_server import free_port
from tests.loop.processes import eventually, find_role
from understudy.state import StateDir

pytestmark = [pytest.mark.loop, pytest.mark.timeout(300)]

QUESTION = {"messages": [{"role": "user", "content": "Where is my order?"}], "max_tokens": 8, "temperature": 0}


def post(base: str, model: str = "student") -> httpx.Response:
    return httpx.post(f"{base}/v1/chat/completions", json={"model": model, **QUESTION}, timeout=60)


def register_copy(system: System, source: str, change: Path | None = None) -> str:
    registry = Registry(StateDir(system.state))
    manifest = registry.register(
        change or registry.path(source), kind="student", parent=source, teacher=None, round=None,
        lineage={"copy_of": source}, metrics={},
    )  # fmt: skip
    return manifest.version


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_one_flipped_bit_keeps_a_version_from_being_loaded(settled: System, name: str) -> None:
    live = settled.status()["live"]["student"]
    version = register_copy(settled, live)
    file = Registry(StateDir(settled.state)).path(version) / name
    os.chmod(file, 0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(RuntimeError, match=name):
        settled.post("/promote", {"version": version})
    assert settled.status()["live"]["student"] == live
    versions = {v["version"]: v["state"] for v in settled.admin.get("/versions").json()["versions"]}
    assert versions[version] == "bad"
    entries = settled.admin.get("/audit").json()["entries"]
    assert any(name in str(entry) and version in str(entry) for entry in entries)
    assert verify_chain(StateDir(settled.state).audit) >= len(entries)
    Registry(StateDir(settled.state)).archive(version)


def test_a_candidate_with_nan_weights_is_never_live(settled: System, tmp_path: Path) -> None:
    live = settled.status()["live"]["student"]
    folder = tmp_path / "broken"
    shutil.copytree(Registry(StateDir(settled.state)).path(live), folder)
    for stale in ("manifest.json", "READY"):
        (folder / stale).unlink(missing_ok=True)
    break_weights(folder / "model.safetensors")
    version = register_copy(settled, live, folder)
    with pytest.raises(RuntimeError, match=version):
        settled.post("/promote", {"version": version})
    assert settled.status()["live"]["student"] == live
    answer = post(settled.gateway)
    assert (answer.status_code, answer.headers["x-understudy-version"]) == (200, live)
    Registry(StateDir(settled.state)).archive(version)


def break_weights(path: Path) -> None:
    """Set one bf16 number in the middle of the file's data to NaN."""
    os.chmod(path, 0o644)
    data = bytearray(path.read_bytes())
    header = int.from_bytes(data[:8], "little")
    middle = 8 + header + ((len(data) - 8 - header) // 4) * 2
    data[middle : middle + 2] = b"\xc0\x7f"
    path.write_bytes(data)


@pytest.mark.parametrize("role", [("worker",), ("controller",), ("train",), ("serve",), ("engine", "student-a")])
def test_a_role_killed_comes_back_by_itself(settled: System, role: tuple[str, ...]) -> None:
    old = find_role(settled.state, *role)
    os.kill(old.pid, signal.SIGKILL)
    eventually(lambda: find_role(settled.state, *role).pid != old.pid, 30, f"a new {role}")
    eventually(lambda: post(settled.gateway).status_code == 200, 60, "a reply")
    assert settled.process.poll() is None


def test_serving_goes_on_without_redis_and_capture_arrives_later(settled: System) -> None:
    server = next(p for p in psutil.process_iter(["name", "cmdline"]) if is_redis_of(settled.state, p))
    os.kill(server.pid, signal.SIGSTOP)
    try:
        answers = [post(settled.gateway, "auto").status_code for _ in range(5)]
    finally:
        os.kill(server.pid, signal.SIGKILL)
    assert answers == [200] * 5
    eventually(lambda: settled.admin.get("/pool").is_success, 60, "the pool behind a new Redis")
    assert post(settled.gateway).status_code == 200


def is_redis_of(state: Path, process: psutil.Process) -> bool:
    return "redis-server" in str(process.info["name"]) and any(
        str(state) in str(part) for part in [process.info["cmdline"], process.cwd()]
    )


def test_a_dead_student_engine_leaves_the_teacher_answering_and_returns(settled: System) -> None:
    status = settled.status()
    slot = next(n for n, s in status["slots"].items() if n != "teacher" and s["version"] == status["live"]["student"])
    os.kill(status["slots"][slot]["pid"], signal.SIGKILL)
    for number in range(10):
        body = {"model": "auto", "user": f"user-{number}", **QUESTION}
        answer = httpx.post(f"{settled.gateway}/v1/chat/completions", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
    eventually(lambda: post(settled.gateway).headers["x-understudy-arm"] == "student", 90, "the student")


def test_a_gateway_stopped_over_two_swaps_serves_no_wrong_version(settled: System) -> None:
    port = free_port()
    redis_url = json.loads((settled.state / "run" / "addresses.json").read_text())["redis"]
    env = {**os.environ, "UNDERSTUDY_GATEWAY__PORT": str(port), "UNDERSTUDY_REDIS__URL": redis_url}
    second = subprocess.Popen(
        [sys.executable, "-m", "understudy", "serve", "--state", str(settled.state)], cwd=ROOT, env=env
    )
    base = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: post(base).status_code == 200, 30, "the second gateway")
        stale = post(base).headers["x-understudy-version"]
        os.kill(second.pid, signal.SIGSTOP)
        first = settled.status()["previous"][0]
        settled.post("/promote", {"version": first})
        third = register_copy(settled, first)
        settled.post("/promote", {"version": third})
        os.kill(second.pid, signal.SIGCONT)
        answer = post(base)
        assert answer.status_code == 200
        assert answer.headers["x-understudy-version"] == third != stale
    finally:
        os.kill(second.pid, signal.SIGCONT)
        second.terminate()
        second.wait(20)


def test_a_second_up_on_the_same_state_is_refused(settled: System) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "up", "--state", str(settled.state), "--no-traffic"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(settled.process.pid) in done.stderr
