"""The controller's state: what a former version wrote is read under today's names."""

from __future__ import annotations

from ab.summary import Stat
from deploy.life.state import Baseline, CanaryState


def test_baselines_of_a_former_version_are_those_of_the_similarity() -> None:
    summary = {"n": 3, "mean": 0.5, "var": 0.1}
    canary = CanaryState.model_validate({"version": "v4", "before": {"v4": {"agreement": summary, "latency": summary}}})
    assert canary.before == {"v4": {"similarity": Baseline(**summary), "latency": Baseline(**summary)}}
    assert canary.before["v4"]["similarity"].stat() == Stat(3, 0.5, 0.1)
