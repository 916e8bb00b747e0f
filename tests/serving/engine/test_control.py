"""What the agent makes of an answer that is none of its engine's."""

from __future__ import annotations

import httpx
import pytest

from serving.engine.control import EngineAway, EngineControl


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[]", b'{"version": "v1"}'])
async def test_another_program_on_the_port_is_an_engine_that_is_away(body: bytes) -> None:
    control = EngineControl("http://127.0.0.1:1", "key", "student")
    answers = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    control._engine._http = httpx.AsyncClient(transport=answers)
    with pytest.raises(EngineAway, match="not that of an engine"):
        await control.state()
    with pytest.raises(EngineAway, match="not that of an engine"):
        await control.load("/v1", "v1", {}, 1.0)
    await control.aclose()
