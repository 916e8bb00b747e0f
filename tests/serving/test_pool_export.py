"""The hard pool as a file: every sample once, sealed texts opened, nothing of whom a purge or another tenant hides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from deploy.audit.log_file import FileAuditLog
from deploy.registry.store import Registry
from feedback.pool.config import PoolConfig
from feedback.pool.store import Pool
from feedback.privacy.keyring import TenantKeys
from feedback.privacy.vault import FOLDER, Vault
from serving.pool_export import COLUMNS, main
from tests.online_distill.world import make_samples
from understudy.clock import wall
from understudy.errors import Unavailable
from understudy.state import StateDir


@pytest.fixture
def filled(state_dir: StateDir, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """Six hard samples, the last two of acme, and two anchors, of which one is a hard sample, too; all sealed."""
    monkeypatch.setenv("UNDERSTUDY_REDIS__URL", redis_url)
    vault = Vault(state_dir.spool / FOLDER)
    pool = Pool(redis.Redis.from_url(redis_url), config=PoolConfig(duplicate_similarity=1.0), vault=vault)
    samples = make_samples(7)
    for number, sample in enumerate(samples[:6]):
        pool.admit(sample.model_copy(update={"tenant": "acme" if number > 3 else "default"}))
    for sample in (samples[0], samples[6]):
        pool.anchor(sample)
    return vault


def exported(state: StateDir, out: Path, *words: str) -> list[dict[str, object]]:
    assert main(["--out", str(out), "--state", str(state.root), *words]) == 0
    return [json.loads(line) for line in out.read_text("utf-8").splitlines()]


def test_every_sample_is_a_row_with_its_texts(
    state_dir: StateDir, filled: Vault, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = exported(state_dir, tmp_path / "pool.jsonl", "--json")
    assert json.loads(capsys.readouterr().out)["samples"] == len(rows) == 7
    assert [row["exchange"] for row in rows] == [f"x{number}" for number in range(7)]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert rows[1]["teacher_text"] == "订单 1 将于周五送达。"
    assert (tmp_path / "pool.jsonl").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.glob("*pool*")] == ["pool.jsonl"]


def test_one_tenants_samples_alone_and_none_of_a_tenant_that_was_purged(
    state_dir: StateDir, filled: Vault, tmp_path: Path
) -> None:
    assert {row["tenant"] for row in exported(state_dir, tmp_path / "a.jsonl", "--tenant", "acme")} == {"acme"}
    TenantKeys(state_dir.spool / FOLDER).destroy("acme", wall())
    rows = exported(state_dir, tmp_path / "b.jsonl")
    assert {row["tenant"] for row in rows} == {"default"}
    assert len(rows) == 5
    audit = FileAuditLog(state_dir.audit, wall, Registry(state_dir).signer)
    audit.verify()
    told = [entry["details"] for entry in audit.entries() if entry["action"] == "pool.exported"]
    assert [(one["samples"], one["tenant"]) for one in told] == [(2, "acme"), (5, None)]


def test_parquet_holds_the_same_rows(state_dir: StateDir, filled: Vault, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = exported(state_dir, tmp_path / "pool.jsonl")
    assert main(["--out", str(tmp_path / "pool.parquet"), "--state", str(state_dir.root)]) == 0
    found = parquet.read_table(str(tmp_path / "pool.parquet")).to_pylist()
    assert [{**row, "messages": json.loads(row["messages"])} for row in found] == rows


def test_a_place_that_cannot_be_written_and_a_redis_that_nobody_knows_are_said(
    state_dir: StateDir, filled: Vault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exception, match="cannot be written"):
        main(["--out", str(tmp_path / "nowhere" / "pool.jsonl"), "--state", str(state_dir.root)])
    monkeypatch.delenv("UNDERSTUDY_REDIS__URL")
    with pytest.raises(Unavailable, match=r"redis\.url"):
        main(["--out", str(tmp_path / "pool.jsonl"), "--state", str(state_dir.root)])
