"""The demo application: customers of a shop who ask through a real OpenAI client, and soon ask something new.

First come questions that the student was taught; after `--warm-seconds` a share of them is of the kind held
back from it. What each request looked like from outside goes to a JSONL file (serving/up/show/traffic.py reads it),
and what the customers made of the replies to the gateway, as feedback.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import openai

from demo.world import Family, sample, satisfied

MAX_TOKENS = 64
IN_FLIGHT = 8
"""Requests under way at once at most: how slow engines are is not known before their first replies."""
UNDER_WAY = 1.0
"""Requests under way on average at most: on a slow machine fewer are sent, or engines would leave learning nothing."""
FILE_BYTES = 64 << 20
REQUEST_SECONDS = 90.0
CLICKS = {True: 0.8, False: 0.3}
"""Share of customers who click on what a reply offers, by whether it states the facts."""
TAKEOVERS = 0.5
"""Share of wrong replies after which somebody of the shop takes the session over."""


@dataclass(slots=True)
class Asked:
    """One request as its client saw it. Times in seconds; `t`, `end`, `gap_at` since the epoch."""

    t: float
    family: str
    session: str
    lang: str
    sample: str
    messages: tuple[dict[str, str], ...]
    stream: bool
    end: float = 0.0
    ok: bool = False
    error: str = ""
    truncated: bool = False
    mixed: bool = False
    arm: str = ""
    version: str = ""
    ttft: float | None = None
    gap: float = 0.0
    gap_at: float = 0.0
    fact: bool | None = None
    reply: str = ""
    id: str = ""
    """Of the response."""

    def byte(self, before: float, now: float) -> None:
        """Something arrived `now`, and the time before was `before`; keeps the longest silence."""
        if now - before > self.gap:
            self.gap, self.gap_at = now - before, before
        if self.ttft is None:
            self.ttft = now - self.t


@dataclass(frozen=True, slots=True)
class CustomerAsk:
    """What a customer asks; `right` judges the reply, where anything is known of it."""

    id: str
    family: str
    lang: str
    messages: tuple[dict[str, str], ...]
    right: Callable[[str], bool] | None = None


AskNext = Callable[[random.Random, float], CustomerAsk]
"""Gives what is asked next, so many seconds after the start."""


class CustomerPace:
    """How long until the next customer asks: by chance, at `rate` requests a second on average.

    Where replies take so long that more than `under_way` would be (Little's law: rate times seconds), it is the
    customers who wait.
    """

    def __init__(self, rate: float, chance: random.Random, under_way: float = UNDER_WAY) -> None:
        self._rate, self._random, self._under_way = rate, chance, under_way
        self._took = 0.0

    def replied(self, seconds: float) -> None:
        """A reply took so long, from request to end."""
        self._took += (seconds - self._took) / 16

    def wait(self) -> float:
        """Seconds between the last customer and the next."""
        slow = self._rate * self._took > self._under_way
        return self._random.expovariate(self._under_way / self._took if slow else self._rate)


class Application:
    """Sends what is drawn until told to stop."""

    def __init__(self, options: argparse.Namespace, draw: AskNext) -> None:
        self._options, self._draw = options, draw
        self._random = random.Random(f"{options.seed}:{options.out.stat().st_size if options.out.exists() else 0}")
        self._client = openai.AsyncOpenAI(
            base_url=options.url, api_key=os.environ.get("OPENAI_API_KEY") or "none", max_retries=0,
            timeout=REQUEST_SECONDS,
        )  # fmt: skip
        self._pace = CustomerPace(options.rate, self._random, options.under_way)
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Send at the rate until SIGTERM or SIGINT, then let running requests end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        began = due = time.monotonic()
        while not self._stop.is_set():
            drawn = self._draw(self._random, time.monotonic() - began)
            if len(self._tasks) < IN_FLIGHT:
                task = asyncio.create_task(self._one(drawn))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            due = max(due + self._pace.wait(), time.monotonic() - 1)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), max(0.0, due - time.monotonic()))
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=5)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._client.close()

    async def _one(self, asked: CustomerAsk) -> None:
        streamed = self._random.random() < self._options.stream_share
        session = f"{asked.family}-{self._random.randrange(10**9)}"
        began = time.monotonic()
        seen = Asked(time.time(), asked.family, session, asked.lang, asked.id, asked.messages, streamed)
        try:
            await self._ask(seen)
            seen.ok = True
            seen.fact = asked.right(seen.reply) if asked.right else None
        except Exception as error:  # whatever it was, the customer has no reply: it counts as failed
            seen.error = f"{type(error).__name__}: {error}"[:300]
        except asyncio.CancelledError:
            seen.error = "no reply when the application ended"
        seen.end = time.time()
        self._pace.replied(time.monotonic() - began)
        write(self._options.out, asdict(seen))
        if seen.ok:
            await self._tell(seen)

    async def _tell(self, seen: Asked) -> None:
        """What the customer made of it: whether it was right, a click, a takeover; her session ends with it.

        Chance is drawn from the session's name, so that the next question does not depend on it.
        """
        chance = random.Random(seen.session)
        wrong = seen.fact is False
        clicked, taken_over = chance.random() < CLICKS[not wrong], wrong and chance.random() < TAKEOVERS
        about: list[dict[str, Any]] = [
            {"response_id": seen.id, "kpi": "click", "value": clicked},
            {"session_id": seen.session, "kpi": "takeover", "value": taken_over},
            {"session_id": seen.session, "kpi": "session_end", "value": True},
        ]
        if seen.fact is not None:
            about.append({"response_id": seen.id, "kpi": "first_response_correct", "value": seen.fact})
        for one in about:
            with contextlib.suppress(openai.OpenAIError):  # a customer says it once; the gateway counts what it refuses
                body = {**one, "id": f"{seen.session}-{one['kpi']}"}
                await self._client.post("/feedback", body=body, cast_to=object)

    async def _ask(self, seen: Asked) -> None:
        body: dict[str, Any] = {
            "model": "auto", "messages": seen.messages, "max_tokens": MAX_TOKENS, "temperature": 0,
            "stream": seen.stream,
        }  # fmt: skip
        headers = {
            "x-understudy-user": f"user-{self._random.randrange(self._options.users)}",
            "x-understudy-session": seen.session,
        }
        raw: Any = await self._client.chat.completions.with_raw_response.create(**body, extra_headers=headers)
        seen.arm = raw.headers.get("x-understudy-arm", "")
        seen.version = raw.headers.get("x-understudy-version", "")
        if seen.stream:
            await follow(raw.parse(), seen)
        else:
            seen.byte(seen.t, time.time())
            whole = raw.parse()
            seen.id, choice = whole.id, whole.choices[0]
            seen.reply = choice.message.content or ""
            seen.truncated = choice.finish_reason is None


async def follow(stream: Any, seen: Asked) -> None:
    """Read a stream to its end; it is truncated when it ends without a reason, mixed when its id changes."""
    last, ids, parts, finished = seen.t, set(), [], False
    async for chunk in stream:
        now = time.time()
        seen.byte(last, now)
        last = now
        ids.add((chunk.id, chunk.model))
        for choice in chunk.choices:
            parts.append(choice.delta.content or "")
            finished = finished or choice.finish_reason is not None
    seen.reply = "".join(parts)
    seen.truncated = not finished
    seen.mixed = len(ids) > 1
    seen.id = next((name for name, _ in ids), "")


def write(path: Path, row: dict[str, Any]) -> None:
    """Append one row; a file that has grown too large becomes `.1` first."""
    if path.exists() and path.stat().st_size > FILE_BYTES:
        path.replace(path.with_suffix(".jsonl.1"))
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    made = argparse.ArgumentParser(description=__doc__, epilog="example: python -m demo.app --rate 5")
    made.add_argument("--url", default="http://127.0.0.1:8000/v1")
    made.add_argument("--out", type=Path, default=Path("traffic.jsonl"))
    made.add_argument("--rate", type=float, default=5.0, help="requests a second; fewer where replies are slow")
    made.add_argument("--under-way", type=float, default=UNDER_WAY, help="requests at once, on average at most")
    made.add_argument("--stream-share", type=float, default=0.5)
    made.add_argument("--users", type=int, default=60)
    made.add_argument("--warm-seconds", type=float, default=30.0)
    made.add_argument("--drift-share", type=float, default=0.45)
    made.add_argument("--seed", type=int, default=7)
    return made


def drawing(options: argparse.Namespace) -> AskNext:
    """Draws from the shop: what the student was taught, and later a share of the new kind."""

    def draw(chance: random.Random, elapsed: float) -> CustomerAsk:
        drifting = elapsed >= options.warm_seconds and chance.random() < options.drift_share
        family: Family = "drift" if drifting else "general"
        asked = sample(chance.randrange(10_000, 10**9), "traffic", family)
        return CustomerAsk(asked.id, family, asked.lang, asked.messages, lambda reply: satisfied(asked, reply))

    return draw


def main(argv: list[str] | None = None) -> int:
    """Run until a signal."""
    options = parser().parse_args(argv)
    options.out.parent.mkdir(parents=True, exist_ok=True)

    asyncio.run(Application(options, drawing(options)).run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
