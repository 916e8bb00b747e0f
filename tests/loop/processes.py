"""Finding the processes of a running system by what they were started as; one question, and clients that go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from trials.streams import Load, keep_streaming


def find_role(state: Path, *words: str) -> psutil.Process:
    """The process of `understudy WORDS... --state STATE`.

    Raises:
        LookupError: there is none now.
    """
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if str(state) in " ".join(line) and all(word in line for word in words):
            return process
    raise LookupError(f"no process of {words} on {state}")


def processes_of(state: Path) -> list[list[str]]:
    """Command lines of the processes that name the state directory."""
    return [p.info["cmdline"] for p in psutil.process_iter(["cmdline"]) if str(state) in str(p.info["cmdline"])]


QUESTION = {"messages": [{"role": "user", "content": "Where is my order?"}], "max_tokens": 8, "temperature": 0}


def post(base: str, model: str = "student") -> httpx.Response:
    """The answer to one short question."""
    return httpx.post(f"{base}/v1/chat/completions", json={"model": model, **QUESTION}, timeout=60)


@contextmanager
def streaming(base: str, model: str, prompts: list[str], clients: int = 3) -> Iterator[Load]:
    """Clients that send one streamed request after the other while the block runs; what they saw is in the load."""
    load = Load()

    async def run() -> None:
        await asyncio.gather(*(keep_streaming(load, base, model, prompts, i, 16, 0.02) for i in range(clients)))

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop.set()
        thread.join(150)
    assert not thread.is_alive(), "a request never ended"
