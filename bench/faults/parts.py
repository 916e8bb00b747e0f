"""The system under the faults: gateways' outboxes, workers, Redis and, where it is the bus, a Kafka broker."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import redis

from feedback.store.server import RedisServer
from trials.broker import Broker
from trials.system import ROOT, free_ports

FAKETIME = (
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
)


def faketime_library() -> str:
    """Path of libfaketime; empty where it is not installed."""
    return next((path for path in FAKETIME if Path(path).is_file()), "")


class Victim:
    """A process that may be killed, stopped, started again, and whose clock may be set."""

    def __init__(self, name: str, command: list[str], folder: Path, library: str) -> None:
        self.name = name
        self._command = command
        self._log = folder / f"{name}.log"
        self.clock = folder / f"{name}.clock"
        self.clock.write_text("+0\n")
        self._env = dict(os.environ)
        if library:
            self._env |= {
                "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": str(self.clock), "FAKETIME_NO_CACHE": "1",
                # Both are needed: the library's "fix" has waits of threads for each other end a second too late.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            }  # fmt: skip
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, cwd=ROOT, env=self._env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                text=True, start_new_session=True,
            )  # fmt: skip

    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait()


class RedisVictim(Victim):
    """Redis with its append-only file, of which the last moments may be cut off."""

    def __init__(self, folder: Path, library: str) -> None:
        self.server = RedisServer(folder / "redis", port=free_ports(1)[0])
        super().__init__("redis", self.server.command(), folder, library)
        self._sizes: deque[tuple[float, int]] = deque(maxlen=400)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        super().start()
        self._sizes.clear()
        with redis.Redis.from_url(self.server.url, socket_timeout=1) as client:
            end = time.monotonic() + 60
            while time.monotonic() < end:
                try:
                    client.ping()
                    break
                except redis.RedisError:
                    time.sleep(0.02)
        self.watch()

    @property
    def aof(self) -> Path:
        """The append-only file."""
        return self.server.folder / "appendonly.aof"

    def watch(self) -> None:
        """Note how long the log is now."""
        if self.aof.exists():
            size = self.aof.stat().st_size
            if self._sizes and size < self._sizes[-1][1]:
                self._sizes.clear()  # it was written anew
            self._sizes.append((time.monotonic(), size))

    def cut(self, seconds: float) -> int:
        """Kill it, and cut off what it wrote in the last `seconds`; returns the bytes cut."""
        since = time.monotonic() - seconds
        self.kill()
        size = self.aof.stat().st_size
        keep = min((length for at, length in self._sizes if at >= since), default=size)
        if keep < size:
            os.truncate(self.aof, keep)
        return max(0, size - keep)


def child(kind: str, *arguments: str) -> list[str]:
    """The command of a process of `bench.faults.child`."""
    return [sys.executable, "-m", "bench.faults.child", kind, *arguments]


class KafkaVictim(Victim):
    """A Kafka broker as a part."""

    def __init__(self, home: Path, folder: Path, advertised: int) -> None:
        super().__init__("broker", [], folder, "")
        self.broker = Broker(home, folder / "kafka", advertised=advertised)
        self.broker.format()

    def start(self) -> None:
        """Start it and wait for its port."""
        self.broker.start()

    def alive(self) -> bool:
        """Whether it runs."""
        return self.broker.process is not None and self.broker.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.broker.signal(number)

    def kill(self) -> None:
        """SIGKILL."""
        self.broker.kill()


def small_volume(folder: Path, size: int) -> str:
    """Mount a volume of `size` bytes on `folder`; why it cannot be, or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    if shutil.which("mount") is None:
        return "no `mount`"
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    return f"a volume cannot be mounted, it takes root: {done.stderr.strip()}" if done.returncode else ""
