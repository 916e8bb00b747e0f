"""A real HTTP server that plays an engine: scripted byte by byte where a test needs it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

Script = Callable[["Seen", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """A request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def response(body: bytes, status: str = "200 OK", kind: str = "application/json", extra: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n{extra}\r\n"
    return head.encode() + body


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"


def event(text: str, identity: str = "chatcmpl-x", finish: str | None = None) -> bytes:
    delta = {"id": identity, "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"content": text}, "finish_reason": finish}]}  # fmt: skip
    return f"data: {json.dumps(delta, ensure_ascii=False)}\n\n".encode()


@dataclass
class Engine:
    """An engine on a port of its own; `script` takes over the answering of the next requests."""

    name: str
    loop: asyncio.AbstractEventLoop
    version: str | None = None
    """With one, any other `x-understudy-version` gets 409, as the middleware of our engines answers."""
    script: Script | None = None
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    closed: threading.Event = field(default_factory=threading.Event)
    """Set when a client closed a connection while its reply was under way."""
    delay: float = 0.0
    words: tuple[str, ...] = ("你好", ", ", "I am ", "{name}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        run(self.loop, self._start())

    def stop(self) -> None:
        run(self.loop, self._stop())

    async def _start(self) -> None:
        self._writers: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                await self._one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()
        finally:
            self._writers.discard(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        headers = {line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        seen = Seen(first.split(" ")[1], headers, body)
        self.seen.append(seen)
        answering = asyncio.ensure_future((self.script or self.answer)(seen, writer))
        watching = asyncio.ensure_future(reader.read(1)) if self.script or self.delay else None
        if watching is None:
            await answering
            return
        await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            self.closed.set()
            answering.cancel()
            raise ConnectionResetError
        watching.cancel()
        await asyncio.wait({watching})  # the reader is free only then
        answering.result()

    async def answer(self, seen: Seen, writer: asyncio.StreamWriter) -> None:
        given = seen.headers.get("x-understudy-version")
        if self.version is not None and given != self.version:
            error = {"error": {"message": "wrong version", "type": "conflict_error", "code": "version"}}
            writer.write(response(json.dumps(error).encode(), "409 Conflict"))
            return
        if seen.path.endswith("/models"):
            writer.write(response(json.dumps({"object": "list", "data": [{"id": self.name}]}).encode()))
            return
        words = [word.format(name=self.name) for word in self.words]
        identity = "chatcmpl-" + seen.headers["x-request-id"]
        if seen.json.get("stream"):
            writer.write(SSE_HEAD)
            for word in words:
                writer.write(chunk(event(word, identity)))
                await asyncio.sleep(self.delay)
            writer.write(chunk(event("", identity, "stop")) + chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
            await writer.drain()
            return
        await asyncio.sleep(self.delay)
        message = {"role": "assistant", "content": "".join(words)}
        reply = {"id": identity, "object": "chat.completion", "created": 1, "model": seen.json["model"],
                 "choices": [{"index": 0, "message": message, "text": "".join(words), "finish_reason": "stop"}],
                 "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}}  # fmt: skip
        writer.write(response(json.dumps(reply, ensure_ascii=False).encode()))
        await writer.drain()


def run(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], timeout: float = 60) -> Any:
    """Run a coroutine on the loop of another thread."""
    return asyncio.run_coroutine_threadsafe(work, loop).result(timeout)


def says(*steps: bytes | float | str) -> Script:
    """A script: bytes are sent, numbers are seconds, `close` and `reset` end the connection."""

    async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
        for step in steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, bytes):
                writer.write(step)
                await writer.drain()
            else:
                if step == "reset":
                    sock = writer.get_extra_info("socket")
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.close()
                raise ConnectionResetError

    return script
