"""Real processes under the supervisor: restarted when killed, stopped in order, gone when the parent is killed."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from pathlib import Path

import pytest

from feedback.store.server import RedisServer, free_port
from serving.up.roles import redis_role
from serving.up.supervise.leftovers import Ledger
from serving.up.supervise.process import Role
from serving.up.supervise.restarts import Policy
from serving.up.supervise.supervisor import Supervisor
from tests.serving.up.supervise.programs import SLEEP, STUBBORN, alive
from tests.waiting import eventually_async
from understudy.errors import UnderstudyError
from understudy.process.rotation import LOG_BYTES

QUICK = Policy(first=0.05, limit=0.2, steady=30)


def supervisor(folder: Path, stop_seconds: float = 60.0) -> Supervisor:
    return Supervisor(folder / "logs", Ledger(folder), QUICK, stop_seconds)


async def test_a_killed_role_is_started_again_and_both_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "understudy.up")
    watched = supervisor(tmp_path)
    await watched.start(Role("one", SLEEP, 0))
    first = watched.pids["one"]
    os.kill(first, signal.SIGKILL)
    await eventually_async(lambda: watched.pids.get("one", first) != first)
    assert watched.lives["one"].restarts == 1
    await watched.stop_all()
    killed, again = [record.getMessage() for record in caplog.records if record.name == "understudy.up"]
    assert killed.startswith("one was killed (signal 9), starts again in 0.")
    assert again == "one runs again"
    assert watched.pids == {}
    assert not alive(first)


async def test_a_killed_redis_comes_back_on_its_port_with_its_data(tmp_path: Path) -> None:
    import redis

    server = RedisServer(tmp_path / "redis", port=free_port(), password="ours")
    watched = supervisor(tmp_path)
    await watched.start(redis_role(server.command()))
    client = redis.Redis.from_url(server.url, socket_timeout=1)

    def says(check) -> bool:
        try:
            return bool(check())
        except redis.RedisError:
            return False

    await eventually_async(lambda: says(lambda: client.set("问候", "你好")))
    os.kill(watched.pids["redis"], signal.SIGKILL)
    await eventually_async(lambda: says(lambda: client.get("问候") == "你好".encode()))
    await watched.stop_all()
    assert watched.pids == {}


async def test_a_role_that_ends_at_once_backs_off_and_can_be_stopped_meanwhile(tmp_path: Path) -> None:
    watched = supervisor(tmp_path)
    await watched.start(Role("bad", (sys.executable, "-c", "raise SystemExit(3)"), 0))
    await eventually_async(lambda: watched.lives["bad"].failures >= 2)
    await asyncio.wait_for(watched.stop("bad"), 60)
    assert watched.lives["bad"].state == "stopped"


async def test_stopping_kills_what_ignores_the_signal_and_its_children(tmp_path: Path) -> None:
    watched = supervisor(tmp_path, stop_seconds=0.3)
    await watched.start(Role("stubborn", STUBBORN, 0))
    log = tmp_path / "logs" / "stubborn.log"
    await eventually_async(lambda: log.exists() and log.read_text().strip().isdigit())
    grandchild, child = int(log.read_text()), watched.pids["stubborn"]
    await watched.stop_all()
    await eventually_async(lambda: not alive(grandchild) and not alive(child))
    assert watched.lives["stubborn"].state == "stopped"


async def test_logs_are_kept_short_while_roles_run_and_no_longer(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "engine-teacher.log"
    log.parent.mkdir()
    log.touch()
    os.truncate(log, LOG_BYTES + 1)
    watched = supervisor(tmp_path)
    await watched.start(Role("one", SLEEP, 0))
    await eventually_async(lambda: log.stat().st_size == 0)
    assert log.with_name("engine-teacher.log.1").stat().st_size == LOG_BYTES + 1
    await watched.stop_all()
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "keep-logs-short"]


@pytest.mark.parametrize("how", ["no such program", "cancelled"])
async def test_a_role_that_cannot_start_keeps_no_other_from_being_stopped(tmp_path: Path, how: str) -> None:
    watched = supervisor(tmp_path)
    await watched.start(Role("good", SLEEP, 1))
    good = watched.pids["good"]
    if how == "cancelled":
        starting = asyncio.create_task(watched.start(Role("bad", SLEEP, 0)))
        await asyncio.sleep(0)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    else:
        with pytest.raises(UnderstudyError, match="cannot start bad: /no/such/program"):
            await watched.start(Role("bad", ("/no/such/program",), 0))
    assert watched.lives.keys() == {"good"}
    await watched.stop_all()
    assert watched.pids == {}
    assert not alive(good)


async def test_a_role_may_be_stopped_twice_at_once(tmp_path: Path) -> None:
    watched = supervisor(tmp_path, stop_seconds=0.3)
    await watched.start(Role("one", SLEEP, 0))
    await asyncio.gather(watched.stop("one"), watched.stop_all())
    assert watched.pids == {}
    assert watched.lives["one"].state == "stopped"


async def test_roles_that_were_killed_in_a_hurry_are_not_said_to_start_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    watched = supervisor(tmp_path)
    for wave, name in enumerate(("one", "two")):
        await watched.start(Role(name, SLEEP, wave))
    watched.hurry()
    await eventually_async(lambda: not watched.pids)
    await watched.stop_all()
    assert {life.state for life in watched.lives.values()} == {"stopped"}
    assert [record.getMessage() for record in caplog.records if record.name.startswith("understudy")] == []


async def test_waves_stop_one_after_the_other(tmp_path: Path) -> None:
    note = tmp_path / "order"
    script = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(note)!r}, 'a').write(sys.argv[1] + '\\n'); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('ready', flush=True)\ntime.sleep(60)"
    )
    watched = supervisor(tmp_path)
    for name, wave in (("late", 2), ("early", 0), ("middle", 1)):
        await watched.start(Role(name, (sys.executable, "-c", script, name), wave))
    for name in ("late", "early", "middle"):
        log = tmp_path / "logs" / f"{name}.log"
        await eventually_async(lambda log=log: "ready" in log.read_text())
    await watched.stop_all()
    assert note.read_text().split() == ["early", "middle", "late"]
