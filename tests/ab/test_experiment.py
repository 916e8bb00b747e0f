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
