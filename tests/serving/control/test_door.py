"""Who comes in: the token before the body, and no body above the bound."""

from __future__ import annotations

from fastapi.testclient import TestClient
from starlette.types import Message

from serving.control.door import MAX_BODY
from tests.serving.control.conftest import TOKEN


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


def test_the_openapi_document_and_files_of_pages_are_public_and_nothing_else_is(admin: TestClient) -> None:
    admin.headers.pop("authorization")
    assert admin.get("/openapi.json").status_code == 200
    assert admin.get("/status").status_code == 401
    assert admin.get("/openapi.json/").status_code == 401
