"""`understudy serve` as a process, and how it stops."""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from deploy.routing.document import GatewayBeat
from deploy.routing.stores import Routing, open_routing
from feedback.store.server import free_port
from serving.gateway.main import Server
from serving.gateway.metrics import Metrics
from tests.serving.gateway.conftest import Client, Running, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, chunk, event, says
from tests.waiting import LONG, eventually, hold
from understudy.state import StateDir

SERVE = [sys.executable, "-m", "understudy", "serve"]


ENVIRONMENT = {"PYTHONPATH": str(Path(__file__).parents[3]), "PATH": os.environ.get("PATH", "")}


Serve = Callable[..., Running]


Make = Callable[..., Engine]


def stopped_amid_a_stream(running: Running, engine: Engine) -> bytes:
    """What a client has of a stream of `engine` when the gateway is stopped meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        streamed = pool.submit(running.client.chat, stream=True)
        eventually(lambda: bool(engine.seen))
        running.stop()
        body: bytes = streamed.result(60)[2]
    return body


def test_a_running_stream_ends_well_within_the_drain(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher", delay=0.1)
    running = serve(document({"teacher": teacher}))
    assert stopped_amid_a_stream(running, teacher).endswith(b"data: [DONE]\n\n")
    with pytest.raises(ConnectionRefusedError):
        running.client.chat()


def test_alone_the_second_signal_hurries_and_a_worker_is_hurried_by_a_signal_of_its_own() -> None:
    alone, worker = (Server(uvicorn.Config("nothing:app", log_config=None)) for _ in range(2))
    alone.stop_or_hurry()
    worker.stop()
    worker.stop()
    assert [(one.should_exit, one.force_exit) for one in (alone, worker)] == [(True, False)] * 2
    alone.stop_or_hurry()
    worker.hurry()
    assert [one.force_exit for one in (alone, worker)] == [True, True]


def test_what_outlasts_the_drain_is_told_so(serve: Serve, engine: Make) -> None:
    teacher = engine("teacher")
    teacher.script = says(SSE_HEAD, *[chunk(event("x")), 0.1] * 100)
    running = serve(document({"teacher": teacher}), drain_seconds=1)
    assert b"the gateway stops" in stopped_amid_a_stream(running, teacher)


def test_serve_alone_before_external_engines_and_a_port_in_use(engine: Make, tmp_path: Path, loop: object) -> None:
    teacher, student = engine("teacher"), engine("student")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    config = tmp_path / "u.yaml"
    config.write_text(
        f"engines:\n  teacher: {{url: '{teacher.url}/v1', model: big, api_key_env: TEACHER_KEY}}\n"
        f"  student: {{url: '{student.url}/v1', model: small}}\n",
        "utf-8",
    )
    process = start_gateway(config, tmp_path, "--port", str(port), TEACHER_KEY="sk-big")
    try:
        client = Client(port, Metrics())

        eventually(lambda: client.send("GET", "/ready")[0] == 200)
        assert client.chat()[1]["x-understudy-version"] == "external"
        assert teacher.seen[0].headers["authorization"] == "Bearer sk-big"
        assert teacher.seen[-1].json["model"] == "big"
        client.chat(model="student")
        assert "authorization" not in student.seen[-1].headers
        second = start_gateway(config, tmp_path, "--port", str(port), TEACHER_KEY="sk-big")
        assert second.wait(LONG) == 2
        assert "gateway.port" in (tmp_path / "gateway.log").read_text("utf-8")
    finally:
        process.terminate()
        assert process.wait(LONG) == 0


def test_a_gateway_that_slept_over_two_swaps_never_shows_a_wrong_version(
    engine: Make, tmp_path: Path, state_dir: StateDir
) -> None:
    """Stopped by SIGSTOP while both student slots changed, then asked before it can have polled."""
    first, second = engine("student", version="v1"), engine("other", version="v2")
    routing = open_routing(state_dir, None)
    routing.documents.publish(document({"student": first, "candidate": second}, epoch=1))
    config = tmp_path / "u.yaml"
    config.write_text("gateway: {port: 0}\nrouter: {poll_seconds: 1.0}\n", "utf-8")
    process = start_gateway(config, tmp_path, "--state", str(state_dir.root))
    try:
        client = Client(port_of(routing), Metrics())
        assert client.chat(model="student")[1]["x-understudy-version"] == "v1"
        hold(process.pid)
        first.version, second.version = "v3", "v4"
        moved = document({"student": first, "candidate": second}, epoch=3, stable="v4")
        slots = {name: view.model_copy(update={"version": v, "desired": v})
                 for (name, view), v in zip(moved.slots.items(), ("v3", "v4"), strict=True)}  # fmt: skip
        routing.documents.publish(moved.model_copy(update={"slots": slots}))
        answers = [threading.Thread(target=lambda: seen.append(client.chat(model="student"))) for _ in range(4)]
        seen: list[tuple[int, dict[str, str], Any]] = []
        for thread in answers:
            thread.start()
        time.sleep(0.1)
        process.send_signal(signal.SIGCONT)
        for thread in answers:
            thread.join()
        assert [status for status, _, _ in seen] == [200] * 4
        assert {headers["x-understudy-version"] for _, headers, _ in seen} == {"v4"}
        assert all(body["choices"][0]["message"]["content"].endswith("other") for _, _, body in seen)
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        assert process.wait(LONG) == 0


def port_of(routing: Routing) -> int:
    """Of the gateway that beats there, once it does."""
    beats: list[GatewayBeat] = []
    eventually(lambda: beats.extend(routing.beats.gateways()) or beats, what="a beat of the gateway")
    return int(beats[0].url.rpartition(":")[2])


def gauge(client: Client, name: str) -> float:
    """A value of a gateway's metrics."""
    text = client.send("GET", "/metrics")[2].decode()
    return float(text.partition(f"\nunderstudy_gateway_{name} ")[2].partition("\n")[0])


def test_idle_connections_keep_others_out_neither_of_the_gateway_nor_of_its_files(
    engine: Make, tmp_path: Path, state_dir: StateDir
) -> None:
    teacher = engine("teacher", version="t1")
    routing = open_routing(state_dir, None)
    routing.documents.publish(document({"teacher": teacher}, epoch=1))
    config = tmp_path / "u.yaml"
    config.write_text("gateway: {port: 0}\n", "utf-8")
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 256))  # noqa: E731
    process = start_gateway(config, tmp_path, "--state", str(state_dir.root), before=few)
    idle: list[socket.socket] = []
    try:
        port = port_of(routing)
        assert resource.prlimit(process.pid, resource.RLIMIT_NOFILE) == (256, 256)
        idle.extend(socket.create_connection(("127.0.0.1", port), timeout=60) for _ in range(400))
        assert idle[-1].recv(65536).startswith(b"HTTP/1.1 503")
        for _ in range(3):
            other = http.client.HTTPConnection("127.0.0.1", port, 60, ("127.0.0.2", 0))
            other.request("POST", "/v1/chat/completions", b'{"model":"teacher","messages":[]}')
            assert other.getresponse().status == 200
            other.close()
        routing.documents.publish(document({"teacher": teacher}, epoch=2))
        eventually(lambda: routing.beats.gateways()[0].epoch == 2)  # read from a file, told in another
    finally:
        for sock in idle:
            sock.close()
        process.terminate()
        assert process.wait(LONG) == 0


def test_a_body_of_tiny_chunks_holds_no_more_than_twice_its_bytes(engine: Make, tmp_path: Path, loop: object) -> None:
    teacher = engine("teacher")
    config = tmp_path / "u.yaml"
    config.write_text(
        f"engines: {{teacher: {{url: '{teacher.url}', model: m}}}}\ngateway: {{body_seconds: 600}}\n", "utf-8"
    )
    port = free_port()
    process = start_gateway(config, tmp_path, "--port", str(port))
    client, size, held = Client(port, Metrics()), 2_000_000, []
    try:
        eventually(lambda: client.send("GET", "/ready")[0] == 200)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
        before = resident(process.pid)
        for _ in range(2):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=60))
            held[-1].sendall(head + chunk(b"  ") * (size // 2))
        eventually(lambda: gauge(client, "buffered_bytes") == 2 * size)
        assert resident(process.pid) - before < 2 * 2 * size
        for sock in held:
            sock.close()
        eventually(lambda: gauge(client, "buffered_bytes") == 0)
    finally:
        process.terminate()
        assert process.wait(LONG) == 0


def resident(pid: int) -> int:
    """Bytes of memory that a process has now."""
    return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * resource.getpagesize()


def start_gateway(
    config: Path, folder: Path, *more: str, before: Callable[[], None] | None = None, **env: str
) -> subprocess.Popen[bytes]:
    """`understudy serve` as a process of its own, which runs `before` first; all write to one log in `folder`."""
    command = [*SERVE, "--config", str(config), *more]
    with (folder / "gateway.log").open("ab") as log:
        return subprocess.Popen(command, cwd=folder, env={**ENVIRONMENT, **env}, stderr=log, preexec_fn=before)
