"""The process of an outbox, and one to kill that has such a process: `child.py FD`, or `child.py owner FOLDER URL`.

The owner hands over event after event, and prints the number of each that its outbox calls stored.
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.events import Kpi
from feedback.outbox.apart.handle import OutboxHandle
from feedback.outbox.apart.server import OutboxServer, assembling
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.store.config import RedisConfig
from tests.feedback.child import event


def handle(folder: Path, url: str, **config: Any) -> OutboxHandle:
    """An outbox in a process, whose raw items are numbers of events."""
    greeting = json.dumps({"folder": str(folder), "url": url, "config": config}).encode()
    return OutboxHandle(start, greeting, OutboxConfig(**config), lambda item: str(item).encode(), True)


def start(pipe: socket.socket) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tests.feedback.outbox.apart.child", str(pipe.fileno())]
    return subprocess.Popen(program, pass_fds=[pipe.fileno()], start_new_session=True)


def serve(descriptor: int) -> None:
    server = OutboxServer(socket.socket(fileno=descriptor))
    told = json.loads(server.greeting())
    bus = open_bus(BusConfig(url=told["url"]), RedisConfig())
    outbox = Outbox(
        Path(told["folder"]), "gateway", bus, OutboxConfig(**told["config"]), assembling(assembled), over=server.over
    )
    outbox.start()
    server.serve(outbox, lambda: True)


def assembled(body: bytes) -> Kpi | None:
    """Event of a number; odd ones above a thousand are nothing to keep."""
    number = int(body)
    return None if number > 1000 and number % 2 else event(number)


async def own(folder: str, url: str) -> None:
    outbox = handle(Path(folder), url)
    running = asyncio.create_task(outbox.run())
    number = 0
    while not running.done():
        number += 1
        stored = asyncio.wrap_future(outbox.store(event(number)))
        stored.add_done_callback(partial(say, number))
        await asyncio.sleep(0.0005)


def say(number: int, stored: asyncio.Future[None]) -> None:
    if stored.exception() is None:
        print(number, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "owner":
        asyncio.run(own(*sys.argv[2:]))
    else:
        serve(int(sys.argv[1]))
