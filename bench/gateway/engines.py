"""Engines for benchmarks, in Python: one event loop that answers on kept connections until it is killed."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable

REPLY = {"id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "x" * 300}, "finish_reason": "stop"}]}  # fmt: skip
EVENT = {"id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
    {"index": 0, "delta": {"content": " token"}, "finish_reason": None}]}  # fmt: skip


def serve_whole(port: int, seconds: float) -> None:
    """Answer each request after so many seconds, in one piece."""
    body = json.dumps(REPLY).encode()
    reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    async def answer(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(reply)

    _serve(port, answer)


def serve_streams(port: int, events: int) -> None:
    """Answer each request by so many events, each a write of its own."""
    event = f"data: {json.dumps(EVENT)}\n\n".encode()
    part = b"%x\r\n%b\r\n" % (len(event), event)
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for _ in range(events):
            writer.write(part)
            await asyncio.sleep(0)
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

    _serve(port, answer)


def _serve(port: int, answer: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
    import uvloop

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", asked, re.IGNORECASE)
                await reader.readexactly(int(length.group(1)) if length else 0)
                await answer(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096, limit=1 << 20)
        await server.serve_forever()

    uvloop.run(run())
