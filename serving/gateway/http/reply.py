"""The reply on its way to the client: our head, the engine's bytes, and an end that says how it ended."""

from __future__ import annotations

import asyncio

from serving.gateway.http import wire
from serving.gateway.http.events import EventGate
from serving.gateway.http.wire import Headers


class ClientReply:
    """One reply that has begun. Chunks are framed anew, so that an error event can follow any of them.

    `follows`: bytes of the body are passed next, so that the head goes with them.
    """

    def __init__(
        self, transport: asyncio.Transport, ours: list[bytes], status: int, headers: Headers,
        keep_alive: bool, http10: bool, follows: bool = False,
    ) -> None:  # fmt: skip
        self.status = status
        self.ttft: float | None = None
        """Seconds from the request to the first byte of the body."""
        self.chunks: list[bytes] = []
        """Copy of the body, up to a limit."""
        self.overflow = False
        self._copied = 0
        self._follows, self._held = follows, b""
        self._transport = transport
        names = dict(headers)
        length = names.get(b"content-length")
        self._framed_by_engine = length is not None or b"transfer-encoding" in names
        self._sized = length is not None or status in (204, 304)
        self._chunked = not self._sized and not http10
        self.sse = names.get(b"content-type", b"").lower().startswith(b"text/event-stream")
        plain = names.get(b"content-encoding", b"identity") == b"identity"
        self._gate = EventGate() if self.sse and plain and not self._sized else None
        self.keep_alive = keep_alive and (self._sized or self._chunked)
        self._begin(ours, headers, length)

    def _begin(self, ours: list[bytes], headers: Headers, length: bytes | None) -> None:
        lines = [wire.status_line(self.status), *wire.passed_headers(headers), *ours]
        if length is not None:
            lines.append(b"content-length: " + length + b"\r\n")
        elif self._chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        self._held = b"".join(lines)
        if not self._follows:
            self._send(b"")

    def body(self, data: bytes, limit: int) -> None:
        """Pass `data` on; keep at most `limit` bytes of the body."""
        if self._copied <= limit:
            self._copied += len(data)
            if self._copied <= limit:
                self.chunks.append(data)
            else:
                self.overflow = True
        if self._gate is not None:
            data = self._gate.feed(data)
        self._write(data)

    def _write(self, data: bytes) -> None:
        self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked and data else data)

    def _send(self, data: bytes) -> None:
        """Write `data`, and the head before it where that has waited."""
        if self._held:
            data, self._held = self._held + data, b""
        if data:
            self._transport.write(data)

    @property
    def told(self) -> bool:
        """Whether the final event of a stream has passed, after which a client may leave."""
        return self._gate is not None and self._gate.ended

    def cut_short(self) -> bool:
        """Whether a stream that only the engine's closing ends lacks its final event."""
        return self._gate is not None and not self._framed_by_engine and not self._gate.ended

    def end(self) -> None:
        """The engine's reply is complete."""
        if self._gate is not None:
            self._write(self._gate.rest())
        self._send(b"0\r\n\r\n" if self._chunked else b"")

    def broken(self, why: str, code: str = "upstream_broken") -> None:
        """The reply cannot be completed: an error event in a stream, a cut connection in any other."""
        if self._gate is None:
            self._transport.abort()
            return
        error = wire.error_object(why, "server_error", None, code)
        self._write(b"data: " + error + b"\n\n")
        self._send(b"0\r\n\r\n" if self._chunked else b"")
