"""The experiment file's model: what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ab.experiment import Experiment
from ab.files import read_experiment
from understudy.errors import ConfigError


@pytest.mark.parametrize(
    "line",
    [
        "arms: {student: .nan, teacher: 0.1}",
        "arms: {student: .inf, teacher: 0.1}",
        "arms: {student: 1}\nstop: {max_days: .inf}",
        "arms: {student: 1}\nguardrails: [{kpi: latency_p99, max_ratio: .nan}]",
        "arms: {student: 1}\nprimary: {kpi: click, margin: .inf}",
    ],
)
def test_numbers_that_are_none_are_refused_by_name(tmp_path: Path, line: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(f"id: x\n{line}\n", "utf-8")
    with pytest.raises(ConfigError, match="finite number"):
        read_experiment(file)


def test_the_seed_is_the_id_unless_given_and_every_kpi_is_named() -> None:
    plain = Experiment.model_validate({"id": "e", "arms": {"teacher": 1}})
    assert (plain.hash_seed, plain.kpis) == ("e", [])
    whole = Experiment.model_validate(
        {
            "id": "e", "seed": "s", "arms": {"teacher": 0.5, "student": 0.5}, "primary": {"kpi": "click"},
            "secondary": [{"kpi": "rating"}], "guardrails": [{"kpi": "latency", "max_ratio": 2}],
        }
    )  # fmt: skip
    assert (whole.hash_seed, whole.kpis) == ("s", ["click", "rating", "latency"])


@pytest.mark.parametrize("arms", [{}, {"teacher": 1.5, "student": -0.5}, {"teacher": 0.5}, {"pupil": 1}])
def test_arms_are_shares_that_add_up_to_one(arms: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        Experiment.model_validate({"id": "e", "arms": arms})


@pytest.mark.parametrize(
    ("line", "path", "why"),
    [
        ("arms: {control: 0.5, treatment: 0.5}", "experiment.arms", "'control' says not what it serves"),
        ("arms: {a: {share: 1, serve: pupil}}", "experiment.arms.a.serve", "student:VERSION"),
        ("arms: {teacher: {part: 1}}", "experiment.arms.teacher.part", "allowed: serve, share"),
        ("arms: {teacher: yes}", "experiment.arms.teacher", "given True"),
        ("layer: obs\narms: {teacher: 1}", "experiment.layer", "'observe'"),
        ("layer: observe\narms: {a: {share: 1, serve: student}}", "experiment.arms", "changes nothing"),
        ("arms: {teacher: 1}\nnamespace: [0.5, 0.2]", "experiment.namespace", "a range"),
        ("arms: {teacher: 1}\nholdout: 1", "experiment.holdout", "less than 1"),
        ("arms: {teacher: 1}\nforce: {ada: student}", "experiment.force", "which is no arm"),
        ("arms: {teacher: 1}\nramp: [{hours: 1, arms: {student: 1}}]", "experiment.ramp", "share of each arm"),
        ("arms: {teacher: 1}\nramp: [{hours: -1, arms: {teacher: 1}}]", "experiment.ramp.0.hours", "greater than 0"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(tmp_path: Path, line: str, path: str, why: str) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(f"id: x\n{line}\n", "utf-8")
    with pytest.raises(ConfigError) as refusal:
        read_experiment(file)
    assert f"`{path}`" in refusal.value.message
    assert why in refusal.value.message


def test_arms_serve_their_names_or_what_they_say_and_are_written_as_they_were_read() -> None:
    given = {"teacher": 0.5, "again": {"share": 0.25, "serve": "teacher"}, "student:v2": 0.25}
    file = Experiment.model_validate({"id": "e", "arms": given})
    assert file.shares == {"teacher": 0.5, "again": 0.25, "student:v2": 0.25}
    assert file.serves == {"teacher": "teacher", "again": "teacher", "student:v2": "student:v2"}
    assert file.model_dump(mode="json")["arms"] == given
    observed = Experiment.model_validate({"id": "e", "layer": "observe", "arms": {"a": 0.5, "b": 0.5}})
    assert observed.serves == {}
