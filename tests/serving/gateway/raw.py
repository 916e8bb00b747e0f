"""A client of raw bytes."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

BODY = b'{"model":"teacher","messages":[{"role":"user","content":"\xe4\xbd\xa0"}]}'
STREAM = b'{"model":"teacher","stream":true,"messages":[{"role":"user","content":"x"}]}'
DONE = b'"total_tokens": 7}}'
"""End of an engine's usual reply."""
SECONDS = 60.0


def request(body: bytes = BODY, extra: bytes = b"", version: bytes = b"1.1") -> bytes:
    head = b"POST /v1/chat/completions HTTP/" + version + b"\r\nhost: a\r\n" + extra
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def talk(
    port: int, parts: Sequence[bytes], until: bytes | None = DONE, times: int = 1, half_close: bool = False
) -> tuple[bytes, str]:
    """Send `parts` in turn, read until that text has come so often (None: to the end).

    All that came, and how it ended: open, eof, reset, or late where it did not come in time.
    """
    deadline = time.monotonic() + SECONDS
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
        try:
            for part in parts:
                sock.sendall(part)
                time.sleep(0.03)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            while until is None or got.count(until) < times:
                sock.settimeout(max(0.01, deadline - time.monotonic()))
                data = sock.recv(65536)
                if not data:
                    return got, "eof"
                got += data
        except TimeoutError:
            return got, "late"
        except ConnectionError:
            return got, "reset"
        return got, "open"
