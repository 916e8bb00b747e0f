"""What happened between two pictures, in words for the list of events. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from serving.up.show.figures import Figures


def changes(before: Figures, after: Figures) -> Iterator[str]:
    """One sentence for each change that a reader wants to know of."""
    if after.stable != before.stable and before.stable != "-":
        yield f"{after.stable} is live, was {before.stable} (epoch {after.epoch})"
    known = before.caveats if after.stable == before.stable else ()
    yield from (f"{after.stable}: {caveat}" for caveat in reversed(after.caveats) if caveat not in known)
    if after.unfit and after.unfit != before.unfit:
        yield f"{after.unfit} learns and answers nobody" + (f", {after.fitness}" if after.fitness else "")
    if before.candidate not in ("", after.candidate, after.stable):
        yield f"{before.candidate} is no longer the candidate: it was taken back"
    if after.candidate != before.candidate and after.candidate:
        yield f"{after.candidate} is the candidate"
    elif after.candidate and after.share != before.share:
        yield f"{after.candidate} answers {after.share:.0%} of the student's units"
    if after.stage is not None and _stage(after) != _stage(before):
        yield f"round {after.stage.round}: {after.stage.name}"
    if after.drawn not in ("", before.drawn):
        yield f"round {after.stage.round} drew: {after.drawn}" if after.stage else after.drawn
    if after.gate not in ("", before.gate):
        yield after.gate
    if after.missing not in ("", before.missing):
        yield f"{after.unfit}: {after.missing}"
    if after.fell and not before.fell:
        yield after.fell
    if after.stage is None and before.stage is not None:
        yield f"round {before.stage.round} is over"
    for what in sorted({*before.frozen} ^ {*after.frozen}):
        yield f"{what} is frozen until `understudy resume {what}`" if what in after.frozen else f"{what} goes on"
    yield from _slots(before, after)
    for name in sorted(before.behind.keys() ^ after.behind.keys()):
        epoch = after.behind.get(name)
        yield f"{name} follows again" if epoch is None else f"{name} stays at epoch {epoch} of {after.epoch}"
    failed = after.failed - before.failed
    if failed > 0:
        yield "1 request failed" if failed == 1 else f"{failed} requests failed"


def _slots(before: Figures, after: Figures) -> Iterator[str]:
    former = {slot.name: slot.ready for slot in before.slots}
    for slot in after.slots:
        if former.get(slot.name, slot.ready) == slot.ready:
            continue
        if slot.ready:
            yield f"{slot.name} serves {slot.version}"
        else:
            yield f"{slot.name} is not ready: {slot.state}" + (f", {slot.why}" if slot.why else "")


def _stage(figures: Figures) -> tuple[int, str] | None:
    return None if figures.stage is None else (figures.stage.round, figures.stage.name)
