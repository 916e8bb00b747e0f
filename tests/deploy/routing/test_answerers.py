"""Who may answer under a document."""

from __future__ import annotations

import itertools

from ab.experiment import Arm
from deploy.routing.answerers import Answerers, order_of
from deploy.routing.document import RoutingDocument, SlotView


def slot(version: str, *, ready: bool = True) -> SlotView:
    return SlotView(desired=version, version=version, ready=ready, url=f"http://{version}", model=version)


def made(**more: object) -> RoutingDocument:
    slots = {"teacher": slot("t1"), "student-a": slot("v1"), "student-b": slot("v2")}
    return RoutingDocument.model_validate({"teacher": "t1", "stable": "v1", "candidate": "v2", "slots": slots, **more})


def test_what_is_looked_up_again_is_what_was_found_and_another_document_is_looked_up_anew() -> None:
    answerers, serves = Answerers(), ("teacher", "student", "candidate", "student:v2")
    avoids: tuple[Arm | None, ...] = (None, "teacher", "student")
    documents = [
        made(), made(slots={"teacher": slot("t1"), "student-a": slot("v1", ready=False)}), made(frozen=("student",)),
        made(unfit="v1", stable=None),
    ]  # fmt: skip
    wanted = {
        (place, serve, avoid): Answerers().of(document, serve, avoid)
        for (place, document), serve, avoid in itertools.product(enumerate(documents), serves, avoids)
    }
    for _ in range(3):
        for (place, serve, avoid), known in wanted.items():
            assert answerers.of(documents[place], serve, avoid) == known


def test_the_first_that_serves_and_is_not_avoided_answers() -> None:
    answerers = Answerers()
    order, found = answerers.of(made(), "candidate", None)
    assert order == [("student", "v2"), ("student", "v1"), ("teacher", "t1")] == order_of(made(), "candidate")
    assert found is not None
    assert (found[0], found[1], found[2].model) == ("student", "v2", "v2")
    assert (answerers.of(made(), "student", "student")[1] or ())[:2] == ("teacher", "t1")
    assert answerers.of(made(slots={}), "student", None)[1] is None
    assert (answerers.of(made(frozen=("student",)), "student", None)[1] or ())[:2] == ("teacher", "t1")
