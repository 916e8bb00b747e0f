"""Real dialogues in both languages through the whole loop: gateway, shadow, pool, round."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.rounds.store import FileRounds, RoundStore
from feedback.privacy.vault import FOLDER, Vault
from online_distill.data.rows import read_rows
from tests.shared_data import data_file
from tests.waiting import eventually
from trials.system import ROOT, System
from understudy.state import StateDir

pytestmark = [pytest.mark.loop, pytest.mark.timeout(900)]

PER_LANGUAGE = 100
CHINESE = re.compile("[\u4e00-\u9fff]")


def pick(source: Path, target: Path) -> int:
    """Short dialogues, as many of each language in turn, in the order of the file."""
    found: dict[str, list[str]] = {"en": [], "zh": []}
    with gzip.open(source, "rt") as rows:
        for line in rows:
            row = json.loads(line)
            turns = [m for m in row["messages"] if m["role"] in ("system", "user", "assistant") and m.get("content")]
            last = max((i for i, m in enumerate(turns[:5]) if m["role"] == "user"), default=None)
            if last is None or sum(len(m["content"]) for m in turns[: last + 1]) > 600:
                continue
            messages = [{"role": m["role"], "content": m["content"]} for m in turns[: last + 1]]
            found[row["lang"]].append(json.dumps({"id": row["id"], "session": row["id"], "messages": messages}))
    chosen = [line for pair in zip(found["en"], found["zh"], strict=False) for line in pair][: 2 * PER_LANGUAGE]
    target.write_text("\n".join(chosen) + "\n", "utf-8")
    return len(chosen)


def test_two_hundred_real_dialogues_come_through_shadow_pool_and_round(settled: System, tmp_path: Path) -> None:
    file = tmp_path / "dialogues.jsonl"
    count = pick(data_file("dialogues.jsonl.gz"), file)
    before = settled.admin.get("/pool").json()
    done = subprocess.run(
        [sys.executable, "-m", "understudy", "replay", str(file), "--state", str(settled.state), "--model", "auto",
         "--concurrency", "8", "--json"],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout)
    assert (result["requests"], result["failures"]) == (count, 0) == (2 * PER_LANGUAGE, 0)
    assert set(result["arms"]) == {"teacher", "student"}
    assert sum(result.get("degraded", {}).values()) <= count / 20, "the guard answered in the arms' stead"
    eventually(lambda: settled.admin.get("/pool").json()["size"] >= before["size"] + 40, 120, "hard samples")
    settled.post("/rounds", {})
    state = StateDir(settled.state)
    rounds, vault = FileRounds(state), Vault(state.spool / FOLDER)
    asked = {json.loads(line)["messages"][-1]["content"] for line in file.read_text().splitlines()}
    eventually(lambda: bool(taught_by(rounds, vault, asked)), 300, "a round that learns from the dialogues")
    number, learned = taught_by(rounds, vault, asked)[0]
    assert any(CHINESE.search(text) for text in learned)
    assert any(not CHINESE.search(text) for text in learned)
    gate = rounds.folder(number, "gate")
    eventually(lambda: (gate / "READY").exists(), 600, "the gate's decision on what was learned")
    judged = json.loads((gate / "summary.json").read_text())
    assert "rows" not in judged["refused_by"], judged
    assert judged["general"]["facts"]["n"] >= 20


def taught_by(rounds: RoundStore, vault: Vault, asked: set[str]) -> list[tuple[int, set[str]]]:
    """Rounds whose selection holds some of the texts `asked`, with these texts."""
    found = []
    for one in rounds.all():
        files = rounds.folder(one.id, "select").glob("*.jsonl")
        rows = [row for file in files for row in read_rows(file, vault)]
        texts = asked & {row.messages[-1]["content"] for row in rows}
        if texts:
            found.append((one.id, texts))
    return found
