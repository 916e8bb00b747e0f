"""The benchmark of many rows runs the command on all of them and says what it took."""

from __future__ import annotations

import json
from pathlib import Path

from bench.analyse import main


def test_it_says_what_the_command_took_of_all_rows(tmp_path: Path) -> None:
    said = tmp_path / "said.json"
    assert main(["--rows", "300", "2000", "--json", str(said)]) == 0
    few, many = json.loads(said.read_text("utf-8"))["rows"]
    assert (few["rows"], many["rows"]) == (300, 2000)
    assert {few["decision"], many["decision"]} == {"keep running"}
    assert min(few["processor_seconds"], few["peak_mib"]) > 0
