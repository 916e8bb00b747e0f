"""The registry of local folders: what is refused, how versions are numbered, and that nothing is written twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from deploy.audit.log_file import FileAuditLog
from deploy.registry.manifest import FileEntry, describe_files
from deploy.registry.store import LARGEST_MANIFEST, Registry, notes_of
from tests.deploy.fleet import beside, model_folder, register
from understudy.errors import BadRequest, Conflict, IntegrityError, NotFound
from understudy.files import READY
from understudy.state import StateDir


def refused(state: StateDir) -> list[str]:
    return [e["details"]["why"] for e in FileAuditLog(state.audit).entries() if e["action"] == "version.refused"]


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


def test_a_version_that_lies_under_the_name_of_another_is_refused(state_dir: StateDir) -> None:
    """All of it is signed and as it was registered; it is another version."""
    for content in ("one", "two"):
        register(state_dir, content)
    shutil.rmtree(state_dir.versions / "v2")
    shutil.copytree(state_dir.versions / "v1", state_dir.versions / "v2")
    with pytest.raises(IntegrityError, match=r"v2/manifest\.json describes v1"):
        Registry(state_dir).verify("v2")
    assert len(refused(state_dir)) == 1
    assert Registry(state_dir).verify("v1").version == "v1"


def test_a_version_that_is_a_link_is_refused(state_dir: StateDir, tmp_path: Path) -> None:
    version = register(state_dir, "one")
    (state_dir.versions / version).rename(tmp_path / "elsewhere")
    (state_dir.versions / version).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="is a link"):
        Registry(state_dir).verify(version)
    assert len(refused(state_dir)) == 1


def test_a_manifest_too_large_to_read_is_refused_and_not_listed(state_dir: StateDir) -> None:
    register(state_dir, "one")
    (Registry(state_dir).path("v1") / "manifest.json").write_text('"' + " " * LARGEST_MANIFEST + '"')
    with pytest.raises(IntegrityError, match="register it anew"):
        Registry(state_dir).verify("v1")
    assert Registry(state_dir).versions() == []


def test_a_folder_without_its_marker_does_not_exist(state_dir: StateDir) -> None:
    register(state_dir, "one")
    (Registry(state_dir).path("v1") / READY).unlink()
    with pytest.raises(NotFound, match="v1"):
        Registry(state_dir).verify("v1")
    assert register(state_dir, "again") == "v1"


def test_versions_are_numbered_on_and_listed_newest_first(state_dir: StateDir) -> None:
    assert [register(state_dir, text) for text in ("a", "b", "c")] == ["v1", "v2", "v3"]
    registry = Registry(state_dir)
    assert [m.version for m in registry.versions()] == ["v3", "v2", "v1"]
    registry.archive("v3")
    assert [m.version for m in registry.versions()] == ["v2", "v1"]
    assert registry.next_version("student") == "v4"
    assert registry.next_version("teacher") == "t1"


def test_what_stands_beside_a_version_is_told_of_archived_ones_too_and_of_no_other_folder(state_dir: StateDir) -> None:
    beside(state_dir, "gguf", "dequantised from Q4_1")
    beside(state_dir, "plain", "")
    noted = {"v1": "dequantised from Q4_1"}
    assert notes_of(state_dir, ["v1", "v2", "v9", None, "external", "../v1"]) == noted
    Registry(state_dir).archive("v1")
    assert notes_of(state_dir, ["v1"]) == noted


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


def test_a_refusal_is_in_the_audit_log_with_its_reason(state_dir: StateDir) -> None:
    register(state_dir, "one")
    (Registry(state_dir).path("v1") / "tokenizer.json").write_text("{}")
    with pytest.raises(IntegrityError):
        Registry(state_dir).verify("v1")
    (why,) = refused(state_dir)
    assert "v1/tokenizer.json" in why
    assert FileAuditLog(state_dir.audit).verify().entries == 2


def test_a_folder_that_is_taken_becomes_the_version_itself(state_dir: StateDir) -> None:
    draft = model_folder(state_dir.registry / "imports" / "x", "weights")
    inode = (draft / "model.safetensors").stat().st_ino
    manifest = Registry(state_dir).register(
        draft, kind="student", parent=None, teacher=None, round=None, lineage={}, metrics={}, take=True
    )
    assert not draft.exists()
    assert (Registry(state_dir).path("v1") / "model.safetensors").stat().st_ino == inode
    assert Registry(state_dir).verify("v1") == manifest


@pytest.mark.parametrize("take", [False, True])
def test_a_model_that_changes_while_it_is_registered_is_not_registered(
    state_dir: StateDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, take: bool
) -> None:
    """It was described, and somebody wrote to it before it was copied."""
    folder = model_folder(tmp_path / "made", "模型")

    def described(source: Path) -> dict[str, FileEntry]:
        entries = describe_files(source)
        (source / "tokenizer.json").write_text("changed", "utf-8")
        return entries

    monkeypatch.setattr("deploy.registry.store.describe_files", described)
    given = {"kind": "student", "parent": None, "teacher": "t1", "round": None, "lineage": {}, "metrics": {}}
    with pytest.raises(IntegrityError, match=r"v1/tokenizer\.json has another"):
        Registry(state_dir).register(folder, **given, take=take)  # type: ignore[arg-type]
    assert Registry(state_dir).versions() == []
