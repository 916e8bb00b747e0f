"""The simulations of `bench statistics`, at small counts: what they promise, and that they can fail."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bench import statistics
from bench.statistics import Simulated, bounds, clustered, main, sample_ratio


def test_simulated_counts_are_judged_by_the_deployed_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """With bounds that the deployed code does not use, the two disagree and the benchmark says so."""
    drawn = Simulated(np.random.default_rng(1), 0.5, (0.5, 0.6))
    concluded = drawn.outside(bounds(), 0.0)
    statistics._agree(drawn, concluded)
    with pytest.raises(AssertionError):
        statistics._agree(drawn, drawn.outside(0.5 * bounds(), 0.0))


def test_a_rare_outcome_in_a_small_arm_does_not_alarm() -> None:
    """Base rate 1 %, shares 95/5: with the sample's own variance 0.3 of such A/A experiments stopped for harm."""
    always, rng = bounds(), np.random.default_rng(3)
    wrong = sum(bool(Simulated(rng, 0.05, (0.01, 0.01)).outside(always, 0.0).any()) for _ in range(100))
    assert wrong / 100 <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 100)


def test_users_who_ask_often_mislead_only_who_counts_requests() -> None:
    found = clustered(40, seed=1)
    assert found["by_user"] <= 0.15
    assert found["by_request"] > 0.4


def test_lost_units_alarm_and_fair_ones_do_not() -> None:
    found = sample_ratio(20, seed=1)
    assert (found["fair"], found["lost"]) == (0.0, 1.0)


def test_the_report_has_every_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "3", "--json", str(tmp_path / "s.json")]) == 0
    report = json.loads((tmp_path / "s.json").read_text())
    assert {"peeking", "power", "clustered", "sample_ratio"} <= set(report)
    assert report["power"]["width_ratio"]["two_sided"] == pytest.approx(1.5486, abs=1e-3)
    assert "always valid" in capsys.readouterr().out
    assert set(report["seconds"]) == set(statistics.PARTS) < set(report)


def test_one_part_alone_takes_the_others_from_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.json"
    before = {name: [] for name in statistics.PARTS} | {"runs": 2, "seed": 7, "seconds": {"power": 5.0, "paired": 6.0}}
    file.write_text(json.dumps(before))
    assert main(["--runs", "2", "--json", str(file), "--parts", "power"]) == 0
    after = json.loads(file.read_text())
    assert (after["power"]["promised"], after["paired"], after["seconds"]["paired"]) == (0.8, [], 6.0)
    assert after["seconds"]["power"] != 5.0
    for wrong in (["--runs", "2", "--parts", "smile"], ["--runs", "3", "--parts", "power"]):
        with pytest.raises(SystemExit):
            main([*wrong, "--json", str(file)])
        assert "--parts takes some of peeking, coverage" in capsys.readouterr().err
