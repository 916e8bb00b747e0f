"""One Kafka broker for the test session, or a skip that says how to get one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback.redis_server import free_port

ROOT = Path(__file__).resolve().parents[1]
CLUSTER = "Sh_959rhSoKuqCx2jPqUTw"
HOW = "no Kafka: set KAFKA_BOOTSTRAP_SERVERS, or KAFKA_HOME to a Kafka distribution (needs Java 17 or later)"
HEAP = {"KAFKA_HEAP_OPTS": "-Xmx256m -Xms128m"}


def find_home() -> Path | None:
    """Folder of a Kafka distribution: KAFKA_HOME, else ../shared/kafka."""
    for place in (os.environ.get("KAFKA_HOME", ""), ROOT.parent / "shared" / "kafka", ROOT / ".kafka"):
        if place and (Path(place) / "bin" / "kafka-server-start.sh").is_file():
            return Path(place)
    return None


def start_broker(home: Path, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """A KRaft node on free ports with its files in `folder`; returns the process and its port."""
    port, controller = free_port(), free_port()
    text = (home / "config" / "server.properties").read_text()
    text = "\n".join(f"log.dirs={folder}/data" if s.startswith("log.dirs=") else s for s in text.splitlines())
    config = folder / "server.properties"
    config.write_text(text.replace("9092", str(port)).replace("9093", str(controller)))
    env = {**HEAP, **os.environ, "LOG_DIR": str(folder / "logs")}
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
    home = find_home()
    if home is None:
        pytest.skip(HOW)
    process, port = start_broker(home, tmp_path_factory.mktemp("kafka"))
    yield f"127.0.0.1:{port}"
    stop_broker(process)
