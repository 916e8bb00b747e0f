"""The controller's state: what a former version wrote is still read."""

from __future__ import annotations

from deploy.life.state import CanaryState, VersionRecord


def test_a_canary_that_a_former_version_began_goes_on_without_its_baselines() -> None:
    summary = {"n": 3, "mean": 0.5, "var": 0.1}
    told = {"version": "v4", "step": 1, "step_exposures": 9, "before": {"v4": {"agreement": summary}}}
    canary = CanaryState.model_validate(told)
    assert (canary.version, canary.step, canary.slow) == ("v4", 1, None)


def test_steps_that_a_former_version_judged_are_kept_as_they_are() -> None:
    step = {"share": 0.25, "exposures": 50, "seconds": 6.0, "why": "exposures", "pairs": {"exact": {"p": 0.5}}}
    assert VersionRecord.model_validate({"state": "live", "steps": [step]}).steps == (step,)
