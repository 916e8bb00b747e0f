"""The table of what is kept names every store, with sizes from disk and from Redis."""

from __future__ import annotations

from pathlib import Path

import pytest

from feedback.pool.store import Pool
from feedback.privacy.vault import FOLDER, Vault
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from serving.doctor import main
from serving.stores import all_stores, table
from tests.feedback.factory import hard
from understudy.config import Config
from understudy.state import StateDir


def test_every_store_is_listed_with_its_size(redis_url: str, tmp_path: Path) -> None:
    state, client = StateDir(tmp_path), connect(redis_url)
    Pool(client, vault=Vault(state.spool / FOLDER)).admit(hard(1))
    client.lpush(RedisKeys().verdicts, "{}")
    client.set("us:bus:exchanges:0", "x" * 3000)
    (state.spool / "gateway.db").write_bytes(b"x" * 2000)
    stores = {one.name: one for one in all_stores(Config({"redis": {"url": redis_url}}), state)}
    assert stores["spools"].bytes == 2000
    assert stores["tenants' keys"].items == 1
    assert stores["pool"].bytes > 500
    assert stores["verdicts"].items == 1
    assert stores["streams, dead letters"].bytes > 3000
    wanted = {"rounds", "archive", "audit log", "logs", "caches", "targets", "KPI targets", "KPI rows of users"}
    assert wanted <= stores.keys()
    assert all(one.rule for one in stores.values())
    assert len(table(list(stores.values()))) == len(stores)


def test_the_page_on_privacy_names_what_doctor_shows(redis_url: str, tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| ")]
    shown = {one.name for one in all_stores(Config({"redis": {"url": redis_url}}), StateDir(tmp_path))}
    assert {"experiments", "exposed users", "rounds", "targets"} <= shown
    assert [name for name in sorted(shown) if not any(name in row for row in rows)] == []


def test_each_key_of_redis_belongs_to_one_store(redis_url: str, tmp_path: Path) -> None:
    client, keys = connect(redis_url), RedisKeys()
    for name in (
        f"{keys.exposures}e",
        keys.places,
        keys.spent,
        f"{keys.sketches}arm:teacher",
        f"{keys.kpis}arm:teacher",
    ):
        client.hset(name, "field", 1)
    stores = {one.name: one.items for one in all_stores(Config({"redis": {"url": redis_url}}), StateDir(tmp_path))}
    wanted = ("exposed users", "KPI places", "spending", "latency sketches", "KPI sums", "routing, leases")
    assert [stores[name] for name in wanted] == [1, 1, 1, 1, 1, 0]


def test_without_redis_the_files_are_listed_still(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [one.name for one in all_stores(Config({"redis": {"url": "redis://127.0.0.1:1/0"}}), StateDir(tmp_path))]
    assert "spools" in names
    assert "pool" not in names
    main(["--state", str(tmp_path)])
    assert "until `understudy pool purge`" in capsys.readouterr().out
