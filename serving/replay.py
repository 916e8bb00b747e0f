"""`understudy replay FILE`: send stored dialogues through the data plane and say how they were answered."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.engines.address import api_base
from deploy.engines.keys import known_own_key
from deploy.engines.names import CHAT
from serving.replay_rows import Prompt, Tally, prompts
from understudy.errors import UnderstudyError
from understudy.files import read_json
from understudy.state import DEFAULT_STATE, StateDir

SECONDS = 120.0
DEFAULT_URL = "http://127.0.0.1:8000"


def main(argv: list[str]) -> int:
    """Entry point; 0 when every request was answered or refused for its own sake (400), else 1.

    With `--strict` a row that cannot be sent fails it too.
    """
    options = parser().parse_args(argv)
    console = Console(stderr=True, highlight=False)

    def bad_row(number: int, why: str) -> None:
        console.print(f"{options.file}:{number}: skipped: {why}", markup=False, style="yellow", soft_wrap=True)

    if not options.file.is_file():
        raise UnderstudyError(f"{options.file} does not exist: give a JSONL file, plain or .gz, of rows with messages")
    tally = Tally()
    queue = prompts(options.file, options.turns, options.limit, tally, bad_row)
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = time.monotonic()
    with Progress(*columns, console=console, disable=options.json) as bar:
        task = bar.add_task("replay", total=len(queue))
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(replay(queue, options, address(options), tally, lambda: bar.advance(task)))
    tally.seconds = time.monotonic() - began
    show(tally, options.json)
    failed = tally.failures or (options.strict and tally.skipped)
    return 0 if tally.requests and not failed else 1


def address(options: argparse.Namespace) -> str:
    """Base of the API: of the option, else the running system of the state directory, else the default port."""
    if options.url:
        return api_base(options.url)
    with contextlib.suppress(OSError, ValueError, KeyError):
        return api_base(str(read_json(StateDir(options.state).addresses)["gateway"]))
    return api_base(DEFAULT_URL)


async def replay(
    queue: list[Prompt], options: argparse.Namespace, url: str, tally: Tally, advance: Callable[[], object]
) -> None:
    """Send `queue` in its order, at most `concurrency` at a time and `rate` in a second."""
    waiting = iter(queue)
    due = time.monotonic()

    async def lane(client: httpx.AsyncClient) -> None:
        nonlocal due
        for prompt in waiting:
            if options.rate:
                now = time.monotonic()
                due = max(due + 1 / options.rate, now - 1)
                await asyncio.sleep(max(0.0, due - now))
            await ask(client, prompt, options, tally)
            advance()

    key = options.key or ("" if options.url else known_own_key(StateDir(options.state)))
    headers = {"authorization": f"Bearer {key}"} if key else {}
    limits = httpx.Limits(max_connections=options.concurrency + 1)
    async with httpx.AsyncClient(base_url=url, timeout=SECONDS, headers=headers, limits=limits) as client:
        await asyncio.gather(*(lane(client) for _ in range(options.concurrency)))


async def ask(client: httpx.AsyncClient, prompt: Prompt, options: argparse.Namespace, tally: Tally) -> None:
    """Send one prompt and count how it went."""
    body: dict[str, Any] = {
        "model": options.model, "messages": prompt.messages, "max_tokens": options.max_tokens, "temperature": 0,
        "stream": options.stream,
    }  # fmt: skip
    headers = {"x-understudy-session": prompt.session} if prompt.session else {}
    if prompt.user:
        headers["x-understudy-user"] = prompt.user
    began = time.monotonic()
    first: float | None = None
    tail = b""
    try:
        async with client.stream("POST", CHAT, json=body, headers=headers) as answer:
            async for chunk in answer.aiter_raw():
                first = time.monotonic() - began if first is None else first
                tail = (tail + chunk)[-2048:]
    except httpx.HTTPError as error:
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        tally.broken(f"nothing answers at {client.base_url}: {said}" if first is None else said)
        return
    whole = answer.status_code == 200 and complete(tail, options.stream)
    why = "" if whole else reason(tail)
    tally.answered(answer.status_code, dict(answer.headers), first or 0.0, time.monotonic() - began, whole, why)


def reason(tail: bytes) -> str:
    """The message of the error that a reply, or the end of a stream, carries; empty without one."""
    for part in reversed(tail.split(b"data: ")):
        with contextlib.suppress(ValueError, LookupError, TypeError):
            error = json.loads(part)["error"]
            return str(error["message"])[:200]
    return ""


def complete(tail: bytes, streamed: bool) -> bool:
    """Whether a reply of status 200 came to its end and carries no error."""
    if not streamed:
        return b'"error"' not in tail[:10] and tail.rstrip().endswith(b"}")
    return tail.rstrip().endswith(b"data: [DONE]") and b'data: {"error"' not in tail


def show(tally: Tally, as_json: bool) -> None:
    """Print the summary."""
    summary = tally.summary()
    if as_json:
        print(json.dumps(summary))
        return
    table = Table(title="replay", show_header=False)
    for name, value in summary.items():
        table.add_row(name, json.dumps(value) if isinstance(value, dict) else str(value))
    Console(file=sys.stdout).print(table)


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(
        prog="understudy replay",
        description='Send JSONL rows {"id"?, "messages": [...], "user"?, "session"?} to the data plane. Of a dialogue '
        "the messages up to its last user turn are sent (or one request for each user turn).",
        epilog='example: echo \'{"messages": [{"role": "user", "content": "Hello"}]}\' > rows.jsonl; '
        "understudy replay rows.jsonl",
    )
    made.add_argument("file", type=Path, help="JSONL, plain or .gz")
    made.add_argument("--concurrency", type=positive, default=4, help="requests at once (default: %(default)s)")
    made.add_argument("--rate", type=rate, default=0.0, help="requests a second (0: as fast as answered)")
    made.add_argument("--model", default="auto", help="auto, teacher, student, student:VERSION (default: %(default)s)")
    made.add_argument("--stream", action="store_true", help="ask for streamed replies")
    made.add_argument("--turns", choices=("last", "all"), default="last", help="one request a dialogue, or a user turn")
    made.add_argument("--limit", type=int, default=0, help="stop after so many requests (0: all)")
    made.add_argument("--max-tokens", type=positive, default=64, help="of each reply (default: %(default)s)")
    made.add_argument("--strict", action="store_true", help="exit 1 where a row was skipped")
    made.add_argument("--url", help="base of the gateway (default: found in the state directory)")
    made.add_argument(
        "--key", default="", help="API key (default: of the system in the state directory, where --url names no other)"
    )
    made.add_argument("--state", type=Path, default=DEFAULT_STATE, help="state directory (default: %(default)s)")
    made.add_argument("--config", type=Path, help="accepted for symmetry with other commands")
    made.add_argument("--json", action="store_true", help="print JSON, no progress bar")
    return made


def rate(text: str) -> float:
    """Requests a second, 0 or more."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a rate of 0 or more requests a second")
    return value


def positive(text: str) -> int:
    """A whole number above 0."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value
