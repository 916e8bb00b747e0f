"""The gateway of the benchmark, whose event loop is listened to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

TICK = 0.002
"""Seconds between two looks at the event loop."""


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
