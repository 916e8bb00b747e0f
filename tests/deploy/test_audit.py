from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from deploy.audit import START, AuditLog, chain_head, verify_chain
from deploy.commands import audit
from understudy.errors import IntegrityError
from understudy.state import StateDir


def write(path: Path, n: int, actor: str = "测试") -> None:
    log = AuditLog(path)
    for i in range(n):
        log.append("something", actor, number=i, why="因为")


def test_an_unbroken_chain_counts_its_entries(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    assert chain_head(path) == (0, START)
    write(path, 5)
    assert verify_chain(path) == 5
    assert [e["n"] for e in AuditLog(path).entries(3)] == [4, 5]


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
    entries = list(AuditLog(path).entries())
    assert [e["action"] for e in entries] == ["something", "something", "audit.repaired", "something"]
    assert verify_chain(path) == 4


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
