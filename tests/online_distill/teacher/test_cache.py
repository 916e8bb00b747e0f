"""Targets that were asked for are found again, unless they are damaged, of another teacher, purged, or long unused."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from deploy.rounds.forgetting import targets_of
from feedback.privacy.vault import Vault
from online_distill.data.encoding import Encoded
from online_distill.teacher.cache import Memory, TargetCache, text_key
from online_distill.teacher.targets import TopK
from online_distill.teacher.texts import Text

TEXT = Text("row/teacher", Encoded([1, 2, 3, 4, 5], 2), 1.0, tenant="acme", at=100.0)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(tmp_path / "keys")


@pytest.fixture
def cache(tmp_path: Path, vault: Vault) -> TargetCache:
    return TargetCache(tmp_path / "targets", 10**6, vault)


def targets(rows: int = 3, k: int = 4, seed: int = 0) -> TopK:
    chance = np.random.default_rng(seed)
    return TopK(chance.integers(0, 99, (rows, k), np.int32), -chance.random((rows, k), np.float32))


def test_what_was_put_comes_back_to_the_bit(cache: TargetCache) -> None:
    memory = Memory(cache, "t1", 4)
    assert memory.recall(TEXT) is None
    memory.remember(TEXT, TEXT.encoded, targets())
    assert memory.holds(TEXT)
    found = memory.recall(TEXT)
    assert found is not None
    assert found.ids.dtype == np.int32
    assert found.logprobs.dtype == np.float32
    np.testing.assert_array_equal(found.ids, targets().ids)
    np.testing.assert_array_equal(found.logprobs, targets().logprobs)


def test_another_teacher_text_start_or_k_is_something_else() -> None:
    keys = {
        text_key("t1", TEXT.encoded, 4), text_key("t2", TEXT.encoded, 4), text_key("t1", TEXT.encoded, 5),
        text_key("t1", Encoded([1, 2, 3, 4, 6], 2), 4), text_key("t1", Encoded([1, 2, 3, 4, 5], 3), 4),
    }  # fmt: skip
    assert len(keys) == 5


def test_files_show_neither_targets_nor_what_was_asked_and_are_read_by_their_tenant_alone(
    cache: TargetCache, vault: Vault, tmp_path: Path
) -> None:
    key = text_key("t1", TEXT.encoded, 4)
    cache.put("acme", 100.0, key, targets())
    (path,) = (tmp_path / "targets").glob("*/*")
    assert not any(part.tobytes()[:16] in path.read_bytes() for part in (targets().ids, targets().logprobs))
    assert key not in path.name
    assert cache.get("other", 100.0, key) is None
    assert cache.get("acme", 100.0, key) is not None
    vault.keys.destroy("acme", 200.0)
    cache.put("acme", 150.0, key, targets())
    assert cache.get("acme", 300.0, key) is None
    cache.put("acme", 300.0, key, targets())
    assert cache.get("acme", 300.0, key) is not None


@pytest.mark.parametrize("harm", [lambda raw: raw[:-5], lambda raw: raw[:40] + b"x" + raw[41:], lambda raw: b""])
def test_damage_counts_as_absence_and_goes(cache: TargetCache, tmp_path: Path, harm) -> None:  # type: ignore[no-untyped-def]
    cache.put("acme", 1.0, "abc", targets())
    (path,) = (tmp_path / "targets").glob("*/*")
    path.write_bytes(harm(path.read_bytes()))
    assert cache.get("acme", 1.0, "abc") is None
    assert not cache.has("acme", "abc")


def test_what_is_unused_for_longest_goes_first(tmp_path: Path, vault: Vault) -> None:
    unbounded = TargetCache(tmp_path / "targets", 10**6, vault)

    def path(n: int) -> Path:
        return targets_of(tmp_path / "targets", f"tenant-{n % 2}") / vault.salted(f"tenant-{n % 2}", f"key-{n}")

    for n in range(8):
        unbounded.put(f"tenant-{n % 2}", 1.0, f"key-{n}", targets(seed=n))
        os.utime(path(n), (n, n))
    each = path(0).stat().st_size
    assert unbounded.prune() == 0
    assert unbounded.get("tenant-0", 1.0, "key-0") is not None
    cache = TargetCache(tmp_path / "targets", 5 * each, vault)
    assert cache.prune() == 4
    assert [n for n in range(8) if path(n).is_file()] == [0, 5, 6, 7]
    assert cache.prune() == 0
