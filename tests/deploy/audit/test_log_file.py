"""The audit log as a file: torn, full, with rubbish at its end, written by several processes."""

from __future__ import annotations

import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from deploy.audit.log_file import FileAuditLog
from deploy.audit.parts import former_parts
from deploy.witness.commands import audit
from understudy.errors import IntegrityError, Unavailable
from understudy.state import StateDir


def write(path: Path, n: int, actor: str = "测试") -> None:
    log = FileAuditLog(path)
    for i in range(n):
        log.append("something", actor, number=i, why="因为")


def test_a_line_torn_by_a_crash_is_cut_off_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 3)
    path.write_bytes(path.read_bytes()[:-20])
    write(path, 1)
    entries = list(FileAuditLog(path).entries())
    assert [e["action"] for e in entries] == ["something", "something", "audit.repaired", "something"]
    assert FileAuditLog(path).verify().entries == 4


@pytest.mark.parametrize("rubbish", [b"rubbish\n", b"\xff\n{}\n[1]\n", b'{"n": 4', b"[" * 100_000 + b"\n"])
def test_what_is_no_entry_at_the_end_is_set_aside_and_reported(
    state_dir: StateDir, rubbish: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = state_dir.audit
    write(path, 3)
    path.write_bytes(path.read_bytes() + rubbish)
    write(path, 1)
    assert FileAuditLog(path).verify().entries == 5
    assert path.with_name("audit.jsonl.aside").read_bytes().strip() == rubbish.strip()
    assert audit(["verify", "--state", str(state_dir.root)]) == 0
    assert f"before entry 4: {len(rubbish)} bytes that were no entry: audit.jsonl.aside" in capsys.readouterr().out


def test_an_entry_for_which_there_is_no_room_leaves_the_log_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 2)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        write(path, 1)
    assert path.read_bytes() == before


def test_writers_in_several_processes_keep_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write, args=(path, 20, f"w{i}")) for i in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert FileAuditLog(path).verify().entries == 60


def test_a_log_that_is_full_goes_on_in_a_new_file_with_its_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    logs = [FileAuditLog(path, part=1500) for _ in range(2)]
    for number in range(20):
        logs[number % 2].append("something", "测试", number=number)
    parts = former_parts(path)
    assert len(parts) == 2
    assert [entry["details"]["number"] for entry in logs[0].entries()] == list(range(20))
    assert logs[0].verify().entries == logs[1].head().entries == 20
    path.rename(parts[0].with_name("audit.jsonl.000000000020"))  # killed after the old file was closed
    assert logs[0].append("next", "test")["n"] == 21
    assert logs[1].verify().entries == 21
    parts[1].unlink()
    with pytest.raises(IntegrityError, match=r"line \d+ does not follow"):
        logs[0].verify()
