"""A gateway of two workers as processes: one port, one page of metrics, a death that only its own clients notice."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis
import yaml

from deploy.routing.document import GatewayBeat
from deploy.routing.stores import open_routing
from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.events import EXCHANGES
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.store.config import RedisConfig
from feedback.store.server import RedisServer, free_port
from serving.gateway.main import taken
from serving.gateway.metrics import Metrics
from tests.feedback.factory import exchange
from tests.serving.gateway.conftest import Client
from tests.serving.gateway.upstream import SSE_HEAD, Engine, Seen, chunk, event
from tests.waiting import LONG, eventually
from understudy.errors import ConfigError
from understudy.process.ports import bound
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parents[3]
EACH_MINUTE = 8
EVENTS = 2
"""Of each request, whose teacher somebody else runs: the exchange, and what it cost."""
END = chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
BESIDE = """
import contextlib, sys
from pathlib import Path
from serving.crew.main import run_together
from serving.gateway.main import parse
from understudy import logs
from understudy.config import load_config

notes = Path(sys.argv[1])

@contextlib.asynccontextmanager
async def beside():
    notes.write_text("open")
    yield
    notes.write_text("closed")

logs.set_up()
options = parse(sys.argv[2:])
sys.exit(run_together(load_config(options.config), options, beside=beside))
"""
"""`serve` with something of a test's beside it."""


class Held:
    """An engine's replies that stop after their first event until they may go on."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def __call__(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(SSE_HEAD + chunk(event("x")))
        await self.go.wait()
        writer.write(END)


class Stream:
    """A streamed reply that has begun, on a connection of its own."""

    def __init__(self, port: int) -> None:
        body = json.dumps({"model": "auto", "stream": True, "messages": [{"role": "user", "content": "hi"}]}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._sock.sendall(head + body)
        self.received = b""
        while b"data: " not in self.received:
            self.received += self._sock.recv(65536)
        self.port = int(self._sock.getsockname()[1])

    def complete(self) -> bool:
        """Whether the rest came; False where the connection ended before."""
        try:
            while not self.received.endswith(END) and (more := self._sock.recv(65536)):
                self.received += more
        except ConnectionResetError:
            pass
        self._sock.close()
        return self.received.endswith(END)


class Together:
    """`understudy serve` with two workers, whose bus is a Redis that does not run yet."""

    def __init__(
        self, folder: Path, engine: Engine, program: tuple[str, ...] = ("-m", "understudy", "serve"),
        before: Callable[[StateDir, str], None] = lambda state, name: None, sections: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:  # fmt: skip
        """`before` finds the state directory as it is before the start, and the name of the gateway; `settings` are of
        the section `gateway`."""
        self.port = free_port()
        self.bus = RedisServer(folder / "redis", port=free_port(), durable=False)
        self.state = StateDir(folder / "state")
        self.log = folder / "log"
        before(self.state, f"gateway-{self.port}")
        config = folder / "u.yaml"
        config.write_text(yaml.safe_dump({
            "engines": {"teacher": {"url": f"{engine.url}/v1", "model": "big"}}, "bus": {"url": self.bus.url},
            "gateway": {"workers": 2, "port": self.port, "drain_seconds": 30, **settings},
            **(sections or {}),
        }))  # fmt: skip
        command = [sys.executable, *program, "--config", str(config), "--state", str(self.state.root)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=log)
        self.client = Client(self.port, Metrics())
        self._beats = open_routing(self.state, None).beats
        eventually(lambda: len(self.workers()) == 2, what="two heartbeats")

    def workers(self) -> dict[str, GatewayBeat]:
        return {beat.id: beat for beat in self._beats.gateways()}

    def total(self, name: str) -> int:
        """Sum of a metric's series, as any of the workers tells it."""
        page = self.client.send("GET", "/metrics")[2].decode()
        return int(sum(map(float, re.findall(rf"^understudy_{name}(?:{{.*}})? (\S+)$", page, re.M))))

    def lines(self) -> list[int]:
        """Lines of the access log of each worker."""
        return [len(log.read_text().splitlines()) for log in sorted(self.state.logs.glob("*.access.jsonl"))]

    def clients_of(self, pid: int) -> set[int]:
        """Ports of the clients that a worker has."""
        connections = psutil.Process(pid).net_connections("tcp")
        return {one.raddr.port for one in connections if one.raddr and one.laddr.port == self.port}

    def events(self) -> int:
        """Exchanges on the bus."""
        bus = open_bus(BusConfig(url=self.bus.url), RedisConfig())
        found = sum(bus.lag(EXCHANGES, partition, "") for partition in range(bus.partitions))
        bus.close()
        return found

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(LONG)
        self.bus.stop()


@pytest.fixture
def engine(loop: asyncio.AbstractEventLoop) -> Iterator[Engine]:
    made = Engine("teacher", loop)
    made.start()
    yield made
    made.stop()


def test_a_worker_that_is_killed_is_noticed_by_its_own_clients_alone_and_loses_no_event_and_no_count(
    engine: Engine, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    system = Together(tmp_path, engine)
    first, second = f"gateway-{system.port}", f"gateway-{system.port}-2"
    try:
        workers = system.workers()
        assert set(workers) == {first, second}
        assert len({beat.pid for beat in workers.values()} | {system.process.pid}) == 3
        assert all(system.client.chat()[0] == 200 for _ in range(30))
        eventually(lambda: len(system.lines()) == 2 and sum(system.lines()) == 30, what="both to have answered")
        assert [path.stem for path in sorted((system.state.root / "run" / "metrics").iterdir())] == [first]
        told = 30 * EVENTS
        eventually(lambda: (system.total("requests_total"), system.total("outbox_stored_total")) == (30, told))
        assert system.total("outbox_pending_events") == told

        held = engine.script = Held()
        streams = [Stream(system.port) for _ in range(12)]
        pid = workers[second].pid
        lost = {stream.port for stream in streams} & system.clients_of(pid)
        eventually(lambda: system.total("requests_in_flight") == 12)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: pid not in [child.pid for child in psutil.Process(system.process.pid).children()])
        for _ in range(40):
            assert system.client.send("GET", "/health")[0] == 200
        assert (system.total("requests_total"), system.total("outbox_stored_total")) == (30, told)
        assert system.total("requests_in_flight") == 12 - len(lost)
        eventually(lambda: system.workers()[second].pid != pid, what="another worker in its stead")
        loop.call_soon_threadsafe(held.go.set)
        assert {stream.port for stream in streams if not stream.complete()} == lost

        engine.script = None
        assert all(system.client.chat()[0] == 200 for _ in range(20))
        served = 50 + 12 - len(lost)
        eventually(lambda: system.total("requests_total") == served)
        eventually(lambda: sum(system.lines()) == served and system.lines()[1] > 0)
        system.bus.start()
        eventually(lambda: system.events() == served and system.total("outbox_pending_events") == 0)
    finally:
        system.stop()


def test_workers_count_a_tenants_requests_together_and_one_that_hangs_is_replaced_and_counted(
    engine: Engine, tmp_path: Path
) -> None:
    limits = RedisServer(tmp_path / "limits", durable=False)
    system = Together(
        tmp_path, engine, ("-m", "understudy", "serve", "--gateway-only"), sections={"redis": {"url": limits.start()}},
        hang_seconds=3, tenants={"*": {"requests_per_minute": EACH_MINUTE}},
    )  # fmt: skip
    name = f"gateway-{system.port}-2"
    try:
        eventually(lambda: admitted_together(system, limits.url), what="a tenant's requests counted together")
        pid = system.workers()[name].pid
        os.kill(pid, signal.SIGSTOP)
        eventually(lambda: system.workers()[name].pid != pid, what="another worker in its stead")
        assert "worker 2 has shown no sign of life for 3 s: killed" in system.log.read_text()
        eventually(lambda: system.client.send("GET", "/health")[0] == 200)
        assert system.total("gateway_workers_replaced_total") >= 1
    finally:
        system.stop()
        limits.stop()


def admitted_together(system: Together, url: str) -> bool:
    """Whether a minute's worth of requests is admitted, and those that the time brings that it takes.

    Twice as many where each worker counts for itself, as it does for a second where Redis took too long to answer; all
    the fewer the next time, since Redis alone forgets here what was asked before.
    """
    redis.Redis.from_url(url).flushall()
    began = time.monotonic()
    statuses = [system.client.chat()[0] for _ in range(5 * EACH_MINUTE)]
    assert set(statuses) <= {200, 429}
    more = 2 + (time.monotonic() - began) * EACH_MINUTE / 60
    return EACH_MINUTE <= statuses.count(200) <= EACH_MINUTE + more


@pytest.mark.skipif(os.environ.get("UNDERSTUDY_FULL") != "1", reason="twelve kills: with UNDERSTUDY_FULL=1")
def test_kills_under_load_fail_requests_of_that_moment_alone_and_no_count_ever_falls(
    engine: Engine, tmp_path: Path
) -> None:
    system, over = Together(tmp_path, engine), threading.Event()
    kills: list[tuple[float, float]] = []
    failed: list[tuple[float, float]] = []
    answered: list[int] = []

    def ask() -> None:
        while not over.is_set():
            began = time.monotonic()
            try:
                answered.append(system.client.chat()[0])
            except (OSError, http.client.HTTPException):
                failed.append((began, time.monotonic()))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    try:
        for thread in threads:
            thread.start()
        shown = 0
        for number in range(12):
            name = sorted(system.workers())[number % 2]
            eventually(lambda: len(system.clients_of(system.workers()[name].pid)) > 0)  # noqa: B023
            pid, began = system.workers()[name].pid, time.monotonic()
            os.kill(pid, signal.SIGKILL)
            keeper = psutil.Process(system.process.pid)
            eventually(lambda: pid not in [child.pid for child in keeper.children()])  # noqa: B023
            kills.append((began, time.monotonic()))
            now = system.total("requests_total")
            assert now >= shown
            shown = now
            eventually(lambda: system.workers()[name].pid != pid)  # noqa: B023
        over.set()
        for thread in threads:
            thread.join()
        assert set(answered) == {200}
        lonely = [one for one in failed if not any(one[0] < gone and one[1] > at for at, gone in kills)]
        assert lonely == []
    finally:
        over.set()
        system.stop()


def test_sigterm_lets_streams_end_and_closes_what_runs_beside_last(
    engine: Engine, tmp_path: Path, loop: asyncio.AbstractEventLoop
) -> None:
    notes = tmp_path / "notes"
    system = Together(tmp_path, engine, ("-c", BESIDE, str(notes)), leave_a_third)
    try:
        system.bus.start()
        eventually(lambda: system.events() == 1, what="the event of a worker that is no more")
        with pytest.raises(ConfigError, match=r"gateway\.port"):
            taken(bound, "127.0.0.1", system.port)  # as a second one that is started on the port
        eventually(lambda: notes.read_text() == "open")
        held = engine.script = Held()
        streams = [Stream(system.port) for _ in range(16)]  # some at each worker
        for worker in system.workers().values():
            os.kill(worker.pid, signal.SIGTERM)  # as an init does that tells every process of a service
        eventually(lambda: refuses(system.port), what="an end of new connections")
        system.process.terminate()
        eventually(lambda: system.log.read_text().count("is told to stop") == 2)
        assert (system.process.poll(), notes.read_text()) == (None, "open")
        loop.call_soon_threadsafe(held.go.set)
        assert all(stream.complete() for stream in streams)
        assert system.process.wait(LONG) == 0
        assert notes.read_text() == "closed"
        eventually(lambda: system.workers() == {}, what="the end of all beats")
    finally:
        system.stop()


def leave_a_third(state: StateDir, name: str) -> None:
    """The spool of a third worker, with an event."""
    bus = open_bus(BusConfig(url="redis://127.0.0.1:1"), RedisConfig())
    outbox = Outbox(state.spool, f"{name}-3", bus, OutboxConfig())
    outbox.start()
    outbox.put_durable(exchange(1))
    outbox.close(60.0)


def refuses(port: int) -> bool:
    """Whether nobody listens."""
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) != 0
