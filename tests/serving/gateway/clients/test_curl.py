"""curl: the example that everybody pastes, and the ways in which it sends and reads."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.serving.gateway.clients.conftest import ASKED
from tests.serving.gateway.conftest import Running
from tests.shared_data import need_program
from tests.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.timeout(400)]
CHAT = ("/chat/completions", "-H", "content-type: application/json", "-H", "authorization: Bearer any")


def curl(base: str, path: str, *words: str, body: Any = None) -> str:
    """What curl prints; it fails where curl does."""
    need_program("curl")
    given = [] if body is None else ["--data-binary", "@-"]
    command = ["curl", "--noproxy", "*", "-sS", "--fail-with-body", "--max-time", "120", *words, *given, base + path]
    done = subprocess.run(command, input=None if body is None else json.dumps(body), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "words",
    [(), ("-0",), ("--http2",), ("--compressed",), ("-H", "expect: 100-continue"), ("-H", "transfer-encoding: chunked"),
     ("-H", "connection: close")],
    ids=" ".join,
)  # fmt: skip
def test_a_reply_comes_whole_however_curl_asks(base: str, words: tuple[str, ...]) -> None:
    path, *more = CHAT
    reply = json.loads(curl(base, path, *more, *words, body=ASKED))
    assert reply["choices"][0]["message"]["content"]
    assert reply["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("words", [("-N",), ("-N", "-0")], ids=" ".join)
def test_a_stream_ends_as_it_should(base: str, words: tuple[str, ...], before_engines: Running) -> None:
    path, *more = CHAT
    lines = curl(base, path, *more, *words, body={**ASKED, "stream": True}).split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(line.removeprefix("data: "))["object"] == "chat.completion.chunk" for line in lines[:-2])
    eventually(lambda: before_engines.spool.raw, what="the copy: curl may end before it is made")
    assert [one.outcome for one in before_engines.spool.raw] == ["complete"]


def test_the_models_are_listed_without_a_key(base: str) -> None:
    assert "teacher" in {model["id"] for model in json.loads(curl(base, "/models"))["data"]}
