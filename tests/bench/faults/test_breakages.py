"""The benchmark tells when a repair is taken away: without it a copy of the code loses, doubles or reorders events."""

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
LANE, PRODUCER = "feedback/outbox/lane.py", "feedback/outbox/producer.py"
CONSUMER, EFFECTS = "feedback/consume/consumer.py", "feedback/store/lua/effects.lua"
Change = tuple[str, str, str]
"""(file, what stands there, what stands there instead)."""
MANY, FEW = ("16", "8000"), ("6", "600")
"""Faults and events: where a fault must fall into a moment, and where any one will do."""
BREAKAGES: dict[str, tuple[list[Change], str, str, tuple[str, str]]] = {
    "an event leaves the spool at the bus's first answer": (
        [(LANE, "believed = held.highest if held.sure and not gone else 0", "believed = held.highest")],
        "cut", "lost", MANY,
    ),
    "a bus that went back is not asked": (
        [(PRODUCER, "        self._ask(list(places), now)\n", "")], "cut", "lost", MANY,
    ),
    "only partitions with something to send are asked": (
        [(PRODUCER, "        self._ask(list(places), now)\n",
          "        self._ask([p for p, last in places.items() if self._lanes[p].sent < last], now)\n")],
        "cut", "lost", ("16", "2000"),
    ),
    "a position is kept in memory, and no number is compared": (
        [
            (CONSUMER, "positions = self._positions(places)", "positions = [self._here.get(p, '') for p in places]"),
            (CONSUMER, "self._bus.forget(topic, part, events[-1].position)",
             "self._here[topic, part] = events[-1].position"),
            (CONSUMER, "        self._renewed = self._kept = 0.0\n",
             "        self._renewed = self._kept = 0.0\n        self._here = {}\n"),
            (EFFECTS, "if n == 0 or n > highest and not torn then", "if true then"),
            (EFFECTS, "~= after then return { -3, 0, '' } end", "== false then return { -3, 0, '' } end"),
        ],
        "kill", "doubled", FEW,
    ),
    "a session's events go to any partition": (
        [("feedback/bus/protocol.py", 'int(stable_id("partition", session)[:8], 16) % partitions',
          '__import__("random").randrange(partitions)')],
        "kill", "out_of_order", FEW,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKAGES)
def test_what_is_taken_away_stands_there_once(name: str) -> None:
    for file, there, _ in BREAKAGES[name][0]:
        assert (ROOT / file).read_text().count(there) == 1, f"{there!r} in {file}"


@pytest.mark.skipif(not FULL, reason="minutes of faults for each: with UNDERSTUDY_FULL=1")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", BREAKAGES)
def test_a_repair_that_is_missing_shows(name: str, tmp_path: Path) -> None:
    edits, only, counter, (kills, events) = BREAKAGES[name]
    for folder in COPIED:
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file, there, instead in edits:
        (tmp_path / file).write_text((tmp_path / file).read_text().replace(there, instead))
    result = tmp_path / "faults.json"
    command = [sys.executable, "-m", "understudy", "bench", "faults", "--kills", kills, "--events", events]
    done = subprocess.run(
        [*command, "--only", only, "--json", result], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, timeout=800,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert json.loads(result.read_text())[counter] > 0
