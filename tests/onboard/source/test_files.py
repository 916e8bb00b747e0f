"""A folder is read as it was: links out of it, changes meanwhile and what is not meant for reading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from onboard.refusal import ModelRefused
from onboard.source.files import digest, look


def test_weights_and_texts_are_seen_and_pickles_are_only_named(model: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(b"never read")
    (model / "README.md").write_text("of no use here")
    found = look(model)
    assert found.weights == ["model.safetensors"]
    assert found.pickles == ("pytorch_model.bin",)
    assert "README.md" not in found.stamps
    assert set(found.hashes()) == set(found.stamps)


def test_a_link_out_of_the_folder_is_refused_and_the_cache_of_the_hub_is_not(model: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_bytes((model / "config.json").read_bytes())
    (model / "config.json").unlink()
    (model / "config.json").symlink_to(tmp_path / "elsewhere.json")
    with pytest.raises(ModelRefused, match=r"config\.json is a link out of its folder.*cp -rL"):
        look(model)
    hub = tmp_path / "models--somebody--model"
    (hub / "blobs").mkdir(parents=True)
    (hub / "snapshots" / "abc").mkdir(parents=True)
    (hub / "blobs" / "1").write_text("{}")
    (hub / "snapshots" / "abc" / "config.json").symlink_to("../../blobs/1")
    assert look(hub / "snapshots" / "abc").has("config.json")


def test_what_is_no_file_is_refused(model: Path) -> None:
    (model / "tokenizer.json").unlink()
    os.mkfifo(model / "tokenizer.json")
    with pytest.raises(ModelRefused, match="no plain file"):
        look(model)


@pytest.mark.parametrize("deed", ["write", "replace", "remove", "add"])
def test_a_change_after_the_look_is_noticed(model: Path, deed: str) -> None:
    found = look(model)
    found.require_unchanged()
    config = model / "config.json"
    if deed == "write":
        times = config.stat()
        config.write_bytes(config.read_bytes())
        os.utime(config, ns=(times.st_atime_ns, times.st_mtime_ns))  # as an `rsync -t` of another file would
    elif deed == "replace":
        (model / "x").write_bytes(config.read_bytes())
        (model / "x").replace(config)
    elif deed == "remove":
        config.unlink()
    else:
        (model / "more.safetensors").touch()
    with pytest.raises(ModelRefused, match="was changed while it was read"):
        found.require_unchanged()


def test_the_same_content_has_the_same_digest_wherever_it_lies(made: Path, model: Path) -> None:
    assert digest(look(made).hashes()) == digest(look(model).hashes())
    (model / "config.json").write_text("{}")
    assert digest(look(made).hashes()) != digest(look(model).hashes())


def test_a_folder_that_is_none_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="is no folder"):
        look(tmp_path / "nothing")
