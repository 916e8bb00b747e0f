"""A real controller process: its control plane and commands, its end, and what it survives."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import redis

from deploy.audit.log_file import FileAuditLog
from deploy.rounds.store import FileRounds
from deploy.routing.stores import open_routing
from feedback.events import Exchange
from feedback.kpis.names import trial
from feedback.store.server import RedisServer
from tests.deploy.fleet import register, round_at_gate
from tests.feedback.applying import Applier
from tests.feedback.factory import exchange
from tests.serving.conftest import ROOT, Control
from tests.waiting import LONG, eventually


def count(control: Control, version: str, replies: int) -> None:
    """What the workers would have counted of a version."""
    Applier(control.redis_url).events([on(version, n, new=True) for n in range(replies)])


def on(candidate: str, n: int, *, new: bool, status: int = 200) -> Exchange:
    """A reply to a user of one side of a canary, in its first step."""
    rollout, version = trial(candidate, 0, new=new), candidate if new else "v2"
    return exchange(n, unit=f"u{n}", arm="student", version=version, rollout=rollout, status=status)


@pytest.fixture(autouse=True)
def _settled(control: Control) -> None:
    control.ready()
    control.call("POST", "/resume", json={"what": "promotion"})


@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic abc", "Bearer 错误".encode()])
def test_nothing_is_told_without_the_token(control: Control, header: str | bytes | None) -> None:
    headers = {} if header is None else {b"authorization": header if isinstance(header, bytes) else header.encode()}
    answer = httpx.get(f"{control.url}/admin/v1/status", headers=headers, timeout=60)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "unauthorised"
    assert stat.S_IMODE(control.state.admin_token.stat().st_mode) == 0o600


def test_status_holds_what_is_promised(control: Control) -> None:
    status = control.call("GET", "/status").json()
    assert {"epoch", "live", "previous", "slots", "breaker", "pool", "round", "bus"} <= set(status)
    assert {"teacher", "student"} <= set(status["live"])
    assert status["pool"]["size"] == 0
    assert "lag" in status["bus"]
    assert "stage" in status["round"]
    assert [g["id"] for g in status["gateways"]] == ["g1"]


def test_versions_are_listed_newest_first(control: Control) -> None:
    versions = control.call("GET", "/versions").json()["versions"]
    created = [v["created"] for v in versions]
    assert created == sorted(created, reverse=True)
    assert {"version", "state", "created"} <= set(versions[0])


@pytest.mark.parametrize("path", ["rollouts", "rounds", "audit", "kpis", "kpis?by=version", "pool", "experiments"])
def test_every_page_answers_with_an_object(control: Control, path: str) -> None:
    answer = control.call("GET", f"/{path}")
    assert answer.status_code == 200
    assert isinstance(answer.json(), dict)


@pytest.mark.parametrize("path", ["health-report", "tickets", "drift"])
def test_what_is_not_computed_says_so(control: Control, path: str) -> None:
    assert control.call("GET", f"/{path}").json()["available"] is False


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("DELETE", "/status", 405)])
def test_an_unknown_address_or_method_is_a_json_error(control: Control, method: str, path: str, status: int) -> None:
    answer = control.call(method, path)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == "no_such_address"
    assert path in error["message"]


def test_the_openapi_document_names_the_routes(control: Control) -> None:
    paths = httpx.get(f"{control.url}/admin/v1/openapi.json", timeout=60).json()["paths"]
    assert {"/admin/v1/rollback", "/admin/v1/experiments/{name}/results", "/admin/v1/pool"} <= set(paths)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/promote", {}, 422),
        ("POST", "/promote", {"version": "v99"}, 404),
        ("POST", "/rollback", {"verson": "v1"}, 422),
        ("POST", "/freeze", {"what": "everything"}, 422),
        ("PUT", "/experiments/a", {"id": "b", "arms": {"teacher": 1}}, 400),
        ("PUT", "/experiments/a", {"id": "a", "arms": {"teacher": 0.5}}, 422),
        ("GET", "/experiments/nothing", None, 404),
        ("DELETE", "/experiments/nothing", None, 404),
        ("GET", "/kpis?by=weather", None, 422),
    ],
)
def test_wrong_calls_get_an_error_object(
    control: Control, method: str, path: str, body: dict[str, object] | None, status: int
) -> None:
    answer = control.call(method, path, json=body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_rollback_by_command_freezes_promotion_and_resume_undoes_it(control: Control) -> None:
    before = control.status()
    done = control.understudy("rollback", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"from", "to", "epoch", "seconds", "follow_seconds"}
    assert "promotion is frozen until" in control.understudy("rollback", answer["from"]).stdout
    assert control.understudy("rollback", answer["to"]).returncode == 0
    assert (answer["from"], answer["to"]) == (before.live.student, before.previous[0])
    assert control.status().frozen == ["promotion"]
    assert control.understudy("resume", "promotion").stdout.strip() == "frozen: nothing"
    assert control.understudy("promote", answer["from"]).returncode == 0
    assert control.status().live.student == answer["from"]


def test_experiments_apply_show_count_and_stop(control: Control, tmp_path: Path) -> None:
    file = tmp_path / "实验.yaml"
    file.write_text("id: student-25\nunit: user\narms: {teacher: 0.75, student: 0.25}\n", "utf-8")
    assert control.understudy("experiment", "apply", str(file)).returncode == 0
    assert "student-25" in control.understudy("experiment", "list").stdout
    assert (
        json.loads(control.understudy("experiment", "show", "student-25", "--json").stdout)["arms"]["student"] == 0.25
    )
    file.write_text("id: student-25\nunti: user\n", "utf-8")
    refused = control.understudy("experiment", "apply", str(file))
    assert (refused.returncode, "did you mean `unit`" in refused.stderr) == (2, True)
    asked = {"arm": "student", "assigned": "student", "experiment": "student-25"}
    users = [exchange(3000 + n, unit=f"half {n}", session=f"half {n}", **asked) for n in range(3)]
    Applier(control.redis_url, spool="of an experiment").events(users)
    results = control.call("GET", "/experiments/student-25/results").json()
    assert results["decision"] == "keep running"
    assert results["arms"]["student"]["units"] == 3
    assert control.understudy("experiment", "stop", "student-25").returncode == 0
    assert "stopped" in control.understudy("experiment", "list").stdout


def test_a_round_is_asked_for_and_the_pool_purged(control: Control) -> None:
    assert control.understudy("rounds", "start", "--why", "漂移").returncode == 0
    client = redis.Redis.from_url(control.redis_url, decode_responses=True)
    assert client.getdel("us:round:request") == "漂移"
    assert control.understudy("pool", "purge").returncode == 2
    assert "removed 0" in control.understudy("pool", "purge", "--tenant", "acme").stdout
    actions = [e["action"] for e in control.call("GET", "/audit").json()["entries"]]
    assert {"round.requested", "pool.purged"} <= set(actions)


@pytest.mark.parametrize("words", [["status"], ["versions"], ["kpis"], ["pool", "show"], ["rounds", "list"]])
def test_commands_print_text_and_json(control: Control, words: list[str]) -> None:
    text, value = control.understudy(*words), control.understudy(*words, "--json")
    assert (text.returncode, value.returncode) == (0, 0), text.stderr + value.stderr
    assert text.stdout.strip()
    assert isinstance(json.loads(value.stdout), dict)


def test_without_a_running_system_a_command_says_how_to_start_it(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("UNDERSTUDY_")}
    command = [sys.executable, "-m", "understudy", "status", "--state", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 1
    assert "understudy up" in done.stderr


def test_a_second_controller_waits_and_takes_over_when_the_first_is_killed(control: Control) -> None:
    first = control.process
    second = control.start()
    eventually(lambda: "another controller leads" in control.log.read_text("utf-8"), what="a second controller")
    epoch = control.status().epoch
    os.kill(first.pid, signal.SIGKILL)
    first.wait(LONG)
    control.ready()
    assert control.status().epoch >= epoch
    assert second.poll() is None


def test_a_port_in_use_is_named_with_its_setting(control: Control, tmp_path: Path) -> None:
    env = {**control.environment(), "UNDERSTUDY_REDIS__PREFIX": "other-"}
    command = [sys.executable, "-m", "understudy", "controller", "--state", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=LONG)
    assert done.returncode == 2
    assert "control.port" in done.stderr


def test_a_round_goes_live_although_the_controller_is_killed_at_each_stage(control: Control) -> None:
    version = round_at_gate(control.state, 0.3, 0.0, True)
    rounds = FileRounds(control.state)

    def kill_and_start() -> None:
        os.kill(control.process.pid, signal.SIGKILL)
        control.process.wait(LONG)
        control.start()

    kill_and_start()
    eventually(lambda: rounds.get(1).state == "canary")
    kill_and_start()
    eventually(lambda: (rollout := control.status().rollout) is not None and rollout.step == 0)
    kill_and_start()
    eventually(lambda: (rollout := control.status().rollout) is not None and rollout.step == 0)
    count(control, version, 10)
    eventually(lambda: control.status().live.student == version)
    kill_and_start()
    eventually(lambda: rounds.get(1).state == "done")
    control.ready()  # the round may have ended before the last kill
    listed = control.call("GET", "/versions").json()["versions"]
    assert next(v for v in listed if v["version"] == version)["decided_by"] == "exposures"
    assert FileAuditLog(control.state.audit).verify().entries > 0
    assert json.loads(control.understudy("rounds", "show", "--json").stdout)["id"] == 1


def test_a_candidate_that_fails_its_users_is_taken_back_and_says_between_what_bounds(control: Control) -> None:
    """Sums of users in Redis, a controller that looks at them, and what its records say."""
    live = control.status().live.student
    version = round_at_gate(control.state, 0.3, 0.0, True)
    eventually(lambda: (rollout := control.status().rollout) is not None and rollout.step == 0)
    good = [on(version, 1000 + n, new=False) for n in range(60)]
    workers = Applier(control.redis_url, spool="of those users")
    workers.events(good)
    eventually(lambda: (now := control.status().rollout) is not None and now.guardrails["error_rate"].users == [60, 0])
    assert control.status().live.student == live
    workers.events([on(version, 2000 + n, new=True, status=503) for n in range(12)])
    eventually(lambda: control.status().rollout is None)
    assert control.status().live.student == live
    told = next(one for one in control.call("GET", "/rollouts").json()["rollouts"] if one["version"] == version)
    assert (told["state"], told["decided_by"]) == ("rolled_back", "guardrail")
    assert told["history"][-1]["why"].startswith(
        "error_rate 1.000 of 12 users against 0.000 of 60: worse by at least 0."
    )
    page = control.understudy("versions", version).stdout
    row = next(line.split() for line in page.splitlines() if line.startswith("error_rate"))
    assert (row[:4], row[-1]) == (["error_rate", "0.000", "1.000", "60/12"], "harm")


def test_a_version_goes_live_while_redis_is_away_and_redis_hears_of_it_later(
    control: Control, redis_server: RedisServer
) -> None:
    version = register(control.state, "没有Redis")
    redis_server.stop()
    try:
        assert control.call("POST", "/promote", json={"version": version}).json()["to"] == version
        assert control.call("GET", "/pool").status_code == 503
        assert control.call("PUT", "/experiments/a", json={"id": "a", "arms": {"teacher": 1}}).status_code == 200
        results = control.call("GET", "/experiments/a/results")
        assert (results.status_code, "0 of" in results.text) == (503, False), "unknown must not read as zero"
        assert control.call("DELETE", "/experiments/a").status_code == 200
        assert control.status().pool.size is None
    finally:
        redis_server.start()
    elsewhere = open_routing(None, control.redis_url).documents
    eventually(lambda: (found := elsewhere.read()) is not None and found.stable == version)


def test_sigterm_ends_the_controller_in_order(control: Control) -> None:
    process = control.process
    process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    control.start()
    control.ready()
