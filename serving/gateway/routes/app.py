"""Everything of the data plane that is not hot: models, feedback, embeddings, health, readiness, metrics."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from feedback.kpis.config import KpisConfig
from feedback.outbox.outbox import late
from serving.gateway.completion.context import CHAT, COMPLETIONS
from serving.gateway.http import wire
from serving.gateway.keys import bearer_of
from serving.gateway.routes.bodies import read_body
from serving.gateway.routes.described import describe
from serving.gateway.routes.embeddings import Embeddings
from serving.gateway.routes.feedback import parse_feedback
from serving.gateway.routes.figures import GatewayFigures
from serving.gateway.routes.limited import limited
from serving.gateway.routing import model_names
from serving.gateway.service import Gateway
from understudy import __version__
from understudy.errors import NotFound, Unauthorized, Unavailable, UnderstudyError
from understudy.telemetry.door import REFUSAL, MetricsDoor
from understudy.telemetry.metrics import CONTENT_TYPE

MAX_FEEDBACK = 64 << 10
STORE_SECONDS = 5.0
"""How long feedback waits for its place on disk."""
OTHER_METHODS = ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]


def build_app(
    gateway: Gateway, kpis: KpisConfig, embedder: Embeddings | None = None, door: MetricsDoor | None = None
) -> FastAPI:
    """The ASGI application beside the completion endpoints, which the protocol takes over.

    `door` says who may read metrics; without one this machine alone, and who has `UNDERSTUDY_METRICS_TOKEN`.
    """
    door = door or MetricsDoor()
    app = FastAPI(
        title="Understudy data plane", version=__version__, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    _add_errors(app)
    _add_probes(app, gateway, door)
    _add_refusals(app)
    _add_models(app, gateway)
    describe(app)

    @app.post("/v1/feedback", status_code=202)
    async def feedback(request: Request) -> dict[str, Any]:
        tenant = gateway.keys.tenant(_bearer(request))
        raw = await read_body(request, gateway, MAX_FEEDBACK, "feedback")
        event = parse_feedback(raw, tenant, kpis, time.time())
        if gateway.outbox is None or not gateway.capture:
            raise Unavailable(
                "feedback is not taken: this gateway has no bus that would carry it (set redis.url or bus.url), or its "
                "spool could not be opened; its log says which", code="no_bus",
            )  # fmt: skip
        try:
            await asyncio.wait_for(asyncio.wrap_future(gateway.outbox.store(event)), STORE_SECONDS)
        except TimeoutError:
            raise late() from None
        gateway.metrics.events["feedback"] += 1
        return {"id": event.id, "object": "feedback", "accepted": True}

    @app.post("/v1/embeddings")
    async def embeddings(request: Request) -> Response:
        tenant = gateway.keys.tenant(_bearer(request))
        if embedder is None:
            raise NotFound("no engine for embeddings is configured: set engines.embeddings", code="no_embeddings")
        return await limited(request, gateway, tenant, embedder)

    return app


def _add_refusals(app: FastAPI) -> None:
    """The completion endpoints by another method than POST, which alone the protocol takes over."""

    async def refuse() -> None:
        raise HTTPException(405, "use POST", {"allow": "POST"})

    for path in (CHAT, COMPLETIONS):
        app.add_api_route(path.decode(), refuse, methods=OTHER_METHODS, include_in_schema=False)


def _add_models(app: FastAPI, gateway: Gateway) -> None:
    @app.get("/v1/models")
    async def models(request: Request) -> dict[str, Any]:
        gateway.keys.tenant(_bearer(request))
        return {"object": "list", "data": [_model(name) for name in model_names(gateway.snapshot.document)]}

    @app.get("/v1/models/{name:path}")
    async def model(name: str, request: Request) -> dict[str, Any]:
        gateway.keys.tenant(_bearer(request))
        if name not in model_names(gateway.snapshot.document):
            raise NotFound(f"the model `{name}` does not exist or is not loaded", code="model_not_found")
        return _model(name)


def _add_probes(app: FastAPI, gateway: Gateway, door: MetricsDoor) -> None:
    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/ready")
    async def ready() -> JSONResponse:
        document = gateway.snapshot.document
        faults = await gateway.answering.faults(document, gateway.snapshot.engine_key)
        serves = "" in faults.values()
        body = {
            "ready": serves, "epoch": document.epoch, "models": model_names(document) if serves else [],
            "arms": {arm: fault or "answers" for arm, fault in faults.items()},
        }  # fmt: skip
        headers = None if serves else {"retry-after": "1"}
        return JSONResponse(body, 200 if serves else 503, headers)

    figures = GatewayFigures(gateway)

    @app.get("/metrics")
    async def metrics(request: Request) -> Response:
        peer = None if request.client is None else request.client.host
        if not door.lets(peer, request.headers):
            raise Unauthorized(REFUSAL, code="metrics_token")
        return Response(await figures.page(), media_type=CONTENT_TYPE)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(_STARTED), "owned_by": "understudy"}


_STARTED = time.time()


def _bearer(request: Request) -> str:
    return bearer_of(request.headers.get("authorization", ""))


def _add_errors(app: FastAPI) -> None:
    """Answer by OpenAI's error objects, whatever went wrong."""

    @app.exception_handler(UnderstudyError)
    async def ours(request: Request, error: UnderstudyError) -> Response:
        headers = {"retry-after": str(getattr(error, "seconds", 1))} if error.status in (429, 503) else None
        return Response(wire.error_bytes(error), error.status, headers, "application/json")

    @app.exception_handler(HTTPException)
    async def theirs(request: Request, error: HTTPException) -> Response:
        code = {404: "unknown_url", 405: "method_not_allowed"}.get(error.status_code)
        message = f"{request.method} {request.url.path}: {error.detail}"
        body = wire.error_object(message, "invalid_request_error", None, code)
        return Response(body, error.status_code, error.headers, "application/json")

    @app.exception_handler(Exception)
    async def any_other(request: Request, error: Exception) -> Response:
        fault = UnderstudyError("the gateway failed; its log says why")
        return Response(wire.error_bytes(fault), fault.status, media_type="application/json")
