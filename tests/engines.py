"""Real engines for every test that needs some: a fork server and three agents, started once for the session.

`engines` gives addresses, keys, the registry and the state directory; `want` publishes a routing document
and `wait` returns when the slots serve what it says. Tests leave the engines as `settle` puts them; what a test that
failed left dead is started again there, so that the next ones are judged by themselves.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from deploy.engines.fingerprint import FINGERPRINT_FILE
from deploy.engines.keys import control_key, engine_key
from deploy.registry.store import Registry
from deploy.routing.document import SLOTS, Heartbeat, RoutingDocument, SlotView
from deploy.routing.stores import Routing, open_routing
from serving.engine.launch.fork_client import fork_socket
from tests.waiting import PATIENCE
from trials.system import free_ports
from trials.variant import make_variant
from understudy.process.scratch import Scratch
from understudy.state import StateDir

ROOT = Path(__file__).resolve().parent.parent
TEACHER, EARLIER, LATER = "t1", "v1", "v2"
TOOLS = [
    "--enable-auto-tool-choice", "--tool-call-parser", "pythonic",
    "--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}',
]  # fmt: skip
"""What vLLM needs to call tools and to keep to a schema; else our models, which know no JSON, would write blanks."""
DEADLINE = 180.0
START_DEADLINE = 300.0


@dataclass
class Engines:
    """The running engines of a test session."""

    state: StateDir
    config_file: Path
    ports: dict[str, int]
    registry: Registry
    routing: Routing
    key: str
    control_key: str
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    epoch: int = 0

    def url(self, slot: str) -> str:
        """Base address of a slot's engine, without /v1."""
        return f"http://127.0.0.1:{self.ports[slot]}"

    def headers(self, version: str | None = None) -> dict[str, str]:
        """What a gateway sends."""
        meant = {"x-understudy-version": version} if version else {}
        return {"authorization": f"Bearer {self.key}", **meant}

    def control(self, slot: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call a control route as the agent does."""
        headers = {"authorization": f"Bearer {self.control_key}"}
        return httpx.request(method, self.url(slot) + path, json=body, headers=headers, timeout=60)

    def want(self, stable: str | None = EARLIER, **slots: str | None) -> None:
        """Publish a routing document; slots by name with `_` for `-`, the others as they were."""
        named = {name.replace("_", "-"): version for name, version in slots.items()}
        current = self.routing.documents.read()
        before = {n: v.desired for n, v in current.slots.items()} if current else {}
        beats = self.routing.beats.slots()
        views = {}
        for slot in SLOTS:
            beat = beats.get(slot)
            said = {"version": beat.version, "ready": beat.ready, "url": beat.url} if beat else {}
            views[slot] = SlotView.model_validate({"desired": named.get(slot, before.get(slot)), **said})
        self.epoch = (current.epoch if current else 0) + 1
        self.routing.documents.publish(RoutingDocument(epoch=self.epoch, slots=views, teacher=TEACHER, stable=stable))

    def wait(self, *, deadline: float = DEADLINE, **slots: str) -> dict[str, Heartbeat]:
        """Wait until the named slots are ready with these versions; returns the heartbeats."""
        named = {name.replace("_", "-"): version for name, version in slots.items()}
        return self.until(
            lambda beats: all(s in beats and beats[s].ready and beats[s].version == v for s, v in named.items()),
            deadline,
        )

    def until(self, condition: Any, deadline: float = DEADLINE) -> dict[str, Heartbeat]:
        """Wait until `condition(heartbeats)`; fails with what was reported last and the agents' logs."""
        deadline *= PATIENCE
        limit = time.monotonic() + deadline
        while time.monotonic() < limit:
            beats = self.routing.beats.slots()
            with contextlib.suppress(KeyError):  # a slot whose beat is late
                if condition(beats):
                    return beats
            time.sleep(0.05)
        logs = "\n".join(f"{path.name}: {path.read_text('utf-8', 'replace')[-600:]}" for path in self._own_logs())
        raise AssertionError(f"not reached within {deadline:g} s; {self.routing.beats.slots()}\n{logs}")

    def _own_logs(self) -> list[Path]:
        return [*self.state.logs.glob("agent-*.log"), *self.state.logs.glob("forkserver.log")]

    def settle(self, deadline: float = DEADLINE) -> None:
        """Every process alive, both versions loaded, the earlier one stable."""
        self.revive()
        self.want(teacher=TEACHER, student_a=EARLIER, student_b=LATER)
        self.wait(deadline=deadline, teacher=TEACHER, student_a=EARLIER, student_b=LATER)

    def pid(self, slot: str) -> int:
        """Of the engine in `slot`, as soon as it has one."""
        beats = self.until(lambda beats: beats[slot].pid is not None)
        pid = beats[slot].pid
        assert pid is not None
        return pid

    def revive(self) -> None:
        """Start what does not run."""
        if self._dead("forkserver"):
            self.start_fork_server()
        for slot in SLOTS:
            if self._dead(f"agent-{slot}"):
                self.start_agent(slot)

    def _dead(self, name: str) -> bool:
        return name not in self.processes or self.processes[name].poll() is not None

    def start_fork_server(self) -> None:
        """Start the fork server; returns at once."""
        self._start("forkserver", "serving.engine.launch.forkserver", "--socket", str(fork_socket(self.state)))

    def start_agent(self, slot: str) -> None:
        """Start the agent of `slot`; returns at once."""
        config = ["--config", str(self.config_file), "--state", str(self.state.root)]
        self._start(f"agent-{slot}", "understudy", "engine", slot, *config)

    def kill(self, name: str) -> None:
        """SIGKILL the fork server (`forkserver`) or an agent (`agent-SLOT`)."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def stop(self) -> None:
        """End everything in order."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()
        for slot in SLOTS:
            Scratch(self.state).drop(slot)

    def _start(self, name: str, *command: str) -> None:
        self.state.logs.mkdir(parents=True, exist_ok=True)
        with (self.state.logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command], stdout=log, stderr=log, cwd=ROOT, env=_environment()
            )


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("UNDERSTUDY_")}
    return {**kept, "PYTHONPATH": str(ROOT)}


def register(registry: Registry, source: Path, version: str, scratch: Path, parent: Path | None = None) -> Path:
    """Register the model folder `source` as `version`, with a fingerprint; returns the version's folder."""
    from online_distill.evaluate.fingerprint import record

    copy = scratch / version
    names = [p.name for p in source.iterdir() if p.suffix in (".safetensors", ".json", ".jinja", ".txt")]
    copy.mkdir(parents=True)
    for name in names:
        if name not in ("manifest.json", FINGERPRINT_FILE):
            shutil.copy(source / name, copy / name)
    record(copy, parent, copy / FINGERPRINT_FILE)
    kind: Any = "teacher" if version.startswith("t") else "student"
    registry.register(
        copy, kind=kind, parent=None, teacher=None, round=None, lineage={"source": "test"}, metrics={}, version=version
    )
    return registry.path(version)


BEGUN = pytest.StashKey[Engines]()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start the fork server, which takes its time, while other tests run: as soon as some are known to need it."""
    wanted = [item for item in session.items if item.get_closest_marker("engines") and "engines" in item.fixturenames]
    if wanted and not session.config.option.collectonly:
        begin(session.config).start_fork_server()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Engines end with the last test that needs them: idle ones take a tenth of a core from all that come after."""
    if "engines" in item.fixturenames and (nextitem is None or "engines" not in nextitem.fixturenames):
        begin(item.config).stop()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A session that ended before it needed engines leaves none."""
    if running := session.config.stash.get(BEGUN, None):
        running.stop()


def begin(config: pytest.Config) -> Engines:
    """The session's engines, made once: none of them runs, and they have no ports yet."""
    if BEGUN in config.stash:
        return config.stash[BEGUN]
    factory: pytest.TempPathFactory = config._tmp_path_factory  # type: ignore[attr-defined]
    root = factory.mktemp("engines")
    state = StateDir(root / "state")
    config.stash[BEGUN] = Engines(
        state,
        root / "understudy.yaml",
        {},
        Registry(state),
        open_routing(state, None),
        engine_key(state),
        control_key(state),
    )
    return config.stash[BEGUN]


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> Iterator[Engines]:
    """Teacher t1, student-a v1 (stable) and student-b v2, serving."""
    running = begin(request.config)
    folder = running.config_file.parent
    running.ports.update(zip(SLOTS, free_ports(3), strict=True))
    settings = {"ports": running.ports, "backoff_first": 0.2, "backoff_max": 2.0, "launcher": "fork",
                "fork_wait": 240.0, "extra_args": {"teacher": TOOLS}}  # fmt: skip
    running.config_file.write_text(yaml.safe_dump({"engines": settings}))
    try:
        register(running.registry, ROOT / "demo" / "models" / "teacher", TEACHER, folder / "models")
        student = ROOT / "demo" / "registry" / "students" / "v1"
        first = register(running.registry, student, EARLIER, folder / "models")
        register(running.registry, make_variant(first, folder / "noise", 2), LATER, folder / "models", first)
        running.settle(START_DEADLINE)
        yield running
    finally:
        running.stop()
