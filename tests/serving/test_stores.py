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


def test_without_redis_the_files_are_listed_still(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [one.name for one in all_stores(Config({"redis": {"url": "redis://127.0.0.1:1/0"}}), StateDir(tmp_path))]
    assert "spools" in names
    assert "pool" not in names
    main(["--state", str(tmp_path)])
    assert "until `understudy pool purge`" in capsys.readouterr().out
