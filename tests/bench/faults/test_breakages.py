"""The benchmark tells when a repair is taken away: a copy of the code without it loses events."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
COPIED = ("ab", "bench", "deploy", "feedback", "online_distill", "serving", "trials", "understudy")
pytestmark = [
    pytest.mark.skipif(not FULL, reason="minutes of faults for each: with UNDERSTUDY_FULL=1"),
    pytest.mark.timeout(900),
]
LANE, PRODUCER = "feedback/outbox/lane.py", "feedback/outbox/producer.py"
BREAKAGES = {
    "an event leaves the spool at the bus's first answer": (
        LANE, "believed = held.highest if held.sure and not gone else 0", "believed = held.highest", "cut", "lost",
    ),
    "a bus that went back is not asked": (
        PRODUCER, "        self._ask(list(places), now)\n", "", "cut", "lost",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_repair_that_is_missing_shows(name: str, tmp_path: Path) -> None:
    file, there, instead, only, counter = BREAKAGES[name]
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    text = (tmp_path / file).read_text()
    assert there in text
    (tmp_path / file).write_text(text.replace(there, instead))
    result = tmp_path / "faults.json"
    command = [sys.executable, "-m", "understudy", "bench", "faults", "--kills", "16", "--events", "8000"]
    done = subprocess.run(
        [*command, "--only", only, "--json", result], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert json.loads(result.read_text())[counter] > 0
