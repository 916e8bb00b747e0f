"""A steady load on one gateway, each request in a session of its own, and the stub engine that answers behind it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import defaultdict
from collections.abc import Sequence

CONNECTIONS = 16
PATH = "/v1/chat/completions"
ASKED = json.dumps({"model": "teacher", "messages": [{"role": "user", "content": "When will my parcel come? " * 8}]})
SAID = json.dumps({
    "id": "chatcmpl-0", "object": "chat.completion", "created": 1, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Tomorrow. " * 30}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 50, "completion_tokens": 60, "total_tokens": 110},
})  # fmt: skip
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


class SteadyLoad:
    """Requests to `port` as `give` hands them out; what became of each, by phase."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self.phase = ""
        self.seconds: dict[str, list[float]] = defaultdict(list)
        """From a request's first byte to its reply's last, by phase."""
        self.answered: set[str] = set()
        """Sessions of the requests that were answered with 200."""
        self.failed = 0
        self._port = port
        self._given: asyncio.Queue[str | None] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Open the connections."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(CONNECTIONS)]

    def give(self, number: int) -> None:
        """Send request `number` as soon as a connection is free."""
        self._given.put_nowait(f"{self.name}-{number}")

    async def end(self) -> None:
        """Wait until all are answered, and close."""
        for _ in self._workers:
            self._given.put_nowait(None)
        await asyncio.gather(*self._workers)

    async def _work(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while (session := await self._given.get()) is not None:
            began, phase = time.perf_counter(), self.phase
            try:
                writer.write(_request(session))
                status = await _reply(reader)
            except (OSError, asyncio.IncompleteReadError):
                self.failed += 1
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                continue
            self.seconds[phase].append(time.perf_counter() - began)
            if status == 200:
                self.answered.add(session)
            else:
                self.failed += 1
        writer.close()


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """`requests`, and p50, p99 and max in milliseconds; 0 without any."""
    ordered = sorted(seconds) or [0.0]
    at = {"p50": len(ordered) // 2, "p99": len(ordered) * 99 // 100, "max": -1}
    return {"requests": len(seconds), **{name: round(1000 * ordered[place], 3) for name, place in at.items()}}


def stub_engine(port: int) -> None:
    """Answer every request with the same completion, until killed."""
    reply = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(SAID)}\r\n\r\n{SAID}".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _message(reader)
                writer.write(reply)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    asyncio.run(run())


def _request(session: str) -> bytes:
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: gateway\r\ncontent-type: application/json\r\n"
        f"x-understudy-session: {session}\r\ncontent-length: {len(ASKED)}\r\n\r\n"
    )
    return (head + ASKED).encode()


async def _reply(reader: asyncio.StreamReader) -> int:
    return int((await _message(reader)).split(b" ", 2)[1])


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read one message of HTTP/1.1 that gives its length; returns its head."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = LENGTH.search(head)
    await reader.readexactly(int(length.group(1)) if length else 0)
    return head
