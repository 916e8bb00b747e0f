"""A real Kafka node for tests and benchmarks: KRaft, one process that may be killed and started again."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from trials.system import ROOT, free_ports

CLUSTER = "Sh_959rhSoKuqCx2jPqUTw"
OPTIONS = {"KAFKA_HEAP_OPTS": "-Xmx256m -Xms128m", "KAFKA_OPTS": "-XX:-UsePerfData"}
"""A small heap, and no file of figures in the system's temporary folder."""
UP_SECONDS = 120.0


def find_kafka() -> Path | None:
    """Folder of a distribution that can run here: KAFKA_HOME, else ../shared/kafka, else .kafka; needs Java."""
    given = os.environ.get("KAFKA_HOME")
    for folder in [Path(given)] if given else [ROOT.parent / "shared" / "kafka", ROOT / ".kafka"]:
        if (folder / "bin" / "kafka-server-start.sh").is_file():
            return folder if os.environ.get("JAVA_HOME") or shutil.which("java") else None
    return None


class Broker:
    """A node of the distribution in `home` with its files in `folder`; `settings` change its server.properties.

    `advertised` is the port that clients are told, where a proxy stands before it.
    """

    def __init__(
        self, home: Path, folder: Path, settings: Mapping[str, str] | None = None, advertised: int = 0
    ) -> None:
        self._home = home
        self._folder = folder
        self.port, controller = free_ports(2)
        folder.mkdir(parents=True, exist_ok=True)
        text = (home / "config" / "server.properties").read_text()
        text = re.sub("909[23]", lambda found: str({"9092": self.port, "9093": controller}[found[0]]), text)
        changed = {"log.dirs": f"{folder}/data"}
        if advertised:
            changed["advertised.listeners"] = f"PLAINTEXT://127.0.0.1:{advertised}"
        changed |= settings or {}
        lines = [line for line in text.splitlines() if line.partition("=")[0] not in changed]
        lines += [f"{name}={value}" for name, value in changed.items()]
        self.config = folder / "server.properties"
        self.config.write_text("\n".join(lines) + "\n")
        self._env = {**OPTIONS, **os.environ, "LOG_DIR": str(folder / "logs")}
        self.process: subprocess.Popen[bytes] | None = None

    def format(self) -> None:
        """Prepare its storage, once."""
        storage = str(self._home / "bin" / "kafka-storage.sh")
        command = [storage, "format", "-t", CLUSTER, "-c", str(self.config)]
        subprocess.run(command, check=True, env=self._env, capture_output=True, timeout=UP_SECONDS)

    def start(self, wait: bool = True) -> None:
        """Start it; with `wait` until its port is open.

        Raises:
            RuntimeError: it did not come up.
        """
        with (self._folder / "broker.log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._home / "bin" / "kafka-server-start.sh", self.config],
                stdout=log, stderr=log, env=self._env, start_new_session=True,
            )  # fmt: skip
        if wait:
            self.wait_open()

    def wait_open(self) -> None:
        """Wait until its port is open."""
        end = time.monotonic() + UP_SECONDS
        while time.monotonic() < end and self.process and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.2)
        self.stop()
        raise RuntimeError(f"the Kafka broker did not come up: see {self._folder}/broker.log")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the node and whatever its start script left in its group."""
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self.signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def stop(self) -> None:
        """End it in order, by force after 15 seconds."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        if self.process:
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
