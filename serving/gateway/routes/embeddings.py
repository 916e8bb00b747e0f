"""POST /v1/embeddings: passed to `engines.embeddings`, off the hot path; only the value of `model` changes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import httpx
import msgspec
from fastapi.responses import StreamingResponse

from deploy.engines.address import api_url
from deploy.engines.external import ExternalEngine
from deploy.engines.names import EMBEDDINGS
from deploy.engines.striking import is_secret, struck
from serving.gateway.body.parser import split_model
from serving.gateway.completion.masking import MaskedKey
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import BadGateway, GatewayTimeout, TooMany
from understudy.errors import BadRequest

log = logging.getLogger("understudy.gateway")
CONNECTIONS = 64
"""Requests under way at once; one more waits `gateway.connect_seconds`, then gets 429."""
_PASSED = ("content-type", "content-length", "content-encoding", "retry-after")


class _Given(msgspec.Struct):
    model: str


_decoder = msgspec.json.Decoder(_Given)


class Embeddings:
    """Passes requests to one engine that somebody else runs; `close` it at the end."""

    def __init__(self, engine: ExternalEngine, config: GatewayConfig) -> None:
        self._url = api_url(engine.url, EMBEDDINGS)
        self._model = msgspec.json.encode(engine.model)
        self._headers = {"content-type": "application/json", "accept-encoding": "identity"}
        self._key = engine.key
        if key := self._key:
            self._headers["authorization"] = f"Bearer {key}"
        wait = config.connect_seconds
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(config.first_byte_seconds, connect=wait, pool=wait),
            limits=httpx.Limits(max_connections=CONNECTIONS, keepalive_expiry=config.reuse_seconds),
            trust_env=False,
        )

    async def forward(self, body: bytes) -> StreamingResponse:
        """The engine's answer to `body`, whatever its status, streamed.

        Raises:
            BadRequest: not JSON, or `model` is no string.
            BadGateway, GatewayTimeout, TooMany: the engine does not answer, is slow, or has too much to do.
        """
        request = self._client.build_request("POST", self._url, content=self._spliced(body), headers=self._headers)
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.PoolTimeout:
            raise TooMany(f"{CONNECTIONS} requests for embeddings are under way; try again in a moment") from None
        except httpx.ConnectTimeout:
            raise BadGateway("the engine for embeddings cannot be reached; try again in a moment") from None
        except httpx.TimeoutException:
            raise GatewayTimeout("the engine for embeddings did not begin its answer in time") from None
        except httpx.HTTPError as error:
            raise BadGateway(f"the engine for embeddings did not answer: {type(error).__name__}") from None
        if answer.status_code in (401, 403):
            await answer.aclose()
            log.warning("the engine for embeddings answered %d: it refuses our key", answer.status_code)
            raise BadGateway("the engine for embeddings refuses the gateway's key; tell its operator")
        headers = {name: struck(answer.headers[name], self._key) for name in _PASSED if name in answer.headers}
        return StreamingResponse(_chunks(answer, self._key), answer.status_code, headers)

    def _spliced(self, body: bytes) -> bytes:
        try:
            _decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise BadRequest("the body must be one JSON object that names a model", param="model") from None
        return self._model.join(split_model(body))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _chunks(answer: httpx.Response, key: str) -> AsyncIterator[bytes]:
    """The answer without our key; a client that goes away, or an engine that breaks off, closes both sides."""
    masked = MaskedKey(key.encode()) if is_secret(key) else None
    try:
        async for part in answer.aiter_raw():
            yield part if masked is None else masked.feed(part)
        if masked is not None:
            yield masked.rest()
    finally:
        await answer.aclose()
