"""How many harmless requests a gateway degrades because their guard ran out of time: at 50/s, before a mock engine."""

from __future__ import annotations

import asyncio
import json
import os
import random
import urllib.request
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bench.breaker.breakdown import quantile
from bench.breaker.load import drive
from bench.breaker.processes import guarded
from bench.breaker.traffic import Due
from serving.gateway.guarding.figures import VERDICTS
from trials.guard.judging import upper
from trials.shared_data import data_folder, json_rows
from trials.turns import FILES, turns
from understudy.errors import UsageError

RATE = 50.0
REQUESTS = 10_000
ASKED = 1 / 10_000
"""Share of harmless requests that may be degraded by the deadline."""


def measured(requests: int, texts: Path | None, rate: float = RATE, deadline_ms: float = 50) -> dict[str, Any]:
    """Send so many harmless requests, each when it is due, and read from the gateway's metrics what it made of them."""
    source, chats = benign(texts)
    dues = [
        Due(number / rate, _body(chat), f"user-{number}", attack=False, stream=False)
        for number, chat in enumerate(islice(cycle(chats), requests))
    ]
    pauses: list[float] = []
    with guarded(pauses, deadline_ms) as port:
        before = degraded(port)
        found = asyncio.run(drive(port, dues))
        stages = {stage: n - before.get(stage, 0) for stage, n in degraded(port).items()}
    first = sorted(one.first_byte for one in found)
    late = stages.get("deadline", 0)
    return {
        "requests": len(found), "rate": rate, "deadline_ms": deadline_ms, "source": source,
        "longest_body": max((len(due.body) for due in dues), default=0),
        "degraded_by_deadline": late, "share": late / max(1, len(found)), "upper": upper(late, len(found)),
        "asked": ASKED, "degraded_by_stage": {stage: n for stage, n in stages.items() if n and stage != "deadline"},
        "told_deadline": sum(one.degraded == "deadline" for one in found),
        "failed": sum(one.status != 200 for one in found),
        "first_byte_p50_ms": 1000 * quantile(first, 0.5), "first_byte_p99_ms": 1000 * quantile(first, 0.99),
        "longest_pause_ms": 1000 * pauses[0], "cores": os.cpu_count(), "load": os.getloadavg()[0],
    }  # fmt: skip


def benign(file: Path | None) -> tuple[str, list[list[dict[str, Any]]]]:
    """Where harmless chats are from, and the chats, in an order that has nothing to do with their origin.

    Of a dialogue that is everything up to some turn of its user, as an application sends it.

    Raises:
        UsageError: the file that was named holds none.
    """
    chance = random.Random(1)
    files = [file] if file is not None else [data_folder() / name for name in FILES]
    found = [chat for one in files for row in json_rows(one) if (chat := _chat(row, chance))]
    if file is not None and not found:
        raise UsageError(f"{file} holds no texts: lines of JSON with `messages`, `prompt` or `text` are needed")
    source = "shared data" if file is None else file.name
    if not found:
        source = "generated"
        found = [[{"role": "user", "content": text}] for spoken in ("en", "zh") for text in turns(spoken).texts]
    chance.shuffle(found)
    return source, found


def degraded(port: int) -> dict[str, int]:
    """Requests that the gateway at `port` has degraded since it began, by the guard's stage."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as reply:
        page = reply.read().decode()
    return {
        sample.labels["stage"]: int(sample.value)
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == VERDICTS.name and sample.labels["verdict"] == "degrade"
    }


def _chat(row: dict[str, Any], chance: random.Random) -> list[dict[str, Any]]:
    messages: Sequence[dict[str, Any]] = row.get("messages") or ()
    asked = [place for place, message in enumerate(messages) if message["role"] == "user"]
    if asked:
        kept = messages[: chance.choice(asked) + 1]
        return [{"role": one["role"], "content": one.get("content") or ""} for one in kept]
    text = row.get("prompt") or row.get("text")
    return [{"role": "user", "content": text}] if isinstance(text, str) else []


def _body(chat: list[dict[str, Any]]) -> bytes:
    return json.dumps({"model": "auto", "messages": chat}, ensure_ascii=False).encode()
