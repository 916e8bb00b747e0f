"""The control plane's routes over a conductor in this process: who comes in, and what a refusal looks like."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from starlette.types import Message

from serving.control import printing
from serving.control.door import MAX_BODY
from serving.control.replies.rounds import RoundAbortedReply
from serving.control.replies.versions import FrozenReply
from serving.control.sources import Sources
from tests.deploy.fleet import Moving, World, actions, to_canary
from tests.serving.control.conftest import TOKEN
from tests.waiting import eventually


async def passed(admin: TestClient, headers: dict[str, str], body: list[Message]) -> tuple[int, int]:
    """Status of a `POST freeze` with these messages as its body, and how many of them were read."""
    sent: list[Message] = []
    left = iter(body)
    read = 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return next(left)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "POST", "path": "/admin/v1/freeze", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await admin.app(scope, receive, send)
    assert sent[0]["type"] == "http.response.start"
    return sent[0]["status"], read


async def test_nothing_of_a_body_is_read_without_the_token_or_when_it_announces_too_much(admin: TestClient) -> None:
    part: Message = {"type": "http.request", "body": b"x" * 65_536, "more_body": True}
    token = {"authorization": f"Bearer {TOKEN}"}
    assert await passed(admin, {"authorization": "Bearer wrong"}, [part]) == (401, 0)
    assert await passed(admin, {**token, "content-length": str(10**11)}, [part]) == (413, 0)
    assert await passed(admin, token, [part] * 1000) == (413, MAX_BODY // 65_536 + 1)


def test_a_body_below_the_bound_arrives_whole(admin: TestClient) -> None:
    body = '{"what": "learning"' + " " * (MAX_BODY - 20) + "}"
    assert admin.post("/freeze", content=body).json() == {"frozen": ["learning"]}


def test_the_openapi_document_is_public_and_nothing_else_is(admin: TestClient) -> None:
    admin.headers.pop("authorization")
    assert admin.get("/openapi.json").status_code == 200
    assert admin.get("/status").status_code == 401
    assert admin.get("/openapi.json/").status_code == 401


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


def test_without_an_audit_log_a_freeze_takes_place_with_a_warning_and_the_rest_is_refused(
    admin: TestClient, world: World, sources: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(sources, "request_round", done.append)
    monkeypatch.setattr(sources, "purge", done.append)
    world.state.audit.rename(world.state.audit.with_name("away"))
    world.state.audit.mkdir()
    assert admin.post("/rounds").status_code == 503
    assert admin.delete("/pool", params={"tenant": "acme"}).status_code == 503
    assert done == []
    answer = admin.post("/freeze", json={"what": "student"}).json()
    assert answer["frozen"] == ["student"]
    assert "audit" in answer["warning"]
    assert answer["warning"] in printing.frozen(FrozenReply.model_validate(answer))


def test_a_candidate_that_a_promotion_takes_back_is_named_with_why_its_round_ended(
    admin: TestClient, world: World
) -> None:
    candidate = world.candidate()
    to_canary(world, candidate)
    with Moving(world):
        answer = admin.post("/promote", json={"version": "v1"}).json()
        assert answer["taken_back"] == {"version": candidate, "round": 1}
        eventually(lambda: admin.get("/rounds").json()["rounds"][0]["ended"] == "promote to v1 by operator")
        assert "taken_back" not in admin.post("/promote", json={"version": "v2"}).json()


def test_status_says_what_a_round_waits_for(admin: TestClient, world: World) -> None:
    to_canary(world, world.candidate())
    assert admin.get("/status").json()["round"]["waits"] is None
    admin.post("/freeze", json={"what": "promotion"})
    assert "understudy resume promotion" in admin.get("/status").json()["round"]["waits"]


def test_who_asks_for_a_round_hears_what_it_waits_for(admin: TestClient, world: World) -> None:
    assert admin.post("/rounds").json()["waits"] is None
    admin.post("/freeze", json={"what": "learning"})
    assert "learning is frozen" in admin.post("/rounds").json()["waits"]
    admin.post("/resume", json={"what": "learning"})
    world.candidate()
    assert "round 1 is at gate" in admin.post("/rounds").json()["waits"]


def test_a_round_is_aborted_by_number_or_as_the_one_under_way(admin: TestClient, world: World) -> None:
    assert admin.post("/rounds/abort").status_code == 404
    candidate = world.candidate()
    to_canary(world, candidate)
    assert admin.post("/rounds/abort", json={"round": 7}).status_code == 404
    answer = admin.post("/rounds/abort", json={"round": 1}).json()
    assert (answer["round"], answer["stage"], answer["candidate"]) == (1, "canary", candidate)
    assert (
        printing.aborted(RoundAbortedReply.model_validate(answer))
        == f"round 1 ended at canary: aborted by operator; candidate {candidate} was taken back"
    )
    assert admin.get("/rounds").json()["rounds"][0]["ended"] == "aborted by operator"
    assert admin.post("/rounds/abort", json={"round": 1}).status_code == 409
