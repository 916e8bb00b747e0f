"""Targets as they lie on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from feedback.privacy.vault import Vault
from online_distill.teacher.targets import load_all, load_shard, save_shard
from tests.online_distill.train.targets import random_targets
from understudy.errors import IntegrityError


def test_targets_survive_the_disk_and_a_key_counts_once(tmp_path: Path) -> None:
    items = random_targets(5)
    save_shard(tmp_path / "shard-00001.targets", items[:3])
    save_shard(tmp_path / "shard-00002.targets", items[2:])
    found = load_all(tmp_path)
    assert [item.key for item in found] == [item.key for item in items]
    for ours, theirs in zip(found, items, strict=True):
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        np.testing.assert_array_equal(ours.top.ids, theirs.top.ids)
        np.testing.assert_array_equal(ours.top.logprobs, theirs.top.logprobs)
        assert (ours.start, ours.weight) == (theirs.start, theirs.weight)


def test_tokens_and_targets_are_sealed_and_those_of_a_purged_tenant_are_not_read_again(tmp_path: Path) -> None:
    vault, path = Vault(tmp_path / "keys"), tmp_path / "shard-00001.targets"
    ours, theirs = (
        replace(item, key=tenant, tenant=tenant, at=100.0)
        for item, tenant in zip(random_targets(2), ("acme", "other"), strict=True)
    )
    save_shard(path, [ours, theirs], vault)
    assert [item.key for item in load_all(tmp_path, vault)] == ["acme", "other"]
    raw = path.read_bytes()
    for item in (ours, theirs):
        assert not any(part.tobytes()[:16] in raw for part in (item.tokens, item.top.ids, item.top.logprobs))
    with pytest.raises(IntegrityError, match="no keys are at hand"):
        load_shard(path)
    vault.keys.destroy("acme", 200.0)
    assert [item.key for item in load_all(tmp_path, vault)] == ["other"]
    save_shard(path, [ours, theirs], vault)
    assert b"acme" not in path.read_bytes()


def test_what_is_no_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "shard-00001.targets").write_bytes(b"half a file")
    with pytest.raises(IntegrityError, match="delete it and score again"):
        load_shard(tmp_path / "shard-00001.targets")
