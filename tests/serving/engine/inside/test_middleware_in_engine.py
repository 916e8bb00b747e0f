"""What a slot's engine answers, to whom, and for which version."""

from __future__ import annotations

import httpx
import pytest

from tests.engines import EARLIER, LATER, Engines

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]
CHAT = {"model": "student", "messages": [{"role": "user", "content": "请问我的订单什么时候到?"}], "max_tokens": 4}


def test_a_request_for_the_loaded_version_is_answered_and_names_it(engines: Engines) -> None:
    response = httpx.post(
        engines.url("student-a") + "/v1/chat/completions", json=CHAT, headers=engines.headers(EARLIER), timeout=60
    )
    assert response.status_code == 200, response.text
    assert response.headers["x-understudy-loaded"] == EARLIER
    assert response.json()["choices"][0]["finish_reason"] in ("length", "stop")


@pytest.mark.parametrize(("version", "code"), [(LATER, "version_mismatch"), (None, "version_required")])
def test_another_or_no_version_is_refused_before_work(engines: Engines, version: str | None, code: str) -> None:
    response = httpx.post(
        engines.url("student-a") + "/v1/chat/completions", json=CHAT, headers=engines.headers(version), timeout=60
    )
    assert response.status_code == 409
    assert response.json()["error"]["code"] == code


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/understudy/state", "/v1/chat/completions", "/tokenize"])
def test_without_a_key_nothing_is_told(engines: Engines, path: str) -> None:
    method = "GET" if path in ("/v1/models", "/metrics", "/understudy/state") else "POST"
    response = httpx.request(method, engines.url("teacher") + path, timeout=60)
    assert response.status_code == 401


@pytest.mark.parametrize(
    "path",
    ["/invocations", "/collective_rpc", "/pause", "/scale_elastic_ep", "/v1/responses", "/docs", "/v1/models/"],
)
def test_routes_that_are_not_on_the_list_do_not_exist(engines: Engines, path: str) -> None:
    response = httpx.post(engines.url("teacher") + path, json={}, headers=engines.headers("t1"), timeout=60)
    assert response.status_code == 404


def test_the_gateways_key_does_not_control(engines: Engines) -> None:
    url = engines.url("teacher") + "/understudy/close"
    response = httpx.post(url, json={}, headers=engines.headers(), timeout=60)
    assert response.status_code == 401
