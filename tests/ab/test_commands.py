"""Commands on files alone, as a user calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ab import files
from ab.commands import analyse, assign, attribute, plan
from understudy.errors import ConfigError, UsageError


def test_assign_prints_a_line_for_each_unit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, units = tmp_path / "e.yaml", tmp_path / "units.txt"
    file.write_text("id: x\nseed: foo\narms: {teacher: 0.25, student: 0.75}\n", "utf-8")
    units.write_text("def\r\nab\n\n用户一\n", "utf-8")
    assert assign([str(file), "--units", str(units)]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"unit": "def", "bucket": 0.2019, "arm": "teacher"}
    assert lines[1] == {"unit": "ab", "bucket": 0.2575, "arm": "student"}
    assert [line["unit"] for line in lines] == ["def", "ab", "用户一"]


def test_any_phase_of_what_show_printed_is_assigned_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, units = tmp_path / "shown.json", tmp_path / "units.txt"
    phases = [
        {"number": 1, "arms": {"teacher": [[0, 0.25]], "student": [[0.25, 1]]}, "force": {"ann": "teacher"}},
        {"number": 2, "arms": {"teacher": [[0, 0.2], [0.9, 1]], "student": [[0.2, 0.9]]}, "namespace": [0, 0.001]},
    ]
    shown = {"id": "x", "seed": "foo", "arms": {"teacher": 0.3, "student": 0.7}, "state": "stopped", "phases": phases}
    file.write_text(json.dumps(shown), "utf-8")
    units.write_text("def\nann\n", "utf-8")
    told = {}
    for phase in ("1", "2"):
        assert assign([str(file), "--units", str(units), "--phase", phase]) == 0
        told[phase] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told["1"][0] == {"unit": "def", "bucket": 0.2019, "arm": "teacher"}
    assert (told["1"][1]["arm"], told["1"][1]["forced"]) == ("teacher", True)
    assert told["2"][0] == {"unit": "def", "bucket": 0.2019, "arm": None}
    assert assign([str(file), "--units", str(units)]) == 0
    assert capsys.readouterr().out.splitlines() == [json.dumps(line) for line in told["2"]]
    with pytest.raises(UsageError, match="no phase 7 in the file; it holds 1, 2"):
        assign([str(file), "--units", str(units), "--phase", "7"])


def test_a_wrong_file_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    file, units = tmp_path / "e.yaml", tmp_path / "units.txt"
    units.write_text("u\n", "utf-8")
    file.write_text("id: x\narms: {teacher: 0.5, student: 0.6}\n", "utf-8")
    with pytest.raises(ConfigError, match="add up to 1"):
        assign([str(file), "--units", str(units)])
    file.write_text("id: x\narms: {teacher: 1.0}\nprimry: {}\n", "utf-8")
    with pytest.raises(ConfigError, match="did you mean `primary`"):
        assign([str(file), "--units", str(units)])
    file.write_text("id: x\narms: {teacher: 1.0}\n", "utf-8")
    with pytest.raises(UsageError, match="cannot read the units"):
        assign([str(file), "--units", str(tmp_path / "none")])


FILE = """id: x
arms: {teacher: 0.5, student: 0.5}
primary: {kpi: right, test: non_inferiority, margin: 0.05}
stop: {planned_units: 4000}
"""


def _experiment(folder: Path, rows: list[dict[str, object]], text: str = FILE) -> list[str]:
    (folder / "e.yaml").write_text(text, "utf-8")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return [str(folder / "e.yaml"), "--data", str(folder / "rows.jsonl")]


def _rows(units: int) -> list[dict[str, object]]:
    arms = ("teacher", "student")
    return [{"unit": f"u{at}", "arm": arms[at % 2], "right": int(at % 10 > 1)} for at in range(units)]


def test_a_kpi_is_not_adjusted_for_itself(tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text("id: x\narms: {a: {share: 1, serve: teacher}}\nprimary: {kpi: click, covariate: click}\n", "utf-8")
    with pytest.raises(UsageError, match="click itself; give one of the time before, as click_before"):
        analyse([str(file), "--data", str(file)])


def test_analyse_prints_the_decision_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert analyse(_experiment(tmp_path, _rows(4_000))) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["decision"] == "ship"
    assert found["primary"]["effect"] == pytest.approx(0.0)
    assert set(found["primary"]["fixed"]) == {"lower", "upper", "p"}
    assert found["sample_ratio"] == {"p_fixed": 1.0, "p_sequential": 1.0}


def test_rows_that_do_not_fit_in_memory_give_the_same_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _experiment(tmp_path, _rows(3_000))
    analyse(given)
    whole = capsys.readouterr().out
    monkeypatch.setattr(files, "PART_BYTES", 10_000)
    analyse(given)
    assert _rounded(capsys.readouterr().out) == _rounded(whole)


def test_rows_in_files_are_read_like_rows_in_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Units as numbers and with half a surrogate pair, values that are none, ratios, answers, phases and times."""
    strange: list[dict[str, object]] = [
        {"unit": 10**30 + at, "arm": "teacher", "right": [1, 2], "t": 1.5, "phase": 1} for at in range(40)
    ]
    strange += [{"unit": f"\ud83d{at}", "arm": "student", "right": {"yes": 1, "of": 3}, "phase": 1} for at in range(40)]
    strange += [{"unit": f"u{at}", "arm": "student", "right": float("nan")} for at in range(40)]
    given = _experiment(tmp_path, [*_rows(200), *strange])
    analyse(given)
    whole = capsys.readouterr().out
    assert json.loads(whole)["left_out"]["not_finite"] == 40
    monkeypatch.setattr(files, "PART_BYTES", 1_000)
    analyse(given)
    assert _rounded(capsys.readouterr().out) == _rounded(whole)


PEAK = """
import sys
from ab import commands, files
files.PART_BYTES = 200_000
commands.analyse(sys.argv[1:])
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")), file=sys.stderr)
"""
"""Prints the peak of its own memory in KiB; `ru_maxrss` would begin with that of the process that forked it."""


def test_memory_does_not_depend_on_the_rows(tmp_path: Path) -> None:
    """Ten times the units; held in memory those of this test would take 80 MB more."""
    peaks = []
    for units in (10_000, 100_000):
        given = _experiment(tmp_path, _rows(units))
        told = subprocess.run([sys.executable, "-c", PEAK, *given], capture_output=True, text=True, check=True)
        assert sum(json.loads(told.stdout)["units"].values()) == units
        peaks.append(1024 * int(told.stderr))
    assert peaks[1] - peaks[0] < 20_000_000, peaks


def _rounded(text: str) -> object:
    return json.loads(text, parse_float=lambda digits: round(float(digits), 9))


def test_a_line_that_is_no_row_is_named_by_its_number(tmp_path: Path) -> None:
    given = _experiment(tmp_path, [*_rows(2), {"unit": "u", "arm": "student", "right": "yes"}])
    with pytest.raises(UsageError, match="line 3: \"right\" is 'yes'"):
        analyse(given)


def test_plan_says_how_many_units_and_days(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan([*_experiment(tmp_path, _rows(1_000)), "--units-per-day", "500"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["mean"] == pytest.approx(0.8)
    assert found["units"] > found["units_fixed_horizon"] > 1_000
    assert found["days"] == pytest.approx(found["units"] / 500)
    with pytest.raises(UsageError, match="--change"):
        plan(
            _experiment(tmp_path, _rows(1_000), FILE.replace("test: non_inferiority, margin: 0.05", "test: two_sided"))
        )
    with pytest.raises(UsageError, match="0 units have it"):
        plan(_experiment(tmp_path, []))


def test_attribute_prints_each_player_and_their_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "values.json"
    file.write_text('{"players": ["a", "b"], "values": {"": 1, "a": [2, 0.1], "b": 3, "a,b": 5}}', "utf-8")
    assert attribute([str(file), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["sum"] == pytest.approx(4.0)
    assert found["shapley"]["a"]["value"] == pytest.approx(1.5)
    assert found["shapley"]["a"]["lower"] < 1.5 < found["shapley"]["a"]["upper"]
    file.write_text('{"players": ["a", "b"], "values": {"": 1}}', "utf-8")
    with pytest.raises(UsageError, match="3 coalitions have no value"):
        attribute([str(file)])


def test_a_factorial_of_rows_is_attributed_to_its_switches(capsys: pytest.CaptureFixture[str]) -> None:
    """The example of docs/statistics.md; its chances are 0.86, 0.86, 0.66 and 0.74 in 600 units each."""
    examples = Path(__file__).parents[2] / "docs" / "examples"
    assert analyse([str(examples / "attribution.yaml"), "--data", str(examples / "factorial.jsonl")]) == 0
    (told,) = json.loads(capsys.readouterr().out)["attribution"]
    assert (told["attributed"], told["n"]) == (True, 2400)
    assert told["shapley"]["routing"]["value"] == pytest.approx(-0.16, abs=0.06)
    assert told["shapley"]["routing"]["upper"] < 0
    assert told["shapley"]["candidate"]["lower"] < 0.04 < told["shapley"]["candidate"]["upper"]
    assert told["sum"] == pytest.approx(told["change"]["effect"])


def test_assign_tells_the_bucket_of_each_switch(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, units = tmp_path / "e.yaml", tmp_path / "units.txt"
    file.write_text("id: x\nswitches: {routing: 0.5, candidate: 0.5, guard: 0.5}\n", "utf-8")
    units.write_text("ann\nbob\ncem\ndan\n", "utf-8")
    assert assign([str(file), "--units", str(units)]) == 0
    for line in map(json.loads, capsys.readouterr().out.splitlines()):
        on = [name for name, bucket in line["buckets"].items() if bucket < 0.5]
        assert line["arm"] == ("+".join(on) or "none")
