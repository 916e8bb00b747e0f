"""An effect in words, in points where it is a share. Pure."""

from __future__ import annotations

import math

from ab.experiment import Primary
from ab.sequential.judging import KpiFinding

MEANS = {
    "first_response_correct": ("answers right", "often"),
    "human_review_pass": ("passes human review", "often"),
    "abnormal_termination": ("ends abnormally", "often"),
    "takeover": ("is taken over by a human", "often"),
    "click": ("is clicked", "often"),
}
"""What an arm does, by the KPI's name."""
ROLES = ("teacher", "student", "candidate")
"""Arms that are somebody; any other is a name."""


def sentence(arms: tuple[str, str], found: KpiFinding | None, asked: Primary | None) -> str:
    """Such as "the student answers right 0.4 points less often than the teacher, between -1.9 and +1.1"."""
    old, new = (f"the {arm}" if arm in ROLES else f"`{arm}`" for arm in arms)
    if found is None or asked is None:
        return f"{new} against {old}"
    if not math.isfinite(found.effect.value):
        return f"nothing is known yet of {found.kpi} of {new} against {old}"
    scale, unit = scale_of(found)
    value, low, high = (scale * x for x in (found.effect.value, found.always.lower, found.always.upper))
    digits = 1 if scale > 1 and high - low >= 1 else 2
    amount, more = f"{abs(value):.{digits}f}{unit}", value >= 0
    if found.kpi in MEANS and scale > 1:
        does, often = MEANS[found.kpi]
        text = f"{new} {does} {amount} {'more' if more else 'less'} {often} than {old}"
    else:
        text = f"{new} has {found.kpi} {amount} {'higher' if more else 'lower'} than {old}"
    if math.isfinite(high - low):
        text += f", between {low:+.{digits}f} and {high:+.{digits}f}"
    text += f"; the margin is {scale * asked.margin:.{digits}f}" if asked.margin else ""
    return text + (
        f", {adjusted(found.covariate, found.effect.reduced)}" if found.covariate and found.effect.covered else ""
    )


def adjusted(covariate: str, reduced: float) -> str:
    """Such as "adjusted for click_before (variance reduced by 31 %)"."""
    return (
        f"adjusted for {covariate} (variance {'reduced' if reduced >= 0 else 'raised'} by {100 * abs(reduced):.0f} %)"
    )


def scale_of(found: KpiFinding) -> tuple[float, str]:
    """By what figures are multiplied to be shown, and their unit."""
    share = abs(found.effect.old) <= 1 and abs(found.effect.new) <= 1
    return (100.0, " points") if share else (1.0, "")
