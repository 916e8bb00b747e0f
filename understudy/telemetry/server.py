"""`/metrics` of a role that serves nothing else: one thread, one request at a time.

prometheus_client's own server was considered: it asks nobody who he is, and takes a thread for each who comes.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer

from understudy.process.ports import reached
from understudy.state import StateDir
from understudy.telemetry.config import TelemetryConfig
from understudy.telemetry.door import REFUSAL, MetricsDoor, metrics_door
from understudy.telemetry.metrics import CONTENT_TYPE, MetricsPage
from understudy.telemetry.targets import told

log = logging.getLogger("understudy.telemetry")

PATIENCE = 2.0
"""Seconds that a reader may keep silent."""


@contextmanager
def shown(page: MetricsPage, name: str, state: StateDir, config: TelemetryConfig) -> Iterator[str]:
    """Show `page` while the context is open; its address, empty where none can be had: no role ends for that."""
    with ExitStack() as stack:
        try:
            server = listening(page, metrics_door(state), config)
        except OSError as error:
            log.warning("%s shows no metrics: cannot listen on %s: %s", name, config.host, error)
            yield ""
            return
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True).start()
        url = reached(config.host, server.server_address[1])
        stack.enter_context(told(state, name, url))
        log.info("metrics of %s at %s/metrics", name, url)
        yield url


class _ScrapeServer(TCPServer):
    allow_reuse_address = True
    request_queue_size = 16

    def __init__(self, host: str, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Who went away while he was answered is nobody's fault."""
        log.debug("a reader of metrics was lost", exc_info=True)


def listening(page: MetricsPage, door: MetricsDoor, config: TelemetryConfig) -> TCPServer:
    """A server on the configured port, or on any where that is taken.

    Raises:
        OSError: not on any port of `telemetry.host`.
    """
    handler = _handler(page, door)
    try:
        return _ScrapeServer(config.host, config.port, handler)
    except OSError as error:
        if not config.port:
            raise
        log.warning("port %d (telemetry.port) cannot be used: %s; taking another", config.port, error.strerror)
        return _ScrapeServer(config.host, 0, handler)


def _handler(page: MetricsPage, door: MetricsDoor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE
        server_version, sys_version = "understudy", ""

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            if self.path.partition("?")[0] != "/metrics":
                self._answer(404, "look at /metrics\n")
            elif not door.lets(self.client_address[0], headers):
                self._answer(401, REFUSAL + "\n")
            else:
                self._answer(200, page.render(), CONTENT_TYPE)

        def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Nothing: a scrape is no event."""

    return Handler
