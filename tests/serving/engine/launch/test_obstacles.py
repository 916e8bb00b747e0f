"""What keeps an engine from starting is said before it is tried."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from serving.engine.config import EnginesConfig
from serving.engine.launch import obstacles


def test_a_port_in_use_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = EnginesConfig(ports={"teacher": port, "student-a": 1, "student-b": 2})
        with pytest.raises(obstacles.CannotStart, match=rf"port {port}.*engines\.ports\.teacher"):
            obstacles.check_port("teacher", config)


TEACHER = Path(__file__).resolve().parents[4] / "demo" / "models" / "teacher"


def test_too_little_memory_says_how_much_is_needed() -> None:
    config = EnginesConfig(device="cpu")
    with pytest.raises(obstacles.CannotStart, match=r"needs about \d+ MiB of memory, 10 MiB are free"):
        obstacles.check_memory(TEACHER, config, forked=True, free=10 << 20)
    obstacles.check_memory(TEACHER, config, forked=True, free=8 << 30)
    assert obstacles.free_bytes() > 0


def test_a_cpu_without_the_instructions_is_told_so() -> None:
    obstacles.check_cpu(EnginesConfig(device="cpu"), {"avx2"})
    with pytest.raises(obstacles.CannotStart, match="AVX2"):
        obstacles.check_cpu(EnginesConfig(device="cpu"), {"sse"})
    with pytest.raises(obstacles.CannotStart, match="dtype"):
        obstacles.check_cpu(EnginesConfig(device="cpu", dtype="bfloat16"), {"avx2"})
