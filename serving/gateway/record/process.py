"""The process beside a gateway that makes events of copies, redacts them, and brings them to the bus.

`python -m serving.gateway.record.process FD`: the gateway starts it, with one end of a pipe. It ends with the gateway.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from pathlib import Path

import msgspec

from feedback.outbox.apart.server import OutboxServer, assembling
from feedback.outbox.config import OutboxConfig
from feedback.outbox.outbox import Outbox
from feedback.outbox.spool import HELD_SECONDS, once_free
from serving.gateway.record.assembling import assemble
from serving.gateway.record.bus import LateBus
from serving.gateway.record.opening import Greeting, bus_of
from serving.gateway.record.raw import unpack
from understudy import __version__, logs
from understudy.config import Config
from understudy.errors import UnderstudyError
from understudy.state import StateDir

log = logging.getLogger("understudy.gateway")

NO_SPOOL, OTHER_PROGRAM = 3, 4
"""Exit codes: the spool or the bus cannot be opened; the package was replaced under a gateway that runs."""


def main(descriptor: int) -> int:
    """Serve the pipe until its other end is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # whoever stops everything stops the gateway, and that ends this
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))  # it takes no core from a request for being woken
    logs.set_up()
    with socket.socket(fileno=descriptor) as pipe:
        server = OutboxServer(pipe)
        if not (greeting := server.greeting()):
            return 0
        told = msgspec.json.decode(greeting, type=Greeting)
        if told.program != __version__:
            log.error("the gateway is of %s and its recorder of %s: restart it", told.program, __version__)
            return OTHER_PROGRAM
        config, state = Config(told.config), StateDir(Path(told.state))
        try:
            if (bus := bus_of(config, state, told.follows)) is None:
                return 0
            outbox = once_free(
                lambda: Outbox(
                    state.spool, told.name, bus, config.section(OutboxConfig),
                    assembling(lambda body: assemble(unpack(body))), over=server.over,
                ),
                time.monotonic() + HELD_SECONDS,
            )  # fmt: skip
        except (OSError, UnderstudyError) as error:
            log.error("nothing is captured, the spool cannot be opened: %s", error)
            return NO_SPOOL
        gc.collect()
        gc.freeze()
        outbox.start()
        server.serve(outbox, (lambda: looked(bus)) if isinstance(bus, LateBus) else lambda: True)
    return 0


def looked(bus: LateBus) -> bool:
    """Whether the bus is known by now."""
    bus.look()
    return bus.known


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
