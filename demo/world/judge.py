"""Whether a reply is right."""

from demo.world.shapes import Sample
from serving.up.report.demands import states_all


def satisfied(sample: Sample, reply: str) -> bool:
    """Whether `reply` states every fact of the sample."""
    return states_all(reply, (fact.text for fact in sample.facts))
