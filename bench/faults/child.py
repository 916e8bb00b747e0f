"""The processes that are killed: a gateway's outbox, fed by lines, and a worker's consumer, with effects that tell.

`python -m bench.faults.child gateway BUS FOLDER NAME` takes `{"id", "session", "seq"}` on its input, says
`{"id", "at"}` (monotonic seconds) when it hands the event to the outbox, and `{"id", "ok", "seconds"}` when that has
stored or refused it. `... worker BUS REDIS FOLDER` counts each event
it applies in a hash, and keeps the order of each session.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from feedback.bus.config import BusConfig
from feedback.bus.opening import open_bus
from feedback.bus.protocol import Received
from feedback.consume.consumer import Consumer
from feedback.events import KPIS, Kpi
from feedback.kpis.config import KpisConfig
from feedback.kpis.effects import settings
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.privacy.vault import FOLDER, Vault
from feedback.store.config import RedisConfig
from feedback.store.connection import connect
from feedback.store.keys import RedisKeys
from understudy.errors import Unavailable

SEEN = "faults:seen"
"""Hash: event -> how often its effects were stored."""
ORDER = "faults:order:"
"""+ session: a list of the events' places in it, in the order of their effects."""
PARTITIONS = 4


def gateway(bus_url: str, folder: str, name: str) -> None:
    """Store what comes on standard input; ends with it."""
    outbox = Outbox(
        Path(folder), name, open_bus(BusConfig(url=bus_url, partitions=PARTITIONS), RedisConfig()), OutboxConfig()
    )
    outbox.start()
    said = threading.Lock()

    def tell(row: dict[str, Any]) -> None:
        with said:
            print(json.dumps(row), flush=True)

    def ended(event: str, at: float, stored: Future[None]) -> None:
        tell({"id": event, "ok": stored.exception() is None, "seconds": time.monotonic() - at})

    for line in sys.stdin:
        row = json.loads(line)
        if "session" not in row:
            tell(outbox.stats())
            continue
        at = time.monotonic()
        tell({"id": row["id"], "at": at})
        event = Kpi(id=row["id"], session=row["session"], at=time.time(), kpi="seq", value=float(row["seq"]))
        outbox.store(event).add_done_callback(partial(ended, row["id"], at))
    outbox.close(1.0)


def worker(bus_url: str, redis_url: str, folder: str) -> None:
    """Consume until the standard input ends, which it does with whoever started this."""
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    vault = Vault(Path(folder) / FOLDER)

    def effects(topic: str, received: Received) -> list[list[Any]]:
        kpi = vault.open(Kpi, received.value)
        return [["HINCRBY", SEEN, kpi.id, 1], ["RPUSH", ORDER + kpi.session, str(int(kpi.value))]]

    def bury(topic: str, received: Received, why: str) -> list[list[Any]]:
        return [["HINCRBY", "faults:buried", why[:80], 1]]

    bus = open_bus(BusConfig(url=bus_url, partitions=PARTITIONS), RedisConfig())
    keys = RedisKeys()
    told = settings(keys, KpisConfig())
    consumer = Consumer(bus, connect(redis_url), keys, (KPIS,), effects, bury, told)
    while True:
        try:
            if not consumer.step():
                time.sleep(0.02)
        except Unavailable as error:
            print(f"waits: {error}", file=sys.stderr, flush=True)
            time.sleep(0.1)


def sleep(seconds: Any) -> None:
    """`time.sleep` ends at a point in time, which libfaketime refuses (EINVAL), in kafka-python too; this does not."""
    threading.Event().wait(seconds)


if __name__ == "__main__":
    time.sleep = sleep
    {"gateway": gateway, "worker": worker}[sys.argv[1]](*sys.argv[2:])
