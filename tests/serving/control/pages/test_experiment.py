"""What the commands on experiments print; lists and single ones are printed in `test_commands.py`."""

from __future__ import annotations

from serving.control.pages.experiment import applied, experiment, experiments, plan, stopped
from serving.control.replies.experiments import (
    ExperimentAppliedReply,
    ExperimentReply,
    ExperimentsReply,
    ExperimentStoppedReply,
    PlanReply,
)

PLAN = PlanReply(
    kpi="click", mean=0.5, units_of_history=9, units=1_200, units_fixed_horizon=700, days=2.5, planned_units=900,
    power=0.61, detectable=0.03,
)  # fmt: skip


def test_a_plan_says_units_days_and_power() -> None:
    text = plan(PLAN)
    assert "1,200 units, about 2.5 days of new users" in text
    assert "61% of the 900 planned units" in text
    assert "days" not in plan(PLAN.model_copy(update={"days": None}))


def test_what_is_applied_repeats_its_plan_and_its_warnings() -> None:
    lines = applied(ExperimentAppliedReply(id="e", epoch=7, warnings=["careful"], plan=PLAN)).splitlines()
    assert lines[0] == "e applies from epoch 7"
    assert lines[1].startswith("plan")
    assert lines[-1] == "warning: careful"
    assert applied(ExperimentAppliedReply(id="e", epoch=7, warnings=[])) == "e applies from epoch 7"


def test_a_stopped_one_keeps_its_results() -> None:
    assert stopped(ExperimentStoppedReply(id="e", epoch=8)).endswith("its results stay")


WHOLE = ExperimentReply.model_validate({
    "id": "e", "state": "active", "namespace": [0, 0.4], "holdout": 0.05, "force": {"ada": "new"},
    "arms": {"teacher": 0.75, "new": {"share": 0.25, "serve": "student"}},
    "ramp": [{"hours": 24, "arms": {"teacher": 0.5, "new": 0.5}}],
    "phases": [
        {"number": 1, "arms": {"teacher": [[0, 0.75]], "new": [[0.75, 1]]}, "until": 90_000.0, "why": "applied"},
        {"number": 2, "arms": {"teacher": [[0, 0.5]], "new": [[0.5, 1]]}, "versions": {"teacher": "t1", "new": "v2"},
         "since": 90_000.0, "why": "shares"},
    ],
})  # fmt: skip


def test_the_list_says_layer_range_and_the_shares_of_now() -> None:
    last = experiments(ExperimentsReply(experiments=[WHOLE])).splitlines()[-1]
    assert last.split() == ["e", "active", "arm", "0", "to", "0.4", "user", "teacher", "0.5,", "new", "0.5"]


def test_one_is_shown_with_all_that_decides_who_gets_what() -> None:
    text = experiment(WHOLE)
    for told in ("arm, 0 to 0.4", "serves      new student", "after 24 hours: teacher 0.5, new 0.5",
                 "5.0% of the units", "testers     ada new", "teacher t1, new v2"):  # fmt: skip
        assert told in text
