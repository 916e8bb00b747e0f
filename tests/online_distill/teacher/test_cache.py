"""Targets that were asked for are found again, unless they are damaged, of another teacher, or long unused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from online_distill.data.encoding import Encoded
from online_distill.teacher.cache import Memory, TargetCache, text_key
from online_distill.teacher.targets import TopK

TEXT = Encoded([1, 2, 3, 4, 5], 2)


def targets(rows: int = 3, k: int = 4, seed: int = 0) -> TopK:
    chance = np.random.default_rng(seed)
    return TopK(chance.integers(0, 99, (rows, k), np.int32), -chance.random((rows, k), np.float32))


def test_what_was_put_comes_back_to_the_bit(tmp_path: Path) -> None:
    memory = Memory(TargetCache(tmp_path, 10**6), "t1", 4)
    assert memory.recall(TEXT) is None
    memory.remember(TEXT, targets())
    assert memory.holds(TEXT)
    found = memory.recall(TEXT)
    assert found is not None
    assert found.ids.dtype == np.int32
    assert found.logprobs.dtype == np.float32
    np.testing.assert_array_equal(found.ids, targets().ids)
    np.testing.assert_array_equal(found.logprobs, targets().logprobs)


def test_another_teacher_text_start_or_k_is_something_else() -> None:
    keys = {
        text_key("t1", TEXT, 4), text_key("t2", TEXT, 4), text_key("t1", TEXT, 5),
        text_key("t1", Encoded([1, 2, 3, 4, 6], 2), 4), text_key("t1", Encoded([1, 2, 3, 4, 5], 3), 4),
    }  # fmt: skip
    assert len(keys) == 5


@pytest.mark.parametrize("harm", [lambda raw: raw[:-5], lambda raw: raw[:40] + b"x" + raw[41:], lambda raw: b""])
def test_damage_counts_as_absence_and_goes(tmp_path: Path, harm) -> None:  # type: ignore[no-untyped-def]
    cache = TargetCache(tmp_path, 10**6)
    cache.put("abc", targets())
    (path,) = tmp_path.glob("*/*")
    path.write_bytes(harm(path.read_bytes()))
    assert cache.get("abc") is None
    assert not cache.has("abc")


def test_what_is_unused_for_longest_goes_first(tmp_path: Path) -> None:
    cache = TargetCache(tmp_path, 800)
    for n in range(8):
        cache.put(f"key-{n}", targets(seed=n))
        os.utime(tmp_path / "ke" / f"key-{n}", (n, n))
    assert cache.get("key-0") is not None
    each = (tmp_path / "ke" / "key-0").stat().st_size
    assert cache.prune() == 8 - int(720 / each)
    assert cache.has("key-0")
    assert not cache.has("key-1")
    assert cache.has("key-7")
    assert cache.prune() == 0
