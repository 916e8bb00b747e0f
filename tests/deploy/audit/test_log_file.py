from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import pytest

from deploy.audit.commands import audit
from deploy.audit.log_file import START, FileAuditLog, chain_head, verify_chain
from tests.deploy.fleet import Time
from understudy.errors import IntegrityError, NotFound, Unavailable
from understudy.state import StateDir


def write(path: Path, n: int, actor: str = "测试") -> None:
    log = FileAuditLog(path)
    for i in range(n):
        log.append("something", actor, number=i, why="因为")


def test_an_unbroken_chain_counts_its_entries(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert chain_head(path) == (0, START)
    write(path, 5)
    assert verify_chain(path) == 5
    assert [e["n"] for e in FileAuditLog(path).entries(3)] == [4, 5]


@pytest.mark.parametrize("line", [0, 2, 4])
def test_a_changed_line_is_named(tmp_path: Path, line: int) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 5)
    lines = path.read_text("utf-8").splitlines()
    entry = json.loads(lines[line])
    entry["actor"] = "somebody else"
    lines[line] = json.dumps(entry)
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(IntegrityError, match=f"line {line + 1} was changed"):
        verify_chain(path)


@pytest.mark.parametrize("kind", ["removed", "swapped", "doubled"])
def test_removed_swapped_and_doubled_lines_break_the_chain(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 5)
    lines = path.read_text("utf-8").splitlines()
    if kind == "removed":
        del lines[2]
    elif kind == "swapped":
        lines[2], lines[3] = lines[3], lines[2]
    else:
        lines.insert(2, lines[2])
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(IntegrityError, match=r"line [34] "):
        verify_chain(path)


def test_a_line_torn_by_a_crash_is_cut_off_and_said_so(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    write(path, 3)
    path.write_bytes(path.read_bytes()[:-20])
    write(path, 1)
    entries = list(FileAuditLog(path).entries())
    assert [e["action"] for e in entries] == ["something", "something", "audit.repaired", "something"]
    assert verify_chain(path) == 4


@pytest.mark.parametrize("rubbish", [b"rubbish\n", b"\xff\n{}\n[1]\n", b'{"n": 4', b"[" * 100_000 + b"\n"])
def test_what_is_no_entry_at_the_end_is_set_aside_and_reported(
    state_dir: StateDir, rubbish: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = state_dir.audit
    write(path, 3)
    path.write_bytes(path.read_bytes() + rubbish)
    write(path, 1)
    assert verify_chain(path) == 5
    assert path.with_name("audit.jsonl.aside").read_bytes().strip() == rubbish.strip()
    assert audit(["verify", "--state", str(state_dir.root)]) == 0
    assert f"before entry 4: {len(rubbish)} bytes that were no entry: audit.jsonl.aside" in capsys.readouterr().out


def test_what_cannot_be_written_is_kept_and_comes_first_later(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    time = Time()
    log = FileAuditLog(path, time)
    log.append("first", "test")
    path.rename(tmp_path / "away")
    path.mkdir()
    log.keep("brake", "test", why="因为")
    assert "cannot be written" in log.trouble
    with pytest.raises(Unavailable):
        log.append("refused", "test")
    path.rmdir()
    (tmp_path / "away").rename(path)
    time.at += 60
    assert log.append("later", "test")["n"] == 3
    assert [(e["action"], e["at"]) for e in log.entries()] == [
        ("first", time.at - 60), ("brake", time.at - 60), ("later", time.at),
    ]  # fmt: skip
    assert log.trouble == ""
    assert verify_chain(path) == 3


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
        worker.join(30)
    assert verify_chain(path) == 60


def test_the_command_verifies_and_shows(state_dir: StateDir, capsys: pytest.CaptureFixture[str]) -> None:
    write(state_dir.audit, 2)
    assert audit(["verify", "--state", str(state_dir.root), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 2
    assert audit(["show", "--state", str(state_dir.root)]) == 0
    assert "因为" in capsys.readouterr().out
    state_dir.audit.write_text("no entry\n")
    with pytest.raises(IntegrityError, match="line 1"):
        audit(["verify", "--state", str(state_dir.root)])


@pytest.mark.parametrize("action", ["verify", "show"])
def test_no_log_is_an_error(tmp_path: Path, action: str) -> None:
    with pytest.raises(NotFound, match="no audit log"):
        audit([action, "--state", str(tmp_path)])
