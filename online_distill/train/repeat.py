"""A run done again by what it wrote down: each step at the rate of its trajectory, no clock at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from online_distill.progress import Progress, silent
from online_distill.teacher.targets import Scored
from online_distill.train.learner import Learner, Taken, prepared
from online_distill.train.order import steps_of
from online_distill.train.recipe import Recipe


def repeat(
    parent: Path, items: Sequence[Scored], recipe: Recipe, steps: Sequence[Taken], progress: Progress = silent
) -> Learner:
    """Take `steps` again from the parent's weights; what the learner then holds is to be compared.

    Raises:
        IntegrityError: no target can be learned from.
    """
    learner, kept, _ = prepared(parent, items, recipe)
    for (_, batch), taken in zip(steps_of(kept, recipe), steps, strict=False):
        learner.step([kept[i] for i in batch], taken.rate, taken.share)
        progress(learner.done, len(steps), "")
    return learner


def first_difference(ours: Sequence[Taken], theirs: Sequence[Taken]) -> int | None:
    """The first step whose loss or norm is another, to the bit; None where all are the same."""
    for mine, other in zip(ours, theirs, strict=True):
        if repr(mine) != repr(other):  # as text, because NaN, of a skipped step, equals nothing
            return mine.step
    return None
