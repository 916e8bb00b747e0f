"""Faults on a running system with real engines: nothing wrong is ever served, and what dies comes back."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.audit.log_file import FileAuditLog
from deploy.registry.store import Registry
from feedback.store.server import free_port
from tests.loop.processes import QUESTION, find_role, post, streaming
from tests.waiting import LONG, eventually, hold
from trials.system import ROOT, System
from understudy.state import StateDir

pytestmark = [pytest.mark.loop, pytest.mark.timeout(600)]

KEPT = httpx.Limits(keepalive_expiry=None)
"""Connections that are used again however long a swap takes."""
QUESTIONS = ["Where is my order?", "我想退货，可以吗？", "What does the warranty cover?"]


def register_copy(system: System, source: str, change: Path | None = None) -> str:
    registry = Registry(StateDir(system.state))
    manifest = registry.register(
        change or registry.path(source), kind="student", parent=source, teacher=None, round=None,
        lineage={"copy_of": source}, metrics={},
    )  # fmt: skip
    return manifest.version


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "chat_template.jinja"])
def test_one_flipped_bit_keeps_a_version_from_being_loaded(settled: System, name: str) -> None:
    live = settled.status().live.student
    version = register_copy(settled, live)
    file = Registry(StateDir(settled.state)).path(version) / name
    os.chmod(file, 0o644)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(RuntimeError, match=name):
        settled.promote(version)
    assert settled.status().live.student == live
    versions = {v["version"]: v["state"] for v in settled.admin.get("/versions").json()["versions"]}
    assert versions[version] == "bad"
    entries = settled.admin.get("/audit").json()["entries"]
    assert any(name in str(entry) and version in str(entry) for entry in entries)
    assert FileAuditLog(StateDir(settled.state).audit).verify().entries >= len(entries)
    Registry(StateDir(settled.state)).archive(version)


def test_a_candidate_with_nan_weights_is_never_live(settled: System, tmp_path: Path) -> None:
    live = settled.status().live.student
    folder = tmp_path / "broken"
    shutil.copytree(Registry(StateDir(settled.state)).path(live), folder)
    for stale in ("manifest.json", "READY"):
        (folder / stale).unlink(missing_ok=True)
    break_weights(folder / "model.safetensors")
    version = register_copy(settled, live, folder)
    with pytest.raises(RuntimeError, match=version):
        settled.promote(version)
    assert settled.status().live.student == live
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


@pytest.mark.parametrize(
    "role", [("worker",), ("controller",), ("train",), ("engine", "teacher"), ("engine", "student-a")]
)
def test_a_role_killed_comes_back_and_no_request_failed(settled: System, role: tuple[str, ...]) -> None:
    old = find_role(settled.state, *role)
    with streaming(settled.gateway, "auto", QUESTIONS) as load:
        eventually(lambda: len(load.seen) > 5, 60, "the first replies")
        os.kill(old.pid, signal.SIGKILL)
        eventually(lambda: find_role(settled.state, *role).pid != old.pid, 120, f"a new {role}")
        after = len(load.seen)
        eventually(lambda: len(load.seen) > after + 10, 60, "replies with the new one")
    assert [s.error or s.text for s in load.seen if s.error or not s.finished] == []
    assert settled.process.poll() is None


def test_a_killed_gateway_comes_back(settled: System) -> None:
    old = find_role(settled.state, "serve")
    os.kill(old.pid, signal.SIGKILL)
    eventually(lambda: find_role(settled.state, "serve").pid != old.pid, 120, "a new gateway")
    settled.wait_ready()
    assert post(settled.gateway).status_code == 200


def test_engines_come_back_after_their_fork_server_was_killed(settled: System) -> None:
    old = find_role(settled.state, "serving.engine.launch.forkserver")
    engines = {name: slot.pid for name, slot in settled.status().slots.items()}
    os.kill(old.pid, signal.SIGKILL)
    eventually(
        lambda: find_role(settled.state, "serving.engine.launch.forkserver").pid != old.pid, 120, "a new fork server"
    )
    for model in ("teacher", "student"):
        eventually(lambda model=model: post(settled.gateway, model).status_code == 200, 240, f"a reply of the {model}")

    def new() -> bool:
        slots = settled.status().slots
        return all(slot.ready and slot.pid != engines[name] for name, slot in slots.items())

    eventually(new, 240, "new engines in every slot")
    assert [post(settled.gateway, model).status_code for model in ("teacher", "student")] == [200, 200]


def test_serving_goes_on_without_redis_and_capture_arrives_later(settled: System) -> None:
    eventually(lambda: settled.status().bus.lag is not None, 120, "the workers' lag")
    before = requests_counted(settled)
    server = next(p for p in psutil.process_iter(["name", "cmdline"]) if is_redis_of(settled.state, p))
    hold(server.pid)
    try:
        answers = [post(settled.gateway, "auto").status_code for _ in range(5)]
    finally:
        os.kill(server.pid, signal.SIGKILL)
    assert answers == [200] * 5
    eventually(lambda: requests_counted(settled) >= before + 5, 240, "the copies of what was asked meanwhile")
    assert post(settled.gateway).status_code == 200


def requests_counted(system: System) -> int:
    """Requests that the workers have counted, over both arms."""
    arms = system.admin.get("/kpis").raise_for_status().json()["kpis"]
    return sum(int(row["requests"]["n"]) for row in arms.values() if "requests" in row)


def is_redis_of(state: Path, process: psutil.Process) -> bool:
    return "redis-server" in str(process.info["name"]) and any(
        str(state) in str(part) for part in [process.info["cmdline"], process.cwd()]
    )


def test_a_dead_student_engine_leaves_the_teacher_answering_and_returns(settled: System) -> None:
    status = settled.status()
    slot = next(n for n, s in status.slots.items() if n != "teacher" and s.version == status.live.student)
    users = [f"user-{n}" for n in range(12) if arm_of(settled, f"user-{n}") == "student"]
    assert users
    fallbacks = gateway_events(settled, "fallback")
    agent = find_role(settled.state, "engine", slot)
    with streaming(settled.gateway, "auto", QUESTIONS) as load:
        eventually(lambda: len(load.seen) > 5, 60, "the first replies")
        try:
            hold(agent.pid)  # who else would tell the gateway, and have another engine within seconds
            os.kill(status.slots[slot].pid, signal.SIGKILL)
            with ThreadPoolExecutor(len(users)) as pool:
                arms = list(pool.map(partial(arm_of, settled), users))
        finally:
            agent.resume()
    assert set(arms) == {"teacher"}
    assert gateway_events(settled, "fallback") > fallbacks
    assert all(s.error for s in load.seen if not s.finished), "a cut stream must end with an error"
    eventually(lambda: post(settled.gateway).headers["x-understudy-arm"] == "student", 240, "the student")


def arm_of(system: System, user: str) -> str:
    """The arm that answers this user of `auto`."""
    body = {"model": "auto", "user": user, **QUESTION}
    answer = httpx.post(f"{system.gateway}/v1/chat/completions", json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-understudy-arm"]


def gateway_events(system: System | str, name: str) -> float:
    """A counter of the gateway's own events."""
    base = system if isinstance(system, str) else system.gateway
    for family in text_string_to_metric_families(httpx.get(f"{base}/metrics", timeout=60).text):
        for sample in family.samples:
            if sample.labels.get("event") == name:
                return sample.value
    return 0.0


def test_a_gateway_stopped_over_two_swaps_serves_no_wrong_version(settled: System) -> None:
    """What was asked while it slept is read before the news: only the engine's 409 can tell it then."""
    port = free_port()
    long = {"UNDERSTUDY_ROUTER__POLL_SECONDS": "1", "UNDERSTUDY_GATEWAY__KEEP_ALIVE_SECONDS": "3600"}
    env = {**os.environ, **long, "UNDERSTUDY_GATEWAY__PORT": str(port)}
    second = subprocess.Popen(
        [sys.executable, "-m", "understudy", "serve", "--state", str(settled.state)], cwd=ROOT, env=env
    )
    base = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: post(base).status_code == 200, 120, "the second gateway")
        clients = [httpx.Client(base_url=base, timeout=60, limits=KEPT) for _ in range(4)]
        stale = {ask(client).headers["x-understudy-version"] for client in clients}
        hold(second.pid)
        first = settled.status().previous[0]
        settled.promote(first)
        third = register_copy(settled, first)
        settled.promote(third)
        sent = threading.Semaphore(0)
        with ThreadPoolExecutor(len(clients)) as pool:
            waiting = [pool.submit(ask, client, sent.release) for client in clients]
            assert [sent.acquire(timeout=60) for _ in clients] == [True] * len(clients)
            os.kill(second.pid, signal.SIGCONT)
            answers = [one.result() for one in waiting]
        assert [answer.status_code for answer in answers] == [200] * len(clients)
        assert {answer.headers["x-understudy-version"] for answer in answers} == {third}
        assert third not in stale
        assert gateway_events(base, "reroute") >= 1
    finally:
        os.kill(second.pid, signal.SIGCONT)
        second.terminate()
        second.wait(LONG)


def ask(client: httpx.Client, sent: Callable[[], object] = lambda: None) -> httpx.Response:
    """`sent` is called once all of the request is on its way."""

    def trace(event: str, _: object) -> None:
        if event == "http11.send_request_body.complete":
            sent()

    body = {"model": "student", **QUESTION}
    return client.post("/v1/chat/completions", json=body, extensions={"trace": trace})


def test_a_second_up_on_the_same_state_is_refused(settled: System) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "up", "--state", str(settled.state), "--no-traffic"],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 1
    assert str(settled.process.pid) in done.stderr
