"""Targets as they lie on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from online_distill.teacher.targets import load_all, load_shard, save_shard
from tests.online_distill.train.targets import random_targets
from understudy.errors import IntegrityError


def test_targets_survive_the_disk_and_a_key_counts_once(tmp_path: Path) -> None:
    items = random_targets(5)
    save_shard(tmp_path / "shard-00001.npz", items[:3])
    save_shard(tmp_path / "shard-00002.npz", items[2:])
    found = load_all(tmp_path)
    assert [item.key for item in found] == [item.key for item in items]
    for ours, theirs in zip(found, items, strict=True):
        np.testing.assert_array_equal(ours.tokens, theirs.tokens)
        np.testing.assert_array_equal(ours.top.ids, theirs.top.ids)
        np.testing.assert_array_equal(ours.top.logprobs, theirs.top.logprobs)
        assert (ours.start, ours.weight) == (theirs.start, theirs.weight)


def test_what_is_no_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "shard-00001.npz").write_bytes(b"half a file")
    with pytest.raises(IntegrityError, match="delete it and score again"):
        load_shard(tmp_path / "shard-00001.npz")
