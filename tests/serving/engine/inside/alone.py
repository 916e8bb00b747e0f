"""One more engine beside the session's, in the same fork server, for a test that wants weights of its own in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from serving.engine import compat
from serving.engine.config import EnginesConfig
from serving.engine.launch.fork_client import ForkLauncher, fork_socket
from serving.engine.launch.launcher import LaunchSpec
from tests.engines import Engines
from trials.system import free_ports
from understudy.process.scratch import Scratch

SLOT = "student-b"
NAME = "alone"


@contextlib.asynccontextmanager
async def started(
    engines: Engines, weights: Path, log: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[ForkLauncher, httpx.AsyncClient]]:
    """An engine that has begun to load `weights`, and a client with its control key; it ends with the block."""
    (port,) = free_ports(1)
    config = EnginesConfig(ports={"teacher": 1, "student-a": 2, SLOT: port})
    launcher, scratch = ForkLauncher(fork_socket(engines.state)), Scratch(engines.state)
    given = compat.environment(SLOT, "v1", "key", "control", ())
    given |= {**compat.folders(scratch.emptied(NAME), log.parent), **(env or {})}
    await launcher.start(LaunchSpec(NAME, compat.argv(SLOT, str(weights), config), given, (), str(log)))
    try:
        headers = {"authorization": "Bearer control"}
        async with httpx.AsyncClient(base_url=config.url(SLOT), headers=headers, timeout=60) as http:
            yield launcher, http
    finally:
        await launcher.stop(NAME, 5.0)
        scratch.drop(NAME)


async def healthy(http: httpx.AsyncClient) -> None:
    """Returns once the engine serves."""
    async with asyncio.timeout(180):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await http.get("/health")).status_code == 200:
                    return
            await asyncio.sleep(0.1)


async def load(http: httpx.AsyncClient, weights: Path, version: str) -> None:
    """Put `weights` in the place of what is there."""
    response = await http.post("/understudy/load", json={"path": str(weights), "version": version})
    assert response.status_code == 200, response.text


async def logprobs(http: httpx.AsyncClient, prompt: Sequence[int]) -> list[float]:
    """The engine's log-probabilities of the prompt's tokens at positions 1..n-1."""
    return logprobs_in(await http.post("/v1/completions", json=question(prompt)), prompt)


def question(prompt: Sequence[int]) -> dict[str, Any]:
    """What asks an engine for them."""
    return {"model": "student", "prompt": list(prompt), "max_tokens": 1, "temperature": 0, "prompt_logprobs": 0}


def logprobs_in(answer: httpx.Response, prompt: Sequence[int]) -> list[float]:
    """What it answered."""
    rows = answer.json()["choices"][0]["prompt_logprobs"][1:]
    return [row[str(token)]["logprob"] for row, token in zip(rows, prompt[1:], strict=True)]
