"""What the commands on experiments print; lists and single ones are printed in `test_commands.py`."""

from __future__ import annotations

from serving.control.pages.experiment import applied, plan, stopped
from serving.control.replies.experiments import ExperimentAppliedReply, ExperimentStoppedReply, PlanReply

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
