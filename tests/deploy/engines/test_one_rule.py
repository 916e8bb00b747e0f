"""Whoever asks an engine reaches the same path: one rule, whatever the address that the user gave."""

from __future__ import annotations

import asyncio
import json
import threading
from argparse import Namespace
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from deploy.routing.document import EXTERNAL, RouterConfig, RoutingDocument, SlotView
from deploy.routing.stores import open_routing
from feedback.store.config import RedisConfig
from online_distill.data.encoding import Encoded
from online_distill.teacher.scorer import EngineScorer
from serving.controller import build
from serving.doctor import external_engine_faults
from serving.engine.config import EnginesConfig
from serving.gateway.config import GatewayConfig
from serving.gateway.pool.endpoint import parse_url
from serving.gateway.routes.embeddings import Embeddings
from serving.replay import address
from serving.worker import EngineDirectory
from understudy.config import Config
from understudy.state import StateDir

ADDRESSES = [
    ("", "/v1"), ("/", "/v1"), ("/v1", "/v1"), ("/v1/", "/v1"), ("/proxy/v1", "/proxy/v1"),
    ("/v1beta/openai", "/v1beta/openai"), ("/v1beta/openai/", "/v1beta/openai"), ("/api/v3", "/api/v3"),
    ("/compatible-mode/v1", "/compatible-mode/v1"),
]  # fmt: skip
"""What stands behind host and port, and where the API lies then."""
ASK = [{"role": "user", "content": "x"}]
CHOICE = {"index": 0, "message": {"content": "y"}, "finish_reason": "stop",
          "prompt_logprobs": [None, {"5": {"logprob": -1.0, "rank": 1}}]}  # fmt: skip
ANSWER = {"choices": [CHOICE], "usage": {}, "data": [{"id": "big"}]}


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """Base address of a server without its path, and the paths that were asked."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw = json.dumps(ANSWER).encode()
            self.rfile.read(int(self.headers.get("content-length", 0)))
            paths.append(self.path)
            self.send_response(200)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        do_POST = do_GET

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", paths
    server.shutdown()
    server.server_close()


def engines(url: str) -> EnginesConfig:
    return EnginesConfig.model_validate({name: {"url": url, "model": "big"} for name in ("teacher", "embeddings")})


def by_doctor(url: str, tmp_path: Path) -> None:
    assert not list(external_engine_faults(Config({"engines": {"teacher": {"url": url, "model": "big"}}})))


def by_embeddings(url: str, tmp_path: Path) -> None:
    async def ask() -> None:
        engine = engines(url).embeddings
        assert engine is not None
        made = Embeddings(engine, GatewayConfig())
        await made.forward(b'{"model": "x"}')
        await made.close()

    asyncio.run(ask())


def by_worker(url: str, tmp_path: Path) -> None:
    async def ask() -> None:
        directory = EngineDirectory(
            open_routing(StateDir(tmp_path), None).documents, engines(url), RouterConfig(), "key"
        )
        await directory.refresh()
        arms = directory.arms()
        assert arms is not None
        assert arms.teacher is not None
        await arms.teacher.engine.chat(ASK, version=EXTERNAL, max_tokens=1)
        await directory.close()

    asyncio.run(ask())


def by_scorer(url: str, tmp_path: Path) -> None:
    slot = SlotView(desired=EXTERNAL, version=EXTERNAL, ready=True, url=url, model="big")
    scorer = EngineScorer(lambda: slot, None, EXTERNAL, top_k=1, deadline=5.0)
    scorer.score([Encoded([4, 5], start=1)])
    scorer.close()


@pytest.mark.parametrize(("path", "base"), ADDRESSES)
@pytest.mark.parametrize(
    ("ask", "last"),
    [(by_doctor, "/models"), (by_embeddings, "/embeddings"), (by_worker, "/chat/completions"),
     (by_scorer, "/completions")],
)  # fmt: skip
def test_everybody_who_asks_finds_the_api(
    asked: tuple[str, list[str]], tmp_path: Path, ask: Callable[[str, Path], Any], last: str, path: str, base: str
) -> None:
    server, paths = asked
    ask(server + path, tmp_path)
    assert paths[-1] == base + last


@pytest.mark.parametrize(
    ("ask", "last"),
    [(by_doctor, "/models"), (by_embeddings, "/embeddings"), (by_worker, "/chat/completions"),
     (by_scorer, "/completions")],
)  # fmt: skip
def test_a_query_of_the_base_url_goes_with_every_request(
    asked: tuple[str, list[str]], tmp_path: Path, ask: Callable[[str, Path], Any], last: str
) -> None:
    server, paths = asked
    ask(f"{server}/openai/?api-version=2024-10-21", tmp_path)
    assert paths[-1] == f"/openai{last}?api-version=2024-10-21"


@pytest.mark.parametrize(("path", "base"), ADDRESSES)
def test_the_gateway_finds_it_by_configuration_and_by_document_and_replay_finds_the_gateway(
    tmp_path: Path, path: str, base: str
) -> None:
    given = Config({"engines": {"teacher": {"url": f"http://h:1{path}", "model": "big"}}})
    assert parse_url(f"http://h:1{path}").prefix == base
    assert address(Namespace(url=f"http://h:1{path}")) == f"http://h:1{base}"
    conductor, _ = build(given, StateDir(tmp_path), RedisConfig())
    slot = conductor.deployment.settings.teacher
    assert slot is not None
    written = RoutingDocument.model_validate_json(RoutingDocument(slots={"teacher": slot}).model_dump_json())
    assert parse_url(written.slots["teacher"].url).prefix == base
