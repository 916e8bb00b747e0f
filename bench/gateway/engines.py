"""An engine for benchmarks, in Python: one event loop that answers on kept connections until it is killed."""

from __future__ import annotations

import asyncio
import json
import re

REPLY = {"id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "x" * 300}, "finish_reason": "stop"}]}  # fmt: skip


def serve_whole(port: int, seconds: float) -> None:
    """Answer each request after so many seconds, in one piece."""
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

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096, limit=1 << 20)
        await server.serve_forever()

    uvloop.run(run())
