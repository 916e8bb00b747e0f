"""The gateway of the benchmark, whose event loop is listened to, before an engine that takes its time."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from bench.gateway.processes import last_core, running
from feedback.store.server import free_port

TICK = 0.002
"""Seconds between two looks at the event loop."""
ENGINE_SECONDS = 0.05
CONFIG = """
engines: {{teacher: {engine}, student: {engine}}}
guard: {{mode: enforce, deadline_ms: {deadline_ms:g}}}
"""


@contextmanager
def guarded(pauses: list[float], deadline_ms: float = 50) -> Iterator[int]:
    """The port of a gateway on the first core, its guard enforced, before an engine of `ENGINE_SECONDS` on the last.

    At the end the longest pause of its event loop, in seconds, is appended to `pauses`.
    """
    with tempfile.TemporaryDirectory(prefix="bench-breaker-") as name:
        folder, upstream, port = Path(name), free_port(), free_port()
        config, heard = folder / "gateway.yaml", folder / "pauses"
        engine = f"{{url: 'http://127.0.0.1:{upstream}/v1', model: m}}"
        config.write_text(CONFIG.format(engine=engine, deadline_ms=deadline_ms), "utf-8")
        answers = f"from bench.gateway.engines import serve_whole; serve_whole({upstream}, {ENGINE_SECONDS})"
        serves = (
            f"from bench.breaker.processes import serve_gateway; serve_gateway({str(config)!r}, {port}, {str(heard)!r})"
        )
        first = {min(os.sched_getaffinity(0))}
        with (
            running([sys.executable, "-c", answers], upstream, last_core()),
            running([sys.executable, "-c", serves], port, first, folder),
        ):
            yield port
        pauses.append(float(json.loads(heard.read_text("utf-8"))))


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
