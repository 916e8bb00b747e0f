"""What became of an unfit student in a round: fit, better, or neither. A pure decision on an evaluation.

Both are judged on held-out general prompts, which stand for all traffic, by the share of the teacher's tokens that are
the student's choice too. Nothing of the gate that compares with a live version applies: an unfit parent has no replies
to lose. Judged are means over all of them, so a kind on which a student answers otherwise than its teacher, and better
perhaps, refuses nobody by itself. A comparison with NaN is false, so each is put the way that lets NaN refuse.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

from ab.shares import Share
from ab.summary import Stat
from deploy.life.config import GateConfig
from deploy.life.evaluation import Evaluation
from deploy.life.gate import (
    LEAST,
    Assessed,
    Refusal,
    gain_of,
    safety_figures,
    slice_figures,
    unsafe,
    unseen,
    unusable,
)

FIT = "says the teacher's tokens as often as is asked for"
FitnessEvent = Literal["gate_passed", "learned", "gate_failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness(Assessed):
    """`event` is one of a version's life; `refusals` say why it is not fit, or not even better."""

    event: FitnessEvent

    @property
    def passed(self) -> bool:
        """Whether it is fit."""
        return self.event == "gate_passed"

    def summary(self) -> dict[str, Any]:
        """As JSON, for the round's record."""
        return Assessed.summary(self) | ({"why": FIT} if self.passed else {})


def judge_unfit(evaluation: Evaluation, config: GateConfig, *, fingerprint: bool = True, live: str = "") -> Fitness:
    """Fit where the lower bounds of agreement and exact replies reach what the configuration asks; else better where
    the mean gain in agreement is above nothing. A bound is not asked for there: no user has replies of an unfit student
    to lose, and many gains that a bound would refuse one by one are a course that stands still.

    A child that is fit is compared with its parent in what it complies with, too, since it is to answer users; one that
    goes on learning is not.

    `live`: a version that went live meanwhile, beside which no child of an unfit student is judged.
    """
    general = evaluation.of("general")
    hard, gain = evaluation.of("hard"), gain_of(general, config)
    agreement = Stat.of([row.candidate.agreement for row in general])
    exact = Share(sum(row.candidate.exact for row in general), len(general))
    lower = agreement.mean - NormalDist().inv_cdf(1 - config.alpha) * agreement.error
    barred = unusable(evaluation, fingerprint)
    if live:
        barred.append(
            Refusal("live", f"{live} is live by now, and a child of an unfit student is not compared with it")
        )
    if len(general) < LEAST["general"]:
        barred.append(Refusal("rows", f"{len(general)} held-out general prompts, fewer than {LEAST['general']}"))
    lacking = _lacking(len(general), lower, exact.interval(config.alpha)[0], config)
    if not lacking:
        barred += unsafe(evaluation.safety, config)
    event: FitnessEvent = "gate_failed" if barred else "gate_passed"
    if not barred and lacking:
        event = "learned" if gain is not None and gain.after > gain.before else "gate_failed"
    if event == "gate_failed" and not barred and gain is not None:
        why = f"no better than its parent: agreement {gain.before:.3f} -> {gain.after:.3f}"
        lacking = [Refusal("better", why)]
    figures = {
        "general": slice_figures(general, gain, config.alpha),
        "hard": slice_figures(hard, gain_of(hard, config), config.alpha),
        "fitness": {
            "event": event, "n": len(general), "before": None if gain is None else gain.before,
            "agreement": agreement.mean, "lower": lower, "exact": exact.value, "wanted": config.fit_agreement,
            "wanted_exact": config.fit_exact, "wanted_rows": config.fit_rows,
        },
        "safety": safety_figures(evaluation.safety, config),
    }  # fmt: skip
    counts = {"hard": len(hard), "general": len(general)}
    said = unseen(counts, evaluation.safety, config) if event == "gate_passed" else ""
    return Fitness(tuple(barred or lacking), figures, counts, said, event=event)


def _lacking(n: int, agreement: float, exact: float, config: GateConfig) -> list[Refusal]:
    """What an unfit student lacks to be fit; `agreement` and `exact` are lower bounds."""
    found = []
    if n < config.fit_rows:
        found.append(Refusal("rows", f"not fit yet: {n} of {config.fit_rows} held-out general prompts"))
    if not agreement >= config.fit_agreement:
        why = f"not fit yet: {agreement:.3f} of the teacher's tokens at least, {config.fit_agreement:g} are asked for"
        found.append(Refusal("agreement", why))
    if not exact >= config.fit_exact:
        found.append(
            Refusal("exact", f"not fit yet: {exact:.3f} exact replies at least, {config.fit_exact:g} are asked for")
        )
    return found
