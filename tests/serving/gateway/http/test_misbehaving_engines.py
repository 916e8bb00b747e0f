"""A soak: engines that do whatever goes wrong, clients that send in pieces and leave, each request with a mark.

h11 reads what clients get. No mark may reach another client, every request has an end, no descriptor and no memory is
left behind.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import json
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable

import h11
import psutil
import pytest

from tests.serving.gateway.conftest import Running, document
from tests.serving.gateway.upstream import SSE_HEAD, Engine, Seen, chunk, event, response, says
from tests.waiting import eventually

FULL = os.environ.get("UNDERSTUDY_FULL") == "1"
SECONDS = 600.0 if FULL else 3.0
LANES = 32
END_SECONDS = 60.0
"""Within which a request has an end however busy the machine is; the gateway's own limits are three."""
MARK = re.compile(rb"mark-[0-9a-f]{16}")
INTERIM = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
FAULTS: dict[str, tuple[int, ...]] = {
    "none": (200,), "interim": (200,), "trailers": (200,), "more": (200,), "error within": (200,),
    "cut": (200,), "reset within": (200,), "silent": (200,), "too short": (200, 502),
    "stall": (504,), "reset": (502,), "garbage": (502,), "endless head": (502,),
}  # fmt: skip
"""What an engine does -> the statuses with which a client may be answered."""
WHOLE = {"none", "interim", "trailers", "more"}
"""After which a client has its reply to the end, and its connection."""
LATE = 504
"""What any request may get on a machine too busy for its engine."""
RARE = {"stall": 0.1, "silent": 0.1}
"""What takes a client seconds, and is done so much more rarely."""
LONG = {"none", "interim"}
"""After which a reply is long."""
LARGE, MANY = 1 << 20, 64
"""Bytes of a long reply, and of a request now and then; and how many such there are at least, however slow the machine:
so much that what is kept of them is seen in the memory.
"""
MOST_GROWTH, MOST_MORE = 1.2, 32 << 20
"""How much more memory than after the first round may be held in the end, as a factor and in bytes."""


def does(fault: str, mark: str) -> list[bytes | float | str]:
    """The steps of a script."""
    text = mark + "x" * LARGE if fault in LONG else mark
    reply = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    forged = response(b'{"mark": "mark-ffffffffffffffff"}')
    begun = SSE_HEAD + chunk(event(text))
    steps: dict[str, list[bytes | float | str]] = {
        "none": [begun, chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"],
        "interim": [INTERIM, 0.001, INTERIM + response(reply)],
        "trailers": [begun + chunk(b"data: [DONE]\n\n") + b"0\r\nx-forged: 1\r\ncontent-type: text/plain\r\n\r\n"],
        "more": [response(reply) + forged],
        "error within": [begun, chunk(b'data: {"error": {"message": "out of memory"}}\n\n') + b"0\r\n\r\n"],
        "cut": [begun, "close"],
        "reset within": [begun, "reset"],
        "silent": [begun, 60.0],
        "too short": [response(reply).replace(b"content-length: ", b"content-length: 9"), "close"],
        "stall": [60.0],
        "reset": ["reset"],
        "garbage": [b"\x00\xff\xfe SMTP ready\r\n\r\n", "close"],
        "endless head": [b"HTTP/1.1 200 OK\r\n" + b"x-long: y\r\n" * 40_000, 60.0],
    }
    return steps[fault]


async def script(seen: Seen, writer: asyncio.StreamWriter) -> None:
    """The engine: what the request says is what goes wrong."""
    asked = seen.json
    await says(*does(asked["fault"], asked["messages"][0]["content"]))(seen, writer)


class Lane:
    """A client: one request after the other, on one connection for as long as it lasts."""

    def __init__(self, port: int, chance: random.Random, told: Counter[str]) -> None:
        self._port, self._chance, self._told = port, chance, told

    async def run(self, until: float) -> None:
        while time.monotonic() < until:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            talk = h11.Connection(h11.CLIENT)
            try:
                async with asyncio.timeout(END_SECONDS):
                    while await self._one(talk, reader, writer) and time.monotonic() < until:
                        talk.start_next_cycle()
            finally:
                writer.transport.abort()

    async def _one(self, talk: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can go on."""
        fault = self._chance.choices(list(FAULTS), [RARE.get(fault, 1.0) for fault in FAULTS])[0]
        mark = f"mark-{self._chance.getrandbits(64):016x}"
        large = "x" * self._chance.choice([0, 0, 0, LARGE])
        asked = {"model": "teacher", "fault": fault, "large": large, "messages": [{"role": "user", "content": mark}]}
        leaves = self._chance.random() < 0.15
        await self._send(talk, writer, json.dumps({**asked, "stream": fault != "more"}).encode())
        if leaves and self._chance.random() < 0.5:
            self._told["left before the reply"] += 1
            return False
        body, status, ended = b"", 0, False
        while True:
            try:
                got = talk.next_event()
            except h11.RemoteProtocolError:  # cut off
                break
            if got is h11.NEED_DATA:
                data = await self._read(reader)
                talk.receive_data(data)
                if leaves and data:
                    self._told["left within the reply"] += 1
                    return False
            elif isinstance(got, h11.Response):
                status = got.status_code
            elif isinstance(got, h11.Data):
                body += bytes(got.data)
            elif isinstance(got, h11.EndOfMessage):
                ended = True
                assert not got.headers, "trailers"
                break
            elif isinstance(got, h11.ConnectionClosed):
                break
        self._told[fault] += 1
        assert status in (*FAULTS[fault], LATE), (fault, status, body)
        assert {found.decode() for found in MARK.findall(body)} <= {mark}, (fault, body)
        if fault in WHOLE and status != LATE:
            assert ended, (fault, body)
            assert mark.encode() in body, (fault, body)
        return fault in WHOLE and talk.our_state is h11.DONE and talk.their_state is h11.DONE

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.read(65536)
        except ConnectionError:
            return b""

    async def _send(self, talk: h11.Connection, writer: asyncio.StreamWriter, body: bytes) -> None:
        """In pieces of any size, with a length or in chunks."""
        framing = self._chance.choice([("transfer-encoding", "chunked"), ("content-length", str(len(body)))])
        head = h11.Request(method="POST", target="/v1/chat/completions", headers=[("host", "a"), framing])
        sent = talk.send(head) or b""
        half = self._chance.randrange(len(body))
        for part in (body[:half], body[half:]):
            sent += talk.send(h11.Data(data=part)) or b""
        sent += talk.send(h11.EndOfMessage()) or b""
        while sent:
            size = self._chance.choice([1, 7, 64, len(sent), len(sent)])
            writer.write(sent[:size])
            sent = sent[size:]
            await asyncio.sleep(0)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def resident() -> int:
    """Bytes of memory that this process, the gateway's, holds when all that is free is given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return psutil.Process().memory_info().rss


@pytest.mark.timeout(SECONDS + 200)
def test_no_reply_goes_astray_and_nothing_is_left_behind(
    serve: Callable[..., Running], engine: Callable[..., Engine]
) -> None:
    teacher = engine("teacher", script=script)
    gateway = serve(document({"teacher": teacher}), first_byte_seconds=3, idle_seconds=3, capture_bytes=4096)
    gateway.spool.full = True  # so that it keeps none of what it is given
    seed = random.SystemRandom().getrandbits(32) if FULL else 11
    told: Counter[str] = Counter()

    def soak(seconds: float, seed: int) -> None:
        until = time.monotonic() + seconds

        async def all_lanes() -> None:
            await asyncio.gather(*(Lane(gateway.port, random.Random(seed + n), told).run(until) for n in range(LANES)))

        asyncio.run(all_lanes())
        teacher.seen.clear()
        eventually(lambda: gateway.gateway.metrics.in_flight == gateway.gateway.buffered == 0, what=f"rest ({seed})")
        gateway.gateway.upstreams.close()

    before = descriptors()
    soak(max(1.0, SECONDS / 10), seed)
    held = resident()
    soak(SECONDS, seed + LANES)
    wanted = set(FAULTS) - (set() if FULL else set(RARE))
    for more in range(2, 20):
        if not wanted <= set(told):  # a busy machine
            soak(SECONDS, seed + more * LANES)
    for _ in range(MANY):
        assert gateway.client.chat("x" * LARGE, model="teacher", fault="interim")[0] == 200
    teacher.seen.clear()
    gateway.gateway.upstreams.close()
    eventually(lambda: descriptors() <= before + 2, what=f"as few descriptors as before, {before}")
    most = MOST_GROWTH * held + MOST_MORE
    eventually(lambda: resident() <= most, 10, f"as much memory as before, {held >> 20} MiB and some")
    assert wanted <= set(told), told
    status, _, reply = gateway.client.chat("mark-0000000000000000", model="teacher", fault="interim")
    assert (status, reply["choices"][0]["message"]["content"][:21]) == (200, "mark-0000000000000000")
