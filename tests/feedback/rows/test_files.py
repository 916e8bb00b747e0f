"""Files of spilled rows: the newest that names a unit counts, before and after they are merged."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from feedback.rows.files import GRACE, MissingRows, RowFiles, Spilled

pytest.importorskip("duckdb")
TENANT = "店铺'; DROP"


def stated(files: RowFiles, *parts: dict[str, bytes]) -> Spilled:
    """What Redis would say of these files, oldest first."""
    return Spilled().following([files.write(TENANT, part) for part in parts])


def test_the_newest_row_of_a_unit_is_found_and_what_nobody_wrote_is_not(tmp_path: Path) -> None:
    files = RowFiles(tmp_path)
    state = stated(files, {"a'": b"old\0", "b": b"b"}, {"a'": b"new\xff"}, {"c": b"c"})
    assert files.find(TENANT, state, ["a'", "b", "none"]) == {"a'": b"new\xff", "b": b"b"}
    assert Spilled.read(state.text) == state
    assert Spilled.read(None) == Spilled()


def test_merged_files_hold_what_they_held_together(tmp_path: Path) -> None:
    chance, files = random.Random(3), RowFiles(tmp_path)
    held = [{f"u{chance.randrange(4000)}": os.urandom(9) for _ in range(2000)} for _ in range(4)]
    state = stated(files, *held)
    merged = files.merge(TENANT, state.files)
    wanted = {unit: row for part in held for unit, row in part.items()}
    assert (merged.level, merged.rows) == (1, len(wanted))
    rows = [row for page in files.every(TENANT, merged) for row in page]
    assert rows == sorted(wanted.items())
    assert files.find(TENANT, state.following([merged]), list(wanted)) == wanted


def test_what_nobody_names_goes_once_nobody_can_need_it(tmp_path: Path) -> None:
    files = RowFiles(tmp_path)
    kept, gone = (files.write(TENANT, {"a": b"x"}) for _ in range(2))
    assert files.sweep(TENANT, {kept.name}) == 0
    assert files.sweep(TENANT, {kept.name}, time.time() + GRACE + 9) == 1
    assert [path.name for path in files.of(TENANT).glob("*")] == [kept.name]
    assert gone.name != kept.name
    files.forget(TENANT)
    assert not files.of(TENANT).exists()


def test_a_file_that_is_gone_or_no_file_of_rows_is_named(tmp_path: Path) -> None:
    files = RowFiles(tmp_path)
    state = stated(files, {"a": b"x"}, {"b": b"y"})
    path = files.of(TENANT) / state.files[1].name
    path.write_bytes(b"half a fi")
    with pytest.raises(MissingRows, match="cannot be read"):
        files.find(TENANT, state, ["a"])
    path.unlink()
    for read in (lambda: files.find(TENANT, state, ["a"]), lambda: files.merge(TENANT, state.files)):
        with pytest.raises(MissingRows, match=state.files[1].name):
            read()
    with pytest.raises(MissingRows):
        list(files.every(TENANT, state.files[1]))
