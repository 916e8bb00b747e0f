"""What is sent: bodies that differ, half with digits, a quarter Chinese, each request a unit of its own."""

from __future__ import annotations

import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bench.gateway.requests import PATH, UNIT, WORD, bodies, mixed, script, written
from feedback.texts import language
from tests.shared_data import need_program


@pytest.mark.parametrize(("size", "stream"), [(512, False), (8 << 10, True)])
def test_bodies_are_as_people_write(size: int, stream: bool) -> None:
    made = bodies(size, stream, 64)
    texts = [json.loads(body)["messages"][0]["content"] for body in made]
    assert len(set(texts)) == 64
    assert sum(bool(re.search(r"\d", text)) for text in texts) == 32
    assert 12 <= sum(language(text) == "zh" for text in texts) <= 20
    assert all(
        body.count(UNIT.encode()) == body.count(WORD.encode()) == 1 and json.loads(body)["stream"] is stream
        for body in made
    )
    assert all(size / 3 < len(body) < 2 * size for body in made)


def test_the_script_names_the_bodies_and_waits_where_it_is_told_to(tmp_path: Path) -> None:
    assert "delay" not in script(tmp_path, written(tmp_path, 512, False), 0.0).read_text()
    assert "return 7 end" in script(tmp_path, written(tmp_path, 512, False), 7.2).read_text()
    assert (tmp_path / "bodies-512-False.jsonl").read_bytes().count(b"\n") == 512


def test_a_mixed_load_has_all_sizes_streamed_and_not(tmp_path: Path) -> None:
    made = mixed(tmp_path).read_bytes().splitlines()
    asked = [json.loads(body)["stream"] for body in made]
    assert asked != sorted(asked), "in no order"
    for stream in (False, True):
        sizes = [len(body) for body, streamed in zip(made, asked, strict=True) if streamed is stream]
        assert min(sizes) < 1024 < max(sizes)
        assert sum(size > 20_000 for size in sizes) == 16


def test_no_two_requests_say_the_same(tmp_path: Path) -> None:
    need_program("wrk")
    seen: list[tuple[str, str]] = []

    class Engine(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append((body["user"], body["messages"][0]["content"]))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        where = f"http://127.0.0.1:{server.server_address[1]}{PATH}"
        subprocess.run(
            ["wrk", "-t1", "-c1", "-d3", "-s", str(script(tmp_path, written(tmp_path, 512, False), 0.0)), where],
            check=True,
        )
        server.shutdown()
    assert seen
    assert len({user for user, _ in seen}) == len({text for _, text in seen}) == len(seen)
    assert not any(WORD in text or UNIT in user for user, text in seen)
