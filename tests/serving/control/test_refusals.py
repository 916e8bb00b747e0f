"""Every refusal is an error object, also of what nobody foresaw."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from serving.control.sources import Sources
from tests.deploy.fleet import World, actions


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[" * 100_000, 400, "invalid_body"),
        (b'{"why": "\xff"}', 400, "invalid_body"),
        (b'{"why": "\\ud800"}', 422, "invalid_body"),
        (b'{"\\ud800": 1}', 422, "invalid_body"),
        (b'{"why": "' + b"w" * 501 + b'"}', 422, "invalid_body"),
    ],
)
def test_a_body_that_cannot_be_used_gets_an_error_object_and_asks_for_nothing(
    admin: TestClient, sources: Sources, world: World, body: bytes, status: int, code: str
) -> None:
    answer = admin.post("/rounds", content=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "round.requested" not in actions(world)


def test_what_nobody_foresaw_is_an_error_object_too(
    admin: TestClient, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sources, "pool", full)
    answer = admin.get("/pool")
    assert answer.status_code == 500
    assert "No space left" in answer.json()["error"]["message"]
