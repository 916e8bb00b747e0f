"""What a round may draw from: pool samples and kept rows, each in its cluster and with the reason it is there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from feedback.checks.evidence import evidence
from feedback.events import HardSample
from feedback.texts import content_text, prompt_text
from online_distill.data.reservoir import Reservoir
from online_distill.data.rows import Row, RowRole, Why
from online_distill.data.selecting import Material

STUDENT_TEXT_SECONDS = 7 * 86_400.0
"""Age, counted from the newest failure, beyond which text of the student is not learned from."""


def gather(
    fresh: Sequence[HardSample],
    hard: Sequence[HardSample],
    anchors: Sequence[HardSample],
    reservoir: Reservoir,
    parent: str,
) -> Material:
    """Put every sample into its cluster.

    `fresh`: failures of `parent` since the last round; what else is in `hard` is old. So are anchors whose student
    text states other facts than the teacher's, which the checks let pass: whoever draws asks the parent first.
    """
    new = {sample.id for sample in fresh}
    stale = too_old(fresh, [*hard, *anchors])

    def row(sample: HardSample, role: RowRole, why: Why) -> Row:
        cluster = reservoir.clusters.of(asked(sample.messages), sample.tenant, sample.at)
        made = Row.of(sample, role, parent=parent, cluster=cluster, why=why)
        return made.model_copy(update={"student_text": ""}) if sample.id in stale else made

    wrong = [sample for sample in anchors if _overlooked(sample)]
    weight = max((sample.weight for sample in fresh), default=1.0)
    overlooked = [row(s.model_copy(update={"kinds": ("logic",), "weight": weight}), "hard", "old") for s in wrong]
    return Material(
        fresh=[row(sample, "hard", "fresh") for sample in fresh],
        old=[
            *(row(sample, "hard", "old") for sample in hard if sample.id not in new),
            *overlooked,
            *reservoir.hard(),
        ],
        general=[*reservoir.general(), *(row(sample, "anchor", "replay") for sample in anchors)],
    )


def too_old(fresh: Sequence[HardSample], others: Iterable[HardSample]) -> set[str]:
    """Ids of the samples whose student text is too old to be learned from, beside the newest failure."""
    newest = max((sample.at for sample in fresh), default=0.0)
    return {sample.id for sample in (*fresh, *others) if newest - sample.at > STUDENT_TEXT_SECONDS}


def of_teacher(samples: Iterable[HardSample], teacher: str, since: float = 0.0) -> list[HardSample]:
    """Those whose text `teacher` wrote: what a former one said is no target, and nothing to judge by.

    `since`: from when on (seconds since the epoch) that name means this teacher.
    """
    return [sample for sample in samples if sample.teacher == teacher and sample.at >= since]


def asked(messages: Sequence[dict[str, Any]]) -> str:
    """What the user said, by which prompts are put into clusters: replies in between are alike in all of them."""
    return "\n".join(content_text(m.get("content")) for m in messages if m.get("role") == "user")


def _overlooked(sample: HardSample) -> bool:
    """Whether the student stated other facts although its checks passed."""
    passed = not sample.failed_checks and sample.student_text != sample.teacher_text
    return passed and bool(evidence(prompt_text(sample.messages), sample.teacher_text, sample.student_text))
