"""Keys of tenants: one for all processes, destroyed for all at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from feedback.privacy.keyring import NEVER, TenantKeys


def test_all_who_ask_get_one_key_and_tenants_differ(tmp_path: Path) -> None:
    rings = [TenantKeys(tmp_path) for _ in range(8)]
    found: list[object] = []
    threads = [threading.Thread(target=lambda ring=ring: found.append(ring.key("acme"))) for ring in rings]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert rings[0].key("other") != rings[0].key("acme")
    assert rings[0].known("nobody") is None


def test_files_are_readable_by_their_owner_alone_and_no_tenant_names_a_path(tmp_path: Path) -> None:
    ring = TenantKeys(tmp_path / "tenants")
    ring.key("../../etc/租户")
    ring.destroy("../../etc/租户", 5.0)
    ring.key("../../etc/租户")
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "tenants").iterdir()}
    assert modes == {0o600}
    assert (tmp_path / "tenants").stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["tenants"]


def test_a_purge_reaches_who_remembered_the_key_however_fast_it_follows(tmp_path: Path) -> None:
    mine, others = TenantKeys(tmp_path), TenantKeys(tmp_path)
    for round_ in range(30):
        old = mine.key("acme")
        assert others.key("acme") == old
        secret = next(tmp_path.glob("*.key")).read_text()
        assert mine.destroy("acme", float(round_))
        assert others.known("acme") is None
        assert others.purged_until("acme") == round_
        assert all(old.secret.hex() not in path.read_text() for path in tmp_path.iterdir())
        assert old.secret.hex() in secret


def test_a_purge_of_before_does_not_shorten_a_later_one(tmp_path: Path) -> None:
    ring = TenantKeys(tmp_path)
    assert ring.purged_until("acme") == NEVER
    assert not ring.destroy("acme", 10.0)
    ring.destroy("acme", 5.0)
    assert ring.tombstones() == {"acme": 10.0}


def test_the_bytes_of_a_destroyed_key_are_gone_for_who_still_holds_its_file(tmp_path: Path) -> None:
    ring = TenantKeys(tmp_path)
    secret = ring.key("acme").secret.hex().encode()
    with next(tmp_path.glob("*.key")).open("rb") as held:
        assert secret in held.read()
        ring.destroy("acme", 1.0)
        held.seek(0)
        assert set(held.read()) == {0}


def test_key_and_tombstone_of_one_moment_are_asked_with_one_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, others = TenantKeys(tmp_path), TenantKeys(tmp_path)
    assert mine.standing("acme") == (NEVER, None)
    key = others.key("acme")
    looks = []
    look = mine._look
    monkeypatch.setattr(mine, "_look", lambda: (looks.append(1), look()))
    assert mine.standing("acme") == (NEVER, key)
    assert len(looks) == 1
    others.destroy("acme", 7.0)
    assert mine.standing("acme") == (7.0, None)
