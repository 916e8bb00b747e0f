"""The processes of the benchmark beside the load: the gateway, whose event loop is listened to, and the engines."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TICK = 0.002
"""Seconds between two looks at the event loop."""
REPLY = {"id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "x" * 300}, "finish_reason": "stop"}]}  # fmt: skip


def serve_gateway(config: str, port: int, pauses: str) -> None:
    """Run a gateway until SIGTERM; then the longest pause of its event loop, in seconds, is in the file `pauses`."""
    from serving.gateway.main import ServeOptions, run
    from understudy.config import load_config

    options = ServeOptions(Path(config), None, None, port, gateway_only=True)
    run(load_config(Path(config)), options, beside=lambda: listened(Path(pauses)))


@asynccontextmanager
async def listened(path: Path) -> AsyncIterator[None]:
    """Note how much later than wanted the event loop comes back, at worst; written at the end."""
    worst = [0.0]
    task = asyncio.create_task(_listen(worst))
    try:
        yield
    finally:
        task.cancel()
        path.write_text(json.dumps(worst[0]), "utf-8")  # noqa: ASYNC240  (at the end: nobody is served any more)


async def _listen(worst: list[float]) -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(TICK)
        worst[0] = max(worst[0], time.monotonic() - before - TICK)


def serve_engine(port: int, seconds: float) -> None:
    """Answer every completion after so many seconds, until killed."""
    import uvloop

    body = json.dumps(REPLY).encode()
    reply = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: *(\d+)", asked, re.IGNORECASE)
                await reader.readexactly(int(length.group(1)) if length else 0)
                await asyncio.sleep(seconds)
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def forever() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096, limit=1 << 20)
        await server.serve_forever()

    uvloop.run(forever())
