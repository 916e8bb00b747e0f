"""Whose signatures count: the registry's own pinned pair and the keys that configuration names, nobody else's."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from deploy.registry.signing import Signer
from deploy.registry.store import Registry
from tests.deploy.fleet import register
from understudy.errors import IntegrityError
from understudy.state import StateDir


def test_a_manifest_signed_by_another_registry_is_refused(state_dir: StateDir, tmp_path: Path) -> None:
    stranger = StateDir(tmp_path / "stranger")
    register(stranger, "one")
    register(state_dir, "other")
    target = Registry(state_dir).path("v1")
    for file in Registry(stranger).path("v1").iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    with pytest.raises(IntegrityError, match="unknown key"):
        Registry(state_dir).verify("v1")


def test_a_public_key_in_the_folder_vouches_for_nothing_unless_it_is_named(state_dir: StateDir, tmp_path: Path) -> None:
    stranger = StateDir(tmp_path / "stranger")
    register(stranger, "one")
    register(state_dir, "other")
    shutil.copytree(stranger.versions / "v1", state_dir.versions / "v1", dirs_exist_ok=True)
    (public,) = stranger.keys.glob("*.pub")
    shutil.copy(public, state_dir.keys)
    with pytest.raises(IntegrityError, match="unknown key"):
        Registry(state_dir).verify("v1")
    assert Registry(state_dir, trusted=(public.stem,)).verify("v1").key_id == public.stem


def test_a_key_pair_that_was_exchanged_vouches_for_nothing(state_dir: StateDir, tmp_path: Path) -> None:
    stranger = StateDir(tmp_path / "stranger")
    register(stranger, "one")
    register(state_dir, "other")
    for folder in ("versions", "keys"):
        shutil.copytree(stranger.registry / folder, state_dir.registry / folder, dirs_exist_ok=True)
    with pytest.raises(IntegrityError, match="unknown key"):
        Registry(state_dir).verify("v1")


def test_a_lost_signing_key_is_named(state_dir: StateDir) -> None:
    register(state_dir, "one")
    os.chmod(state_dir.keys / "signing.key", 0o600)
    (state_dir.keys / "signing.key").write_text("rubbish")
    with pytest.raises(IntegrityError, match=r"signing\.key"):
        register(state_dir, "two")
    assert Registry(state_dir).verify("v1").version == "v1"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer(tmp_path / "keys", tmp_path / "signing.id")


def test_what_was_signed_verifies_and_nothing_else_does(signer: Signer) -> None:
    key_id = signer.key_id()
    signature = signer.sign("版本".encode(), key_id)
    signer.verify("版本".encode(), key_id, signature)
    for data, given in ((b"another", signature), ("版本".encode(), "00" * 64), ("版本".encode(), "no hex")):
        with pytest.raises(IntegrityError, match="does not fit the manifest"):
            signer.verify(data, key_id, given)


def test_a_trusted_key_whose_file_is_missing_is_asked_for(tmp_path: Path) -> None:
    trusting = Signer(tmp_path / "keys", tmp_path / "signing.id", trusted=("abc123", "../signing"))
    for key_id in ("abc123", "../signing"):
        with pytest.raises(IntegrityError, match="which is missing; put it into keys/"):
            trusting.verify(b"", key_id, "")


def test_nothing_is_signed_under_the_id_of_another_key(signer: Signer) -> None:
    with pytest.raises(IntegrityError, match="changed meanwhile"):
        signer.sign(b"", "0" * 16)


def test_the_private_key_is_its_owners_alone(signer: Signer, tmp_path: Path) -> None:
    key_id = signer.key_id()
    assert stat.S_IMODE((tmp_path / "keys" / "signing.key").stat().st_mode) == 0o600
    assert (tmp_path / "keys" / f"{key_id}.pub").is_file()
    assert (tmp_path / "signing.id").read_text("utf-8").strip() == key_id
