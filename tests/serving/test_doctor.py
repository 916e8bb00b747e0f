"""What the doctor says of a system that runs, and of engines that somebody else runs."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.engines.findings import TeacherChange, TeacherFindings, write_findings
from deploy.engines.knowledge import Knowledge, write_knowledge
from deploy.routing.document import SLOTS
from feedback.outbox.config import OutboxConfig
from feedback.outbox.metrics import show_outbox
from feedback.outbox.outbox import Outbox
from serving import doctor
from tests.feedback.outbox.conftest import bus_at, nowhere
from tests.serving.up.server import served
from trials.system import free_ports
from understudy.config import Config
from understudy.state import StateDir
from understudy.telemetry.metrics import MetricsPage

Asked = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Asked:
    """Exit code and findings, with the configuration given."""

    def told(**sections: object) -> tuple[int, list[str]]:
        file = tmp_path / "understudy.yaml"
        file.write_text(json.dumps(sections))
        code = doctor.main(["--config", str(file), "--state", str(tmp_path), "--json"])
        return code, json.loads(capsys.readouterr().out)["findings"]

    return told


@pytest.fixture
def engine() -> Iterator[str]:
    """Somebody else's engine, with the model `big` and the key `sesame`."""

    async def models(request: Request) -> Response:
        if request.headers.get("authorization") != "Bearer sesame":
            return JSONResponse({"error": {"message": "no"}}, 401)
        return JSONResponse({"data": [{"id": "big"}]})

    with served(Starlette(routes=[Route("/v1/models", models)])) as url:
        yield url


@pytest.mark.parametrize(
    ("path", "model", "key", "said"),
    [("/v1", "big", "SESAME", ""), ("", "big", "SESAME", ""), ("/v1", "wrong", "SESAME", "only: big"),
     ("/v1", "big", "", "401"), ("/v2", "big", "SESAME", "/v1?"),
     ("/v1", "big", "NOT_SET", "NOT_SET, which is not set")],
)  # fmt: skip
def test_engines_of_others_are_asked_for_their_model_and_need_nothing_but_the_gateways_port(
    ask: Asked, engine: str, monkeypatch: pytest.MonkeyPatch, path: str, model: str, key: str, said: str
) -> None:
    monkeypatch.setenv("SESAME", "sesame")
    given = {"url": engine + path, "model": model, "api_key_env": key}
    (port,) = free_ports(1)
    code, found = ask(engines={"student": given}, gateway={"port": port}, up={"min_memory_mib": 1 << 30})
    assert [(said in finding, "engines.student" in finding) for finding in found] == ([(True, True)] if said else [])
    assert code == (1 if said else 0)


def test_an_engine_that_nobody_runs_is_found(ask: Asked) -> None:
    (gateway, nobody) = free_ports(2)
    given = {"url": f"http://127.0.0.1:{nobody}/v1", "model": "big"}
    code, (found,) = ask(engines={"student": given}, gateway={"port": gateway})
    assert code == 1
    assert "engines.student.url" in found
    assert "cannot be reached" in found


@pytest.mark.parametrize("status", [200, 503])
def test_a_system_that_runs_is_no_obstacle_to_itself(ask: Asked, tmp_path: Path, status: int) -> None:
    async def ready(request: Request) -> Response:
        return JSONResponse({}, status)

    state = StateDir(tmp_path)
    state.run.mkdir()
    with served(Starlette(routes=[Route("/ready", ready)])) as url:
        system = {"gateway": url, "pid": os.getpid(), "started": time.time()}
        state.addresses.write_text(json.dumps(system))
        port = {"port": int(url.rpartition(":")[2])}
        assert ask(gateway=port)[0] == (0 if status == 200 else 1)
        state.addresses.write_text(json.dumps({**system, "started": 1.0}))  # another process has its number now
        assert any("gateway.port" in finding for finding in ask(gateway=port)[1])


def test_a_gateway_of_a_running_system_that_does_not_answer_is_found(ask: Asked, tmp_path: Path) -> None:
    state = StateDir(tmp_path)
    state.run.mkdir()
    system = {"gateway": f"http://127.0.0.1:{free_ports(1)[0]}", "pid": os.getpid(), "started": time.time()}
    state.addresses.write_text(json.dumps(system))
    code, (found,) = ask()
    assert code == 1
    assert "gateway.log" in found


PORTS = [f"engines.ports.{slot}" for slot in SLOTS]


@pytest.mark.parametrize("setting", ["gateway.port", "control.port", "engines.ports.student-b"])
def test_the_doctor_finds_every_port_that_up_would_find(
    setting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        values = dict(zip(("gateway.port", "control.port", *PORTS), free_ports(5), strict=True)) | {setting: number}
        file = tmp_path / "ports.yaml"
        engines = {slot: values[f"engines.ports.{slot}"] for slot in SLOTS}
        file.write_text(json.dumps({
            "gateway": {"port": values["gateway.port"]}, "control": {"port": values["control.port"]},
            "engines": {"ports": engines}, "up": {"min_memory_mib": 0},
        }))  # fmt: skip
        code = doctor.main(["--config", str(file), "--state", str(tmp_path), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert code == 1
    assert [setting in finding for finding in said["findings"] if "port" in finding] == [True]


@pytest.fixture
def lossy(tmp_path: Path) -> Route:
    """The page of a gateway whose outbox dropped and buried events."""
    outbox = Outbox(tmp_path / "spool", "gateway", bus_at(nowhere()), OutboxConfig())
    stats = {**outbox.stats(), "dead": 3, "dropped": {**outbox.stats()["dropped"], "spool": 12}}
    page = MetricsPage("gateway")
    show_outbox(page, lambda: stats)

    async def metrics(request: Request) -> Response:
        return Response(page.render())

    return Route("/metrics", metrics)


def test_what_a_gateway_lost_is_told_aloud(lossy: Route) -> None:
    with served(Starlette(routes=[lossy])) as url:
        told = list(doctor.losses(url))
    assert [line for line in told if "dropped 12 events" in line and "room" in line]
    assert [line for line in told if "3 events" in line and "dead list" in line]
    assert len(told) == 2


def test_what_a_running_gateway_lost_and_a_bus_that_is_away_are_findings(
    ask: Asked, lossy: Route, tmp_path: Path
) -> None:
    async def ready(request: Request) -> Response:
        return JSONResponse({})

    state = StateDir(tmp_path)
    state.run.mkdir()
    with served(Starlette(routes=[Route("/ready", ready), lossy])) as url:
        system = {"gateway": url, "pid": os.getpid(), "started": time.time()}
        state.addresses.write_text(json.dumps(system))
        (away,) = free_ports(1)
        code, found = ask(redis={"url": f"redis://127.0.0.1:{away}/0"})
    assert code == 1
    assert len([line for line in found if "dropped 12 events" in line]) == 1
    assert len([line for line in found if f":{away}" in line and "cannot be asked" in line]) == 1


def test_how_the_student_learns_and_a_teacher_that_changed_are_notes(state_dir: StateDir) -> None:
    engine = {"url": "http://127.0.0.1:1/v1", "model": "big"}
    config = Config({"engines": {"teacher": engine}})
    assert list(doctor.notes(config, state_dir)) == []
    write_knowledge(state_dir, Knowledge(teacher="external", student="v1", level="text", why="no log-probabilities"))
    change = TeacherChange(at=time.time(), what=("system_fingerprint is b, was a",))
    old = TeacherChange(at=time.time() - 30 * 86_400, what=("system_fingerprint is a, was none",))
    found = TeacherFindings(**engine, asked=1.0, error="429", changes=(old, change))
    write_findings(state_dir, found)
    learns, away, changed = doctor.notes(config, state_dir)
    assert learns == "v1 learns by the teacher's text alone: no log-probabilities"
    assert "could not be asked what it gives: 429" in away
    assert changed.endswith("answers otherwise than before: system_fingerprint is b, was a")
    write_findings(state_dir, found.model_copy(update={"url": "http://elsewhere/v1"}))
    assert len(list(doctor.notes(config, state_dir))) == 1
