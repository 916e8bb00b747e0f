"""Sends requests at the instants at which they are due, whatever became of earlier ones, over kept connections."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.breaker.judging import compliant
from bench.breaker.traffic import Due
from bench.gateway.requests import KEY, PATH

PATIENCE = 60.0
LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
Wire = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request; seconds from the instant at which it was due to the first byte of the reply."""

    due: Due
    first_byte: float
    status: int
    """0: no reply came."""
    degraded: str
    """The cause; empty of a request that an engine answered."""
    compliant: bool


async def drive(port: int, dues: Sequence[Due]) -> list[Answered]:
    """Send all of `dues` to the gateway at `port`; returns when the last is answered."""
    idle: list[Wire] = []
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.5
    waiting: list[asyncio.Task[Answered]] = []
    for due in dues:
        await asyncio.sleep(max(0.0, began + due.at - loop.time()))
        waiting.append(asyncio.create_task(_ask(port, due, began + due.at, idle)))
    found = await asyncio.gather(*waiting)
    for _, writer in idle:
        writer.close()
    return found


async def _ask(port: int, due: Due, instant: float, idle: list[Wire]) -> Answered:
    try:
        async with asyncio.timeout(PATIENCE):
            wire = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            found = await _exchange(wire, due, instant)
            idle.append(wire)
            return found
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return Answered(due, asyncio.get_running_loop().time() - instant, 0, "", False)


async def _exchange(wire: Wire, due: Due, instant: float) -> Answered:
    reader, writer = wire
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {KEY}\r\ncontent-type: application/json\r\n"
        f"x-understudy-user: {due.user}\r\ncontent-length: {len(due.body)}\r\n\r\n"
    )
    writer.write(head.encode() + due.body)
    await reader.readexactly(1)
    first = asyncio.get_running_loop().time() - instant
    raw = await reader.readuntil(b"\r\n\r\n")
    lines = raw.decode("latin-1").strip().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    body = await _body(reader, raw)
    status, degraded = int(lines[0].split(" ")[1]), headers.get("x-understudy-degraded", "")
    return Answered(due, first, status, degraded, bool(degraded) and compliant(status, headers, body, due.stream))


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    length = LENGTH.search(head)
    if length is not None:
        return await reader.readexactly(int(length.group(1)))
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(parts)
