"""Rows spilled and read back, by whom and when ever: every figure is what the events say."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from feedback.events import Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.forgetting import forget_tenant
from feedback.rows.files import MissingRows, RowFiles
from feedback.rows.reading import every_row, tenants
from feedback.rows.spilling import FAN, RowBounds, Spill
from feedback.store.connection import connect
from tests.feedback.applying import APPLIED, KEYS, Applier, effects_of
from tests.feedback.factory import exchange
from tests.feedback.kpis.test_recomputed import apply_again, expect_all
from tests.feedback.kpis.traffic import Traffic
from tests.waiting import eventually
from understudy.errors import Unavailable

pytest.importorskip("duckdb")
FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
EVENTS = 20_000 if FULL else 1500
KILLS = 40 if FULL else 6
FEW = RowBounds(tenant=6000, whole=1 << 30, disk=1 << 30)
"""Of some hundred rows nearly all lie in files."""


def spill_of(applier: Applier, folder: Path, bounds: RowBounds = FEW) -> Spill:
    return Spill(applier.client, KEYS, RowFiles(folder), bounds)


def held(applier: Applier, tenant: str = "default") -> int:
    return int(applier.client.hlen(f"{KEYS.rows}{tenant}"))


def users(events: list[Any]) -> int:
    """Who has a row: those of whom there is an exchange or an exposure."""
    return len({one.unit for one in events if not isinstance(one, Kpi)})


def counter(applier: Applier, name: str) -> int:
    return applier.kpis.counters().get(name, 0)


def test_figures_are_those_of_the_events_though_most_rows_lie_in_files(redis_url: str, tmp_path: Path) -> None:
    applier = Applier(redis_url, files=RowFiles(tmp_path))
    spill = spill_of(applier, tmp_path)
    events = Traffic(random.Random(21), time.time()).make(EVENTS)
    for at in range(0, len(events), 50):
        applier.events(events[at : at + 50])
        spill.step()
    assert counter(applier, "kpi_rows_spilled") > 200
    assert 0 < held(applier) < 40
    expect_all(applier, events)
    found = list(every_row(applier.client, KEYS, RowFiles(tmp_path), "default"))
    assert len(found) == len(dict(found)) == users(events), "every user once, from Redis and files"
    assert applier.kpis.held()["rows"] == sum(
        len(text) + len(unit) + 90 for unit, text in applier.client.hgetall(f"{KEYS.rows}default").items()
    )


@pytest.mark.timeout(1200)
def test_rows_and_sums_agree_whoever_is_killed_at_any_moment(redis_url: str, tmp_path: Path) -> None:
    """A worker that consumes and spills is killed in the middle of either; another begins with the first event."""
    chance = random.Random(22)
    events = Traffic(random.Random(23), time.time()).make(EVENTS)
    rows, client = [effects_of(one) for one in events], connect(redis_url)
    for number in sorted(chance.sample(range(1, len(events)), KILLS)):
        worker = os.fork()
        if worker == 0:
            with contextlib.suppress(BaseException):
                work(redis_url, tmp_path, rows)
            os._exit(1)
        try:
            eventually(lambda: int(client.hget(APPLIED, "spool") or 0) >= number, 60, "some events applied")  # noqa: B023
            time.sleep(chance.random() * 0.02)  # any instant: of a batch, of a file, of what leaves Redis
        finally:
            os.kill(worker, signal.SIGKILL)
            os.waitpid(worker, 0)
    applier = Applier(redis_url, files=RowFiles(tmp_path))
    apply_again(applier, rows, 64)
    assert counter(applier, "kpi_rows_spilled") > 100
    expect_all(applier, events)
    found = list(every_row(applier.client, KEYS, RowFiles(tmp_path), "default"))
    assert len(found) == len(dict(found)) == users(events)


def work(url: str, folder: Path, rows: list[list[list[Any]]]) -> None:
    """Apply effects of events from the first on, and spill after each few."""
    applier = Applier(url, files=RowFiles(folder))
    spill = spill_of(applier, folder)
    for at in range(0, len(rows), 20):
        apply_again(applier, rows[at : at + 20], 20)
        spill.step()


def test_two_that_spill_at_once_lose_nothing(redis_url: str, tmp_path: Path) -> None:
    """The second wrote its file of what Redis held before the first: it is not named, and rows stay where they are."""
    applier = Applier(redis_url, files=RowFiles(tmp_path))
    events = [exchange(n) for n in range(60)]
    applier.events(events)
    first, second = (spill_of(applier, tmp_path) for _ in range(2))
    write = second._files.write

    def meanwhile(*given: object) -> object:
        made = write(*given)  # type: ignore[arg-type]
        assert first.step() > 0
        applier.events([exchange(n, response_id=f"again-{n}") for n in range(60)])
        return made

    second._files.write = meanwhile  # type: ignore[assignment, method-assign]
    left = held(applier)
    second.step()
    assert len(first.spilled("default").files) == 1
    assert held(applier) == left == 60, "the first one's rows came back to change, and the second one took none"
    assert sum(one["requests"] for one in applier.kpis.cohorts("arm")["teacher"].values()) == 120


def test_what_changed_longest_ago_goes_first(redis_url: str, tmp_path: Path) -> None:
    applier = Applier(redis_url, files=RowFiles(tmp_path))
    for n in range(40):
        applier.events([exchange(n, unit=f"u{n}")])
    key = f"{KEYS.rows}default"
    minute = "return redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack((cmsgpack.unpack(ARGV[2])), tonumber(ARGV[3])))"
    rows = applier.client.hgetall(key)
    for age, (unit, text) in enumerate(rows.items()):
        applier.client.eval(minute, 1, key, unit, text, 29_000_000 - age)
    assert spill_of(applier, tmp_path).step() > 0
    left = set(applier.client.hkeys(key))
    assert left == set(list(rows)[: len(left)])
    assert 0 < len(left) < 40


def test_files_stay_few_and_within_their_bound(redis_url: str, tmp_path: Path) -> None:
    applier = Applier(redis_url, files=RowFiles(tmp_path))
    spill = spill_of(applier, tmp_path)
    events = [exchange(n, unit=f"u{n}") for n in range(1200)]
    for at in range(0, len(events), 30):
        applier.events(events[at : at + 30])
        spill.step()
    files = spill.spilled("default").files
    assert len(files) < 2 * FAN
    assert max(one.level for one in files) >= 1
    assert [one.level for one in files] == sorted((one.level for one in files), reverse=True), "oldest first"
    assert sum(one.rows for one in files) + held(applier) == 1200
    before = counter(applier, "kpi_rows_dropped")
    spill_of(applier, tmp_path, RowBounds(6000, 1 << 30, sum(one.bytes for one in files) // 2)).step()
    assert counter(applier, "kpi_rows_dropped") - before == 1200 - held(applier) - sum(
        one.rows for one in spill.spilled("default").files
    )
    assert counter(applier, "kpi_rows_dropped") > 0


def test_a_bound_of_one_tenant_is_not_anothers_and_without_files_new_users_have_no_row(redis_url: str) -> None:
    applier = Applier(redis_url, KpisConfig(tenant_row_bytes=3000))
    applier.events([exchange(n, unit=f"u{n}", tenant="full") for n in range(40)])
    applier.events([exchange(n + 40, unit=f"u{n}", tenant="other") for n in range(5)])
    assert held(applier, "full") < 20
    assert counter(applier, "kpi_rows_refused") == 40 - held(applier, "full")
    assert held(applier, "other") == 5


def test_a_purge_reaches_spilled_rows_and_what_somebody_read_in_them(redis_url: str, tmp_path: Path) -> None:
    files = RowFiles(tmp_path)
    applier = Applier(redis_url, files=files)
    applier.events([exchange(n, unit=f"u{n}", tenant=f"t{n % 2}") for n in range(200)])
    spill = spill_of(applier, tmp_path)
    spill.step()
    spilled = sum(one.rows for one in spill.spilled("t0").files)
    assert spilled > 0
    before = held(applier, "t0") + spilled
    assert before == 100
    find = files.find

    def meanwhile(*given: object) -> dict[str, bytes]:
        found = find(*given)  # type: ignore[arg-type]
        files.find = find  # type: ignore[method-assign]
        assert forget_tenant(applier.client, KEYS, "t0") >= before
        files.forget("t0")
        return found

    files.find = meanwhile  # type: ignore[assignment, method-assign]
    applier.events([exchange(1000 + n, unit=f"u{n}", tenant="t0") for n in range(0, 200, 2)])
    assert files.find == find
    assert not list(files.of("t0").glob("*"))
    assert {len(text) for _, text in every_row(applier.client, KEYS, files, "t0")} == {
        len(text) for _, text in applier.client.hgetall(f"{KEYS.rows}t0").items()
    }
    assert held(applier, "t0") == 100
    users = sum(sums["users"] for sums in applier.kpis.cohorts("arm")["teacher"].values())
    assert users == 300, "the sums of those who were forgotten stay, and they came again"
    assert tenants(applier.client, KEYS) == ["t0", "t1"]


def test_rows_that_cannot_be_read_hold_events_up_and_lost_ones_are_struck_out(redis_url: str, tmp_path: Path) -> None:
    applier = Applier(redis_url, files=RowFiles(tmp_path))
    applier.events([exchange(n, unit=f"u{n}") for n in range(60)])
    spill = spill_of(applier, tmp_path)
    spill.step()
    (file,) = spill.spilled("default").files
    again = [exchange(n + 100, unit=f"u{n}") for n in range(60)]
    for elsewhere, why in ((None, "share the state directory"), (RowFiles(tmp_path / "other"), "cannot be read")):
        with pytest.raises(Unavailable, match=why):
            Applier(redis_url, spool="other", files=elsewhere).events(again)
    assert spill_of(applier, tmp_path / "other").step() == 0, "who does not see the folder strikes nothing out"
    (RowFiles(tmp_path).of("default") / file.name).unlink()
    with pytest.raises(MissingRows):
        applier.events(again)
    spill.step()
    assert counter(applier, "kpi_rows_lost") == file.rows
    Applier(redis_url, spool="third", files=RowFiles(tmp_path)).events(again)
