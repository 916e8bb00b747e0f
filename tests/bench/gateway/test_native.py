"""The compiled engine says what it is asked for, and the compiled load sees what is wrong with what it gets."""

from __future__ import annotations

import http.client
import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.gateway.native import NativeProgram, built, compiler
from bench.gateway.requests import written
from feedback.store.server import free_port
from tests.waiting import eventually
from understudy.errors import UsageError

EVENTS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs lie, built once."""
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        pytest.skip("needs a C compiler")
    made = tmp_path_factory.mktemp("native")
    names: tuple[NativeProgram, ...] = ("engine", "streams")
    for name in names:
        built(name, made)
    return made


@contextmanager
def engine(folder: Path, pause_ms: int) -> Iterator[tuple[int, http.client.HTTPConnection]]:
    port = free_port()
    with subprocess.Popen([str(built("engine", folder)), str(port), str(EVENTS), str(pause_ms)]) as process:
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as wire:
                eventually(lambda: wire.connect() or True, what="an engine that listens")
                wire.auto_open = 0
                yield port, wire
        finally:
            process.kill()


def said(wire: http.client.HTTPConnection, asked: bytes) -> bytes:
    wire.request("POST", "/v1/chat/completions", asked)
    reply = wire.getresponse()
    assert reply.status == 200
    return reply.read()


def load(folder: Path, port: int, streams: int, seconds: float) -> dict[str, Any]:
    """What the load of streams says of `port`."""
    command = [str(built("streams", folder)), str(port), str(written(folder, 512, True)), "k", str(streams),
               str(seconds), "100", str(EVENTS)]  # fmt: skip
    done: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
    return done


def test_streams_and_whole_replies_follow_each_other_on_one_connection(folder: Path) -> None:
    with engine(folder, 0) as (_, wire):
        for _ in range(2):
            *events, done, rest = said(wire, b'{"stream": true, "padding": "%s"}' % (b"x" * 70_000)).split(b"\n\n")
            assert len(events) == EVENTS
            assert json.loads(events[0].removeprefix(b"data: "))["choices"][0]["delta"]["content"] == " token"
            assert (done, rest) == (b"data: [DONE]", b"")
            assert json.loads(said(wire, b'{"stream": false}'))["choices"][0]["finish_reason"] == "stop"
        wire.request("GET", "/v1/models")
        assert json.loads(wire.getresponse().read())["data"][0]["id"] == "m"


def test_the_load_holds_its_streams_and_finds_every_event_in_its_place(folder: Path) -> None:
    with engine(folder, 20) as (port, _):
        told = load(folder, port, 5, 1.0)
    assert (told["held"], told["errors"], told["disordered"], told["incomplete"]) == (5, 0, 0, 0)
    assert told["finished"] > 0
    assert told["chunks"] >= EVENTS * told["finished"]
    assert told["delay"]["p50"] <= told["delay"]["p99"] <= told["delay"]["most"]


def test_the_load_sees_what_is_lost_out_of_order_or_refused(folder: Path) -> None:
    mark = b"data: @aaaaa%baaaaaaaaa\n\n"
    second_twice = b"".join(mark % letter for letter in (b"a", b"b", b"b")) + b"data: [DONE]\n\n"
    replies = [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        b"%x\r\n%b\r\n0\r\n\r\n" % (len(second_twice), second_twice),
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
    ]  # fmt: skip

    class Wrong(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            for reply in replies:
                held = 0
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    length = int(line.split()[1]) if line.startswith(b"content-length") else 0
                    held = length or held
                self.rfile.read(held)
                self.wfile.write(reply)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Wrong) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def counted(seconds: float) -> list[int]:
            told = load(folder, server.server_address[1], 1, seconds)
            return [told[name] for name in ("finished", "disordered", "incomplete", "errors")]

        found = counted(1.0)
        if sum(found) < 4:  # a busy machine did not come to the end
            found = counted(20.0)
        server.shutdown()
    assert found == [1, 1, 1, 1]


def test_a_machine_without_a_compiler_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="C compiler"):
        compiler()
