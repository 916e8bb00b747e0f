"""What `experiment analyse` promises to print."""

from __future__ import annotations

import json

from ab.analysis.replies import as_json
from ab.analysis.tally import ArmTally
from ab.experiment import Experiment

ARMS = {"teacher": 0.5, "student": 0.5}


def test_names_are_those_promised_and_nothing_is_not_json() -> None:
    file = Experiment.model_validate(
        {"id": "e", "arms": ARMS, "primary": {"kpi": "k"}, "secondary": [{"kpi": "s"}],
         "guardrails": [{"kpi": "g", "max_increase": 0.1}]}
    )  # fmt: skip
    tally = ArmTally(file)
    found = json.loads(json.dumps(as_json(tally.result(), tally), allow_nan=False))
    assert set(found) == {
        "units", "sample_ratio", "primary", "secondary", "guardrails", "decision", "why", "left_out"
    }  # fmt: skip
    assert (found["decision"], found["primary"]["effect"], found["primary"]["lower"]) == ("not enough data", None, None)
    assert found["secondary"][0]["significant"] is False
    assert found["guardrails"][0]["verdict"] == "too few"


def test_an_experiment_of_one_arm_compares_nothing() -> None:
    file = Experiment.model_validate({"id": "e", "arms": {"teacher": 1.0}})
    tally = ArmTally(file)
    found = as_json(tally.result(), tally)
    assert (found["primary"], found["decision"]) == (None, "not enough data")
