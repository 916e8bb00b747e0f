"""Takes connections from a listening socket as they come: all that wait, not one a turn of the event loop.

libuv takes one each time its loop comes round. Where many come at once to a loop that has much to do, the last waits
for as many turns as there are connections, each of which is longer than the one before.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

log = logging.getLogger(__name__)

BACKLOG = 2048
"""Connections that wait to be taken, at most."""
AT_ONCE = 64
"""Connections that are taken before whoever is connected already has his turn."""
PAUSE_SECONDS = 0.5
"""Before the next try where there is no descriptor or no memory for a connection."""


class Acceptor:
    """Makes a protocol by `make` for each connection to `listener`, which it owns, on the running event loop.

    Has the methods of `asyncio.Server` that a server's end needs.
    """

    def __init__(self, listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # its connections have it from here
        listener.listen(BACKLOG)
        self._listener = listener
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        self._open = True
        self._watch()

    def close(self) -> None:
        """Take no more; connections that are open stay so."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._listener)
            self._listener.close()

    async def wait_closed(self) -> None:
        """Return when nothing is under way any more."""
        if self._opening:
            await asyncio.wait(self._opening)

    def _watch(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionError:
                continue  # whoever it was has gone
            except OSError as error:
                log.error("no connection can be taken for %g s: %s", PAUSE_SECONDS, error)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(PAUSE_SECONDS, self._watch)
                return
            connection.setblocking(False)
            task = self._loop.create_task(self._begin(connection))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def _begin(self, connection: socket.socket) -> None:
        if not self._open:
            connection.close()
            return
        try:
            await self._loop.connect_accepted_socket(self._make, connection)
        except OSError:
            connection.close()  # whoever it was has gone
