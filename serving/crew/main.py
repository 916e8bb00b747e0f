"""A gateway of several workers: what each of them runs, and what runs beside them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import math
import signal
from collections.abc import Callable
from functools import partial

from serving.crew.figures import Replaced
from serving.crew.keeper import LOOK_SECONDS, Ending, Keeper, Member
from serving.gateway.body.parser import BodyParser
from serving.gateway.config import GatewayConfig
from serving.gateway.main import Beside, ServeOptions, WorkerPlace, address, run, taken
from serving.gateway.wiring import known_keys
from serving.guard.characters import characters
from serving.up.supervise.restarts import Policy
from understudy.config import Config
from understudy.process.ports import bound
from understudy.state import DEFAULT_STATE, StateDir
from understudy.telemetry.board import Board
from understudy.telemetry.together import bury

log = logging.getLogger("understudy.crew")

POLICY = Policy(first=0.05, limit=15.0, steady=5.0)
"""A worker that had served is back within a second; one that dies at once is tried more and more rarely."""
BEGINNING = 6
"""So many times as long as a worker may hang it may take until it is at work."""
CLOSING_SECONDS = 6.0
"""For a worker to close its spool and sign off, after the drain."""


def run_together(
    config: Config, options: ServeOptions, follow: bool = False, beside: Callable[[], Beside] | None = None
) -> int:
    """`serving.gateway.main.run` with `gateway.workers` of them, and `beside` open in a process of its own.

    Raises:
        ConfigError: the port is in use, or the address is open to everybody.
    """
    settings = config.section(GatewayConfig)
    host, port = address(settings, options, known_keys(StateDir(options.state or DEFAULT_STATE)))
    with taken(bound, host, port) as holder:  # which never listens, and is refused where anybody does
        port = holder.getsockname()[1]
        board = Board(settings.workers + 1)
        replaced = Replaced(board, settings.workers)
        serve = partial(run, config, options, follow)
        members = [
            Member(
                f"worker {number + 1}",
                partial(serve, place=place),
                gone=partial(end, board, number, replaced),
                beats=partial(board.beats, number),
            )
            for number in range(settings.workers)
            for place in (WorkerPlace(number, port, board),)
        ]
        if beside is not None:
            members.append(Member("what runs beside", partial(stay, beside), wave=1))
        log.info("%d workers serve on http://%s:%d", settings.workers, host, port)
        warm(settings)
        works = lambda: any(board.read(place) for place in range(settings.workers))  # noqa: E731
        patience = math.ceil(settings.hang_seconds / LOOK_SECONDS)
        return Keeper(
            members, POLICY, settings.drain_seconds + CLOSING_SECONDS, works, patience, BEGINNING * patience
        ).run()


def end(board: Board, number: int, replaced: Replaced, how: Ending) -> None:
    """A worker is gone: what it counted stays."""
    bury(board, number)
    replaced.count(how)


def warm(settings: GatewayConfig) -> None:
    """Make here what each worker would make alike and slowly, so that a fork has it, in memory that all share."""
    characters()
    BodyParser(settings.control_tokens, settings.max_choices)  # its patterns stay compiled
    gc.collect()
    gc.freeze()


def stay(beside: Callable[[], Beside]) -> int:
    """Hold `beside` open until SIGTERM."""

    async def held() -> None:
        told = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(beside())
            await told.wait()

    asyncio.run(held())
    return 0
