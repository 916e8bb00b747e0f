"""A real HTTP server in a thread, for programs that are tested from outside."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from tests.waiting import eventually


@contextlib.contextmanager
def served(app: Starlette) -> Iterator[str]:
    """Serve `app` on a port that the kernel chooses; yields the base URL. Ends with the block, however that ends."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        eventually(lambda: server.started, what="the start of the server")
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)
