from __future__ import annotations

import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from deploy.audit.log_file import FileAuditLog
from deploy.registry.store import LARGEST_MANIFEST, Registry
from tests.deploy.fleet import model_folder, register
from understudy.errors import BadRequest, Conflict, IntegrityError, NotFound
from understudy.files import READY
from understudy.state import StateDir


def flip(path: Path, at: int = 50) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


def refused(state: StateDir) -> list[str]:
    return [e["details"]["why"] for e in FileAuditLog(state.audit).entries() if e["action"] == "version.refused"]


def test_a_registered_version_verifies_and_names_what_it_is_made_of(state_dir: StateDir) -> None:
    version = register(state_dir, "一")
    manifest = Registry(state_dir).verify(version)
    assert version == "v1"
    assert set(manifest.files) == {"model.safetensors", "tokenizer.json", "chat_template.jinja", "fingerprint.json"}
    assert manifest.lineage == {"说明": "一"}
    assert stat.S_IMODE((state_dir.keys / "signing.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "chat_template.jinja", "fingerprint.json"])
def test_one_flipped_bit_in_any_file_is_refused_and_audited(state_dir: StateDir, name: str) -> None:
    register(state_dir, "one")
    flip(Registry(state_dir).path("v1") / name, 1)
    with pytest.raises(IntegrityError, match=f"v1/{name}"):
        Registry(state_dir).verify("v1")
    assert len(refused(state_dir)) == 1
    assert name in refused(state_dir)[0]
    assert FileAuditLog(state_dir.audit).verify().entries == 2


def test_a_missing_file_is_refused_by_name(state_dir: StateDir) -> None:
    register(state_dir, "one")
    (Registry(state_dir).path("v1") / "tokenizer.json").unlink()
    with pytest.raises(IntegrityError, match=r"v1/tokenizer\.json is missing"):
        Registry(state_dir).verify("v1")


@pytest.mark.parametrize("link", [False, True])
def test_a_file_beside_the_manifest_is_refused_by_name(state_dir: StateDir, link: bool) -> None:
    register(state_dir, "one")
    extra = Registry(state_dir).path("v1") / "model-00002.safetensors"
    extra.symlink_to("/dev/null") if link else extra.write_text("x")
    with pytest.raises(IntegrityError, match=r"model-00002\.safetensors"):
        Registry(state_dir).verify("v1")


@pytest.mark.parametrize("field", ["parent", "signature", "key_id", "version", "files"])
def test_a_changed_manifest_is_refused(state_dir: StateDir, field: str) -> None:
    register(state_dir, "one")
    path = Registry(state_dir).path("v1") / "manifest.json"
    value = json.loads(path.read_text())
    if field == "files":
        value["files"].pop("tokenizer.json")
        (path.parent / "tokenizer.json").unlink()
    else:
        value[field] = {"signature": "00" * 64, "key_id": "0" * 16}.get(field, "v9")
    path.write_text(json.dumps(value))
    with pytest.raises(IntegrityError, match=r"manifest\.json"):
        Registry(state_dir).verify("v1")
    assert len(refused(state_dir)) == 1


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


def test_a_version_that_is_a_link_is_refused(state_dir: StateDir, tmp_path: Path) -> None:
    version = register(state_dir, "one")
    (state_dir.versions / version).rename(tmp_path / "elsewhere")
    (state_dir.versions / version).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="is a link"):
        Registry(state_dir).verify(version)
    assert len(refused(state_dir)) == 1


@pytest.mark.parametrize("text", ["{", '{"lineage":' * 100_000, '"' + " " * LARGEST_MANIFEST + '"'])
def test_an_unreadable_manifest_is_refused_and_not_listed(state_dir: StateDir, text: str) -> None:
    register(state_dir, "one")
    (Registry(state_dir).path("v1") / "manifest.json").write_text(text)
    with pytest.raises(IntegrityError, match="register it anew"):
        Registry(state_dir).verify("v1")
    assert Registry(state_dir).versions() == []


def test_a_folder_without_its_marker_does_not_exist(state_dir: StateDir) -> None:
    register(state_dir, "one")
    (Registry(state_dir).path("v1") / READY).unlink()
    with pytest.raises(NotFound, match="v1"):
        Registry(state_dir).verify("v1")
    assert register(state_dir, "again") == "v1"


@pytest.mark.parametrize("name", ["../v1", "v1/../v1", "", ".v1", "v9"])
def test_names_that_are_no_version_are_not_found(state_dir: StateDir, name: str) -> None:
    register(state_dir, "one")
    with pytest.raises(NotFound):
        Registry(state_dir).path(name)


def test_versions_are_numbered_on_and_listed_newest_first(state_dir: StateDir) -> None:
    assert [register(state_dir, text) for text in ("a", "b", "c")] == ["v1", "v2", "v3"]
    registry = Registry(state_dir)
    assert [m.version for m in registry.versions()] == ["v3", "v2", "v1"]
    registry.archive("v3")
    assert [m.version for m in registry.versions()] == ["v2", "v1"]
    assert registry.next_version("student") == "v4"
    assert registry.next_version("teacher") == "t1"


def test_registering_again_changes_nothing_but_other_content_conflicts(state_dir: StateDir) -> None:
    assert register(state_dir, "a", 1) == register(state_dir, "a", 1) == "v1"
    folder = model_folder(state_dir.root / "b", "b")
    with pytest.raises(Conflict, match="v1"):
        Registry(state_dir).register(
            folder, kind="student", parent=None, teacher=None, round=None, lineage={}, metrics={}, version="v1"
        )


def test_an_empty_folder_is_no_model(state_dir: StateDir, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no folder with a model"):
        Registry(state_dir).register(
            tmp_path / "nothing", kind="student", parent=None, teacher=None, round=None, lineage={}, metrics={}
        )


def test_numbers_that_json_cannot_hold_are_recorded_as_unknown(state_dir: StateDir) -> None:
    folder = model_folder(state_dir.root / "n", "n")
    Registry(state_dir).register(
        folder, kind="teacher", parent=None, teacher=None, round=None, lineage={}, metrics={"loss": float("nan")}
    )
    assert Registry(state_dir).verify("t1").metrics == {"loss": None}


def test_a_lost_signing_key_is_named(state_dir: StateDir) -> None:
    register(state_dir, "one")
    os.chmod(state_dir.keys / "signing.key", 0o600)
    (state_dir.keys / "signing.key").write_text("rubbish")
    with pytest.raises(IntegrityError, match=r"signing\.key"):
        register(state_dir, "two")
    assert Registry(state_dir).verify("v1").version == "v1"
