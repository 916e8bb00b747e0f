"""What happened between two pictures, in words for the list of events. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from serving.up.figures import Figures


def changes(before: Figures, after: Figures) -> Iterator[str]:
    """One sentence for each change that a reader wants to know of."""
    if after.stable != before.stable and before.stable != "-":
        yield f"{after.stable} is live, was {before.stable} (epoch {after.epoch})"
    if after.candidate != before.candidate and after.candidate:
        yield f"{after.candidate} is the candidate"
    elif after.candidate and after.share != before.share:
        yield f"{after.candidate} answers {after.share:.0%} of the student's units"
    if after.stage is not None and _stage(after) != _stage(before):
        yield f"round {after.stage.round}: {after.stage.name}"
    if after.stage is None and before.stage is not None:
        yield f"round {before.stage.round} is over"
    for name, state in after.roles.items():
        if before.roles.get(name) != state:
            yield f"{name} is {state}"
    for name in before.roles.keys() - after.roles.keys():
        yield f"{name} runs again"
    if after.failed > before.failed:
        yield f"{after.failed - before.failed} requests failed"


def _stage(figures: Figures) -> tuple[int, str] | None:
    return None if figures.stage is None else (figures.stage.round, figures.stage.name)
