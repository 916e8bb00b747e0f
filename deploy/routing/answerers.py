"""Who may answer for an arm under a routing document, and who does."""

from __future__ import annotations

from collections.abc import Iterable

from ab.experiment import Arm
from deploy.routing.document import RoutingDocument, SlotView

FROZEN_STUDENT = "student"
Answerer = tuple[Arm, str, SlotView]
Order = list[tuple[Arm, str]]
"""Arms and versions, the one that is meant first."""


def order_of(document: RoutingDocument, serve: str) -> Order:
    """Who may answer for an arm that serves `serve`, the one meant first; versions that there are not are left out."""
    versions = [document.stable]
    if serve == "candidate":
        versions.insert(0, document.candidate)
    elif serve.startswith("student:"):
        versions.insert(0, serve.partition(":")[2])
    student: list[tuple[Arm, str]] = [("student", version) for version in versions if version is not None]
    teacher: list[tuple[Arm, str]] = [("teacher", document.teacher)]
    return teacher + student if serve == "teacher" else student + teacher


class Answerers:
    """Who answers for what under the document that routed last: it routes thousands, and is never changed in place."""

    def __init__(self) -> None:
        self._last: tuple[RoutingDocument | None, dict[tuple[str, Arm | None], tuple[Order, Answerer | None]]] = (
            None,
            {},
        )

    def of(self, document: RoutingDocument, serve: str, avoid: Arm | None) -> tuple[Order, Answerer | None]:
        """Who may answer for an arm that serves `serve`, and the first of them that does, `avoid` left out."""
        last = self._last
        if last[0] is not document:
            last = self._last = document, {}
        known = last[1].get((serve, avoid))
        if known is None:
            order = order_of(document, serve)
            known = last[1][serve, avoid] = order, _find(document, order, avoid)
        return known


answerers = Answerers()
"""Of this process; what is looked up at once by several threads is only looked up twice."""


def _find(document: RoutingDocument, order: Iterable[tuple[Arm, str]], avoid: Arm | None) -> Answerer | None:
    """The first of `order` that serves."""
    for arm, version in order:
        closed = arm == "student" and (FROZEN_STUDENT in document.frozen or version == document.unfit)
        slot = None if closed or arm == avoid else document.slot_of(version, arm)
        if slot is not None:
            return arm, version, slot
    return None
