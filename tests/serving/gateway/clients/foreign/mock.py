"""OpenAI's API as its published schema describes it, with fixed words: `python -m ... PORT` serves it.

For the tests of OpenAI's own client, which ask for nothing but the shape of replies.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}
MESSAGE = {"role": "assistant", "content": "Good day", "refusal": None}


def whole(chat: bool, model: str) -> dict[str, Any]:
    """A reply."""
    body = {"message": MESSAGE} if chat else {"text": "Good day"}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, **body}
    named = ("chatcmpl-1", "chat.completion") if chat else ("cmpl-1", "text_completion")
    return {
        "id": named[0], "object": named[1], "created": 1700000000, "model": model, "choices": [choice], "usage": USAGE,
    }  # fmt: skip


def parts(chat: bool, model: str) -> list[dict[str, Any]]:
    """The same reply as a stream brings it."""
    found = []
    for word, reason in (("Good", None), (" day", None), ("", "stop")):
        body: dict[str, Any] = {"delta": {"content": word}} if chat else {"text": word}
        choice = {"index": 0, "finish_reason": reason, "logprobs": None, **body}
        reply = {**whole(chat, model), "choices": [choice]}
        reply.pop("usage")
        found.append({**reply, "object": "chat.completion.chunk"} if chat else reply)
    return found


async def complete(request: Request) -> Response:
    """Either endpoint, whole or as a stream."""
    asked, chat = await request.json(), "chat" in request.url.path
    if not asked.get("stream"):
        return JSONResponse(whole(chat, asked["model"]))

    def events() -> Iterator[str]:
        for part in parts(chat, asked["model"]):
            yield f"data: {json.dumps(part)}\n\n"
        yield "data: [DONE]\n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


async def embed(request: Request) -> Response:
    """Embeddings; the schema knows numbers alone, whatever encoding is asked for."""
    asked = await request.json()
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    data = [{"object": "embedding", "index": 0, "embedding": [1.0, 2.0]}]
    return JSONResponse({"object": "list", "data": data, "model": asked["model"], "usage": usage})


async def models(request: Request) -> Response:
    """The one model."""
    return JSONResponse({"object": "list", "data": [
        {"id": "gpt", "object": "model", "created": 1700000000, "owned_by": "openai"},
    ]})  # fmt: skip


app = Starlette(routes=[
    Route("/v1/chat/completions", complete, methods=["POST"]),
    Route("/v1/completions", complete, methods=["POST"]),
    Route("/v1/embeddings", embed, methods=["POST"]),
    Route("/v1/models", models),
])  # fmt: skip


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
