"""One Kafka broker for the test session."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.shared_data import kafka_home
from trials.system import free_ports

CLUSTER = "Sh_959rhSoKuqCx2jPqUTw"
OPTIONS = {"KAFKA_HEAP_OPTS": "-Xmx256m -Xms128m", "KAFKA_OPTS": "-XX:-UsePerfData"}
"""A small heap, and no file of figures in the system's temporary folder."""


def start_broker(home: Path, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A KRaft node on free ports with its files in `folder`; returns the process and its port."""
    port, controller = free_ports(2)
    ports = {"9092": str(port), "9093": str(controller)}
    text = (home / "config" / "server.properties").read_text()
    text = "\n".join(f"log.dirs={folder}/data" if s.startswith("log.dirs=") else s for s in text.splitlines())
    config = folder / "server.properties"
    config.write_text(re.sub("909[23]", lambda found: ports[found[0]], text))
    env = {**OPTIONS, **os.environ, "LOG_DIR": str(folder / "logs")}
    subprocess.run(
        [home / "bin" / "kafka-storage.sh", "format", "-t", CLUSTER, "-c", config],
        check=True, env=env, capture_output=True, timeout=120,
    )  # fmt: skip
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(
            [home / "bin" / "kafka-server-start.sh", config], stdout=log, stderr=log, env=env, start_new_session=True
        )
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process, port
        except OSError:
            time.sleep(0.2)
    stop_broker(process)
    raise RuntimeError(f"the Kafka broker did not come up: see {folder}/broker.log")


def stop_broker(process: subprocess.Popen[bytes]) -> None:
    """End the broker and whatever its start script left in its group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`host:port[,host:port]` of a real broker."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        yield given
        return
    process, port = start_broker(kafka_home(), tmp_path_factory.mktemp("kafka"))
    yield f"127.0.0.1:{port}"
    stop_broker(process)
