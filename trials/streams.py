"""Clients that stream greedy replies and note what a user would notice: gaps, cuts, mixed versions."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

import httpx


@dataclass(slots=True)
class Observed:
    """What one client saw of one request. Times in seconds; `gap` is the longest silence."""

    prompt: int
    max_tokens: int
    started: float
    version: str = ""
    text: str = ""
    gap: float = 0.0
    ended: float = 0.0
    error: str = ""
    finished: bool = False


@dataclass(slots=True)
class Load:
    """Everything observed, and the switch that ends the clients."""

    seen: list[Observed] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)


async def stream_once(
    client: httpx.AsyncClient, model: str, prompts: list[str], index: int, max_tokens: int
) -> Observed:
    """One streamed chat completion, observed byte by byte."""
    seen = Observed(index, max_tokens, time.monotonic())
    body = {
        "model": model, "stream": True, "max_tokens": max_tokens, "temperature": 0,
        "messages": [{"role": "user", "content": prompts[index]}],
    }  # fmt: skip
    last = seen.started
    buffer = b""
    try:
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            seen.version = response.headers.get("x-understudy-version", "")
            if response.status_code != 200:
                seen.error = f"{response.status_code} {(await response.aread())[:200]!r}"
            else:
                async for chunk in response.aiter_raw():
                    now = time.monotonic()
                    seen.gap, last = max(seen.gap, now - last), now
                    buffer += chunk
                _read_events(buffer, seen)
    except httpx.HTTPError as error:
        seen.error = f"{type(error).__name__}: {error}"
    seen.ended = time.monotonic()
    return seen


def _read_events(buffer: bytes, seen: Observed) -> None:
    for line in buffer.split(b"\n"):
        if not line.startswith(b"data: "):
            continue
        payload = line[6:].strip()
        if payload == b"[DONE]":
            seen.finished = True
            continue
        event = json.loads(payload)
        if "error" in event:
            seen.error = json.dumps(event["error"])
            return
        for choice in event.get("choices", ()):
            seen.text += choice.get("delta", {}).get("content") or ""


async def keep_streaming(
    load: Load, base: str, model: str, prompts: list[str], first: int, max_tokens: int, pause: float = 0.0
) -> None:
    """Send one request after the other until `load.stop` is set."""
    async with httpx.AsyncClient(base_url=base, timeout=120) as client:
        index = first
        while not load.stop.is_set():
            load.seen.append(await stream_once(client, model, prompts, index % len(prompts), max_tokens))
            index += 1
            if pause:
                await asyncio.sleep(pause)
