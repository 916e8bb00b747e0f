"""Taking a TCP port, to listen there or to see whether one could."""

from __future__ import annotations

import socket


def bound(host: str, port: int, shared: bool = False) -> socket.socket:
    """A TCP socket bound to `host`, an IPv4 or IPv6 address or a name of the former, and `port`; 0: any.

    `shared`: beside others of this user that are bound so; each that listens gets its share of new connections.

    Raises:
        OSError: the port is taken, or the address is not one of this machine.
    """
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, shared)
        made.bind((host, port))
    except BaseException:
        made.close()
        raise
    return made


def reached(host: str, port: int) -> str:
    """Base URL under which a listener at `host` on this machine is reached from it."""
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"
