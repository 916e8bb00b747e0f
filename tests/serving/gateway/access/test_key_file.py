"""Keys as a state directory keeps them."""

from __future__ import annotations

import multiprocessing
import stat
from pathlib import Path

import pytest

from serving.gateway.access import key_file
from understudy.errors import Conflict, IntegrityError, NotFound, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "clients"


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_key_is_kept_as_its_hmac_alone_and_for_the_owner_alone(folder: Path) -> None:
    record, key = key_file.create(folder, "shop", "bot")
    assert key.startswith(key_file.PREFIX)
    assert len(key) >= 40
    assert key.encode() not in everything(folder)
    assert record.hmac == key_file.hashed(key_file.secret_of(folder), key)
    assert record.hmac != key_file.hashed(b"another secret", key)
    found = key_file.read(folder)
    assert found is not None
    assert found.keys == (record,)
    for name in ("keys.json", "secret"):
        assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_no_two_keys_are_alike(folder: Path) -> None:
    made = [key_file.create(folder, "shop") for _ in range(20)]
    assert len({key for _, key in made}) == len({record.id for record, _ in made}) == 20
    assert all(record.name == record.id for record, _ in made)


def test_a_revoked_key_stays_in_the_list_and_its_name_is_free_again(folder: Path) -> None:
    first, _ = key_file.create(folder, "shop", "bot")
    with pytest.raises(Conflict, match="called bot already"):
        key_file.create(folder, "shop", "bot")
    ended = key_file.revoke(folder, "bot")
    assert ended.id == first.id
    assert ended.revoked is not None
    assert key_file.revoke(folder, first.id) == ended
    second, _ = key_file.create(folder, "shop", "bot")
    assert key_file.revoke(folder, "bot").id == second.id


def test_a_name_that_is_another_keys_id_is_refused(folder: Path) -> None:
    first, _ = key_file.create(folder, "shop")
    with pytest.raises(Conflict):
        key_file.create(folder, "shop", first.id)


def test_what_does_not_exist_cannot_be_revoked(folder: Path) -> None:
    with pytest.raises(NotFound, match="keys list"):
        key_file.revoke(folder, "bot")
    assert key_file.read(folder) is None


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 65, "a\nb", "商店", "a/b", "a*"])
def test_names_that_a_table_or_a_header_could_not_hold_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(UsageError):
        key_file.create(folder, name)
    with pytest.raises(UsageError):
        key_file.create(folder, "shop", name)
    assert key_file.read(folder) is None


def test_a_file_that_is_none_is_refused_and_left_as_it_is(folder: Path) -> None:
    key_file.create(folder, "shop")
    for wrong in (b"", b"{", b'{"schema_version": 2, "keys": []}', b'{"keys": [{"id": "k"}]}'):
        key_file.path_of(folder).write_bytes(wrong)
        with pytest.raises(IntegrityError, match="backup"):
            key_file.read(folder)
        with pytest.raises(IntegrityError):
            key_file.create(folder, "shop")
        assert key_file.path_of(folder).read_bytes() == wrong


def _make(folder: Path) -> None:
    for _ in range(5):
        key_file.create(folder, "shop")


def test_keys_made_at_once_are_all_there(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    makers = [context.Process(target=_make, args=(folder,)) for _ in range(3)]
    for one in makers:
        one.start()
    for one in makers:
        one.join(60)
    found = key_file.read(folder)
    assert found is not None
    assert len(found.keys) == 15


def test_every_change_can_be_seen_from_outside(folder: Path) -> None:
    seen = [key_file.signature(folder)]
    key_file.create(folder, "shop", "bot")
    seen.append(key_file.signature(folder))
    key_file.revoke(folder, "bot")
    seen.append(key_file.signature(folder))
    assert seen[0] is None
    assert len(set(seen)) == 3
