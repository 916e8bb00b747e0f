"""What keeps `up` from starting is said before anything starts, with what to change."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.routing.document import SLOTS
from serving import doctor
from serving.up.config import DEFAULTS, UpConfig, composed
from serving.up.launch import plan
from serving.up.options import UpOptions
from serving.up.preflight import (
    NotReady,
    Port,
    listeners,
    missing_models,
    port_in_use,
    require,
    too_little_memory,
)
from serving.up.supervise.lock import StateLock
from serving.up.supervise.process import ROOT
from trials.system import free_ports
from understudy.config import Config, load_config
from understudy.errors import ConfigError, Conflict
from understudy.state import StateDir

OUTSIDE = {"url": "http://127.0.0.1:9001/v1", "model": "big"}
PORTS = [f"engines.ports.{slot}" for slot in SLOTS]


def test_a_port_in_use_names_its_holder_and_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        (said,) = port_in_use(Port("127.0.0.1", number, "gateway.port"))
    assert str(number) in said
    assert "gateway.port" in said
    assert "UNDERSTUDY_GATEWAY__PORT" in said
    assert str(os.getpid()) in said
    assert list(port_in_use(Port("127.0.0.1", number, "gateway.port"))) == []


def test_too_little_memory_says_how_much_is_needed_and_free() -> None:
    (said,) = too_little_memory(1 << 30)
    assert str(1 << 30) in said
    assert list(too_little_memory(0)) == []


def test_missing_models_are_named_for_a_fresh_state_only(state_dir: StateDir) -> None:
    without = UpConfig(application="no_such_application")
    (said,) = missing_models(state_dir, without)
    assert "no_such_application" in said
    kept = state_dir.versions / "v1"
    kept.mkdir(parents=True)
    (kept / "READY").touch()
    assert list(missing_models(state_dir, without)) == []


def test_all_findings_come_at_once(state_dir: StateDir) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(NotReady) as refused:
            require(
                state_dir, [Port("127.0.0.1", taken.getsockname()[1], "control.port")], UpConfig(min_memory_mib=1 << 30)
            )
    assert "control.port" in refused.value.message
    assert "min_memory_mib" in refused.value.message


def test_the_lock_is_refused_with_the_holder_and_freed_by_its_death(tmp_path: Path) -> None:
    script = (
        "import time\nfrom pathlib import Path\nfrom serving.up.supervise.lock import StateLock\n"
        f"with StateLock(Path({str(tmp_path)!r})):\n    print('held', flush=True)\n    time.sleep(60)\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == "held"
    with pytest.raises(Conflict, match=str(holder.pid)), StateLock(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with StateLock(tmp_path):
        assert (tmp_path / "up.lock").read_text().strip() == str(os.getpid())


def test_up_ends_at_once_on_a_taken_port_and_leaves_only_its_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text('{"ok": true}')
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "understudy", "up", "--state", str(tmp_path / "state"), "--until-swap",
             "--json", str(report)],
            cwd=ROOT, capture_output=True, text=True, timeout=60,
            env={**os.environ, "UNDERSTUDY_GATEWAY__PORT": str(number)},
        )  # fmt: skip
    assert done.returncode == 1
    assert f"port {number}" in done.stderr
    assert f"port {number}" in json.loads(report.read_text())["why"]
    assert not (tmp_path / "state" / "run" / "addresses.json").exists()


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


def test_a_teacher_of_others_needs_no_port() -> None:
    ports = listeners(Config({"engines": {"teacher": OUTSIDE}}))
    assert [port.setting for port in ports] == ["gateway.port", "control.port", *PORTS[1:]]


def test_up_refuses_a_student_that_it_cannot_distil(tmp_path: Path) -> None:
    file = tmp_path / "outside.yaml"
    file.write_text(json.dumps({"engines": {"teacher": OUTSIDE, "student": OUTSIDE}}))
    with pytest.raises(ConfigError, match=r"engines\.student.*understudy serve"):
        plan(UpOptions(StateDir(tmp_path / "state"), config=file))


def test_up_with_a_wrong_configuration_starts_nothing_and_exits_2(tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("up: {rate: -1}\n", "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "up", "--state", str(tmp_path / "state"), "--config", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 2
    assert "up.rate" in done.stderr


def test_the_users_keys_go_before_the_defaults_of_up() -> None:
    raw = composed({"router": {"default": {"teacher": 1.0}}, "pool": {"capacity": 5}}, "redis://127.0.0.1:1/0")
    assert raw["router"] == {"default": {"teacher": 1.0}}
    assert raw["rollout"] == DEFAULTS["rollout"]
    assert raw["redis"]["url"] == "redis://127.0.0.1:1/0"
    assert composed({"redis": {"url": "redis://elsewhere:1/0"}}, "x")["redis"]["url"] == "redis://elsewhere:1/0"
    assert Config(composed({}, "redis://127.0.0.1:1/0")).check()
    assert load_config(None, {}).raw == {}
