"""The description of a version: what is signed, which files it lists, and what differs from it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deploy.registry.manifest import OWN, Manifest, check_files, describe_files, finite
from deploy.registry.store import Registry
from tests.deploy.fleet import model_folder
from understudy.errors import IntegrityError
from understudy.state import StateDir


def test_numbers_that_json_cannot_hold_are_recorded_as_unknown(state_dir: StateDir) -> None:
    folder = model_folder(state_dir.root / "n", "n")
    Registry(state_dir).register(
        folder, kind="teacher", parent=None, teacher=None, round=None, lineage={}, metrics={"loss": float("nan")}
    )
    assert Registry(state_dir).verify("t1").metrics == {"loss": None}


def manifest_of(folder: Path, **fields: Any) -> Manifest:
    given = {"version": "v1", "kind": "student", "created": 1.5, "files": describe_files(folder), **fields}
    return Manifest.model_validate(given)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = model_folder(tmp_path / "m", "一")
    (made / "deeper").mkdir()
    (made / "deeper" / "词表.txt").write_text("一\n", "utf-8")
    return made


def test_a_folder_fits_its_own_description(folder: Path) -> None:
    manifest = manifest_of(folder)
    assert "deeper/词表.txt" in manifest.files
    assert manifest.files["deeper/词表.txt"].size == len("一\n".encode())
    for own in OWN:
        (folder / own).write_text("not listed")
    check_files(folder, manifest)


def test_a_changed_missing_longer_or_further_file_is_named(folder: Path) -> None:
    manifest, file = manifest_of(folder), folder / "deeper" / "词表.txt"
    for content, why in (("二\n", "another SHA-256"), ("一一\n", "another size")):
        file.write_text(content, "utf-8")
        with pytest.raises(IntegrityError, match=f"v1/deeper/词表.txt has {why}"):
            check_files(folder, manifest)
    file.rename(folder / "further.txt")
    with pytest.raises(IntegrityError, match=r"v1/further\.txt is not in the manifest"):
        check_files(folder, manifest)
    (folder / "further.txt").unlink()
    with pytest.raises(IntegrityError, match=r"v1/deeper/词表.txt is missing"):
        check_files(folder, manifest)


def test_a_link_is_no_file_of_a_version(folder: Path) -> None:
    (folder / "link").symlink_to(folder / "tokenizer.json")
    with pytest.raises(IntegrityError, match="m/link is no plain file"):
        describe_files(folder)


def test_the_signature_covers_every_field_but_itself(folder: Path) -> None:
    manifest = manifest_of(folder, lineage={"说明": "一"})
    assert manifest.model_copy(update={"signature": "ab"}).signed_bytes() == manifest.signed_bytes()
    for changed in ({"key_id": "k"}, {"parent": "v0"}, {"created": 2.0}, {"lineage": {}}, {"files": {}}):
        assert manifest.model_copy(update=changed).signed_bytes() != manifest.signed_bytes()


def test_what_json_cannot_hold_is_made_plain() -> None:
    assert finite({1: (math.nan, -math.inf, 0.5), "路径": Path("a/b"), "deep": [{"x": math.inf}]}) == {
        "1": [None, None, 0.5], "路径": "a/b", "deep": [{"x": None}],
    }  # fmt: skip


@pytest.mark.parametrize("version", ["../v1", ".v1", "", "v/1", "v" * 65])
def test_a_name_that_is_no_folder_of_the_registry_is_refused(folder: Path, version: str) -> None:
    with pytest.raises(ValidationError, match="version"):
        manifest_of(folder, version=version)
