"""How the commands reach a control plane, and what they say when it is none, or says no."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from serving.control import client
from serving.control.client import URL_ENV, Admin, NotRunning, Refused
from serving.control.token import ENV
from tests.serving.up.server import served
from trials.system import free_ports
from understudy.files import write_json
from understudy.state import StateDir


async def answer(request: Request) -> Response:
    if request.headers["authorization"] != "Bearer sesame":
        told = {"message": "wrong token", "type": "invalid_request_error", "param": "token", "code": "invalid_api_key"}
        return JSONResponse({"error": told}, 401)
    if request.url.path.endswith("/plain"):
        return PlainTextResponse("hello")
    return JSONResponse({"query": dict(request.query_params)})


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDir:
    """A state directory with a token and no address."""
    monkeypatch.delenv(URL_ENV, raising=False)
    monkeypatch.delenv(ENV, raising=False)
    made = StateDir(tmp_path)
    made.run.mkdir()
    made.admin_token.write_text("sesame\n")
    return made


def test_the_controller_that_leads_says_where_it_is_before_the_addresses_of_up(state: StateDir) -> None:
    with served(Starlette(routes=[Route("/admin/v1/{path:path}", answer)])) as url:
        write_json(state.addresses, {"control": "http://127.0.0.1:9"})
        write_json(state.control, {"url": url, "pid": 1})
        assert Admin(state.root).get("/kpis") == {"query": {}}


def test_address_and_token_come_from_the_state_directory_or_before_it_from_the_environment(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(Starlette(routes=[Route("/admin/v1/{path:path}", answer)])) as url:
        write_json(state.addresses, {"control": url})
        assert Admin(state.root).get("/kpis", by="arm", after=None) == {"query": {"by": "arm"}}
        with pytest.raises(Refused, match="without JSON"):
            Admin(state.root).get("/plain")
        monkeypatch.setenv(ENV, "another")
        with pytest.raises(Refused, match=r"^wrong token$") as refusal:
            Admin(state.root).get("/kpis")
        told = refusal.value
        assert (told.kind, told.code, told.param) == ("invalid_request_error", "invalid_api_key", "token")
        (nobody,) = free_ports(1)
        monkeypatch.setenv(URL_ENV, f"http://127.0.0.1:{nobody}")
        with pytest.raises(NotRunning, match=str(nobody)):
            Admin(state.root).get("/kpis")


def test_where_nothing_listens_any_more_the_message_says_how_to_start_it_there(
    state: StateDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nobody,) = free_ports(1)
    monkeypatch.setattr(client, "DEFAULT_URL", f"http://127.0.0.1:{nobody}")
    with pytest.raises(NotRunning, match=f"understudy up --state {state.root}`, name another directory"):
        Admin(state.root).get("/kpis")


def test_without_a_token_nothing_runs_there(state: StateDir) -> None:
    state.admin_token.unlink()
    with pytest.raises(NotRunning, match="understudy up --state"):
        Admin(state.root)
