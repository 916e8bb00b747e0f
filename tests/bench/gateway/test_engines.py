"""The engine in Python answers in one piece on kept connections."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from contextlib import closing

from bench.gateway.engines import REPLY
from feedback.store.server import free_port
from tests.waiting import eventually


def test_it_answers_in_one_piece_on_one_connection() -> None:
    port = free_port()
    code = f"from bench.gateway.engines import serve_whole; serve_whole({port}, 0.0)"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as wire:
            eventually(lambda: wire.connect() or True, what="an engine that listens")
            wire.auto_open = 0  # what ends the connection is seen
            for _ in range(2):
                wire.request("POST", "/v1/chat/completions", b"{}" * 500)
                assert json.loads(wire.getresponse().read()) == REPLY
        process.kill()
