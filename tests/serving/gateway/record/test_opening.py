"""The process beside a gateway: where it cannot work, and when it can again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from feedback.outbox.apart.handle import OutboxHandle
from feedback.outbox.config import OutboxConfig
from feedback.outbox.spool import Spool
from serving.gateway.record.opening import open_outbox
from tests.feedback.factory import exchange
from tests.feedback.outbox.apart.test_handle import Runner
from tests.waiting import eventually
from understudy.config import Config
from understudy.errors import ConfigError
from understudy.state import StateDir


@contextmanager
def opened(state: StateDir, redis_url: str, **raw: Any) -> Iterator[Runner]:
    made = open_outbox(Config({"redis": {"url": redis_url}, **raw}), state, "g", False)
    assert made is not None
    one = Runner(made)
    try:
        yield one
    finally:
        one.end(0.1)


def program(handle: OutboxHandle) -> psutil.Process:
    eventually(lambda: handle.pid)
    return psutil.Process(handle.pid)


def test_a_spool_that_cannot_be_opened_captures_nothing_until_it_can(
    state_dir: StateDir, redis_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    state_dir.root.mkdir(exist_ok=True)
    state_dir.spool.write_text("no folder")
    with opened(state_dir, redis_url) as one:
        eventually(lambda: not one.handle.bus_known)
        assert "nothing is captured, the spool cannot be opened" in capfd.readouterr().err
        state_dir.spool.unlink()
        eventually(lambda: one.handle.bus_known)
        assert one.call(lambda: one.handle.store(exchange(1))).result(60) is None


def test_it_waits_for_a_spool_that_another_still_empties(state_dir: StateDir, redis_url: str) -> None:
    held = Spool(state_dir.spool / "g.db", OutboxConfig().spool_bytes)
    with opened(state_dir, redis_url) as one:
        stored = one.call(lambda: one.handle.store(exchange(1)))
        time.sleep(1)
        assert not stored.done()
        held.close()
        assert stored.result(60) is None
        assert one.handle.stats()["dropped"]["process"] == 0


def test_signals_meant_for_the_gateway_do_not_end_it_and_no_address_is_in_its_command(
    state_dir: StateDir, redis_url: str
) -> None:
    with opened(state_dir, redis_url) as one:
        process = program(one.handle)
        for number in (signal.SIGTERM, signal.SIGINT):
            os.kill(process.pid, number)
        assert one.call(lambda: one.handle.store(exchange(1))).result(60) is None
        assert process.pid == program(one.handle).pid
        assert "redis://" not in " ".join(process.cmdline())
    eventually(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, what="its end")


def test_nothing_of_the_working_directory_is_run(
    state_dir: StateDir, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("serving", "feedback", "deploy", "ab"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of the working directory')")
    monkeypatch.chdir(tmp_path)
    with opened(state_dir, redis_url) as one:
        assert program(one.handle).is_running()


def test_a_bus_that_cannot_be_is_refused_before_anything_starts(state_dir: StateDir) -> None:
    with pytest.raises(ConfigError):
        open_outbox(Config({"bus": {"url": "carrier-pigeon://roof"}}), state_dir, "g", False)


def test_a_package_that_was_replaced_under_a_gateway_records_nothing(
    state_dir: StateDir, redis_url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("serving.gateway.record.opening.__version__", "0.0.1")
    with opened(state_dir, redis_url) as one:
        eventually(lambda: not one.handle.bus_known)
    assert "the gateway is of 0.0.1" in capfd.readouterr().err


def test_without_a_bus_there_is_none(state_dir: StateDir) -> None:
    assert open_outbox(Config({}), state_dir, "g", False) is None
